from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import json
import uuid
from typing import Any, Literal

import pydantic
import pytest

from tests.behaviour.api import (
    Adapter,
    DiffSyncModel,
    DiffSyncModelFlags,
    DiffSyncStatus,
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectStoreWrongType,
)
from tests.behaviour.inventory import Adapters, Device, Interface, Inventory, Site


def declare(annotations: dict[str, Any], **members: Any) -> type[DiffSyncModel]:
    metaclass: Any = type(DiffSyncModel)
    namespace = {"__module__": __name__, "__annotations__": annotations, **members}
    model: type[DiffSyncModel] = metaclass("Declared", (DiffSyncModel,), namespace)
    return model


# The class


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"_identifiers": ("missing",)}, "missing"),
        ({"_identifiers": ("a",), "_shortname": ("missing",)}, "missing"),
        ({"_identifiers": ("a",), "_attributes": ("missing",)}, "missing"),
        ({"_identifiers": ("a",), "_children": {"child": "missing"}}, "missing"),
        ({"_identifiers": ("a",), "_attributes": ("b",), "b": 1}, "b"),
    ],
    ids=["identifier", "shortname", "attribute", "children", "without annotation"],
)
def test_a_role_of_a_missing_field_is_refused(members: dict[str, Any], named: str) -> None:
    with pytest.raises((AttributeError, pydantic.PydanticUserError), match=named):
        declare({"a": str}, _modelname="m", **members)


@pytest.mark.parametrize(
    "members",
    [
        {"_identifiers": ("shared",), "_attributes": ("shared",)},
        {"_identifiers": ("shared",), "_children": {"child": "shared"}},
        {"_identifiers": ("a",), "_attributes": ("shared",), "_children": {"child": "shared"}},
    ],
    ids=["identifier and attribute", "identifier and children", "attribute and children"],
)
def test_a_field_with_two_roles_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match="shared"):
        declare({"a": str, "shared": list}, _modelname="m", **members)


def test_an_identifier_may_be_the_shortname_too() -> None:
    model = declare({"a": str, "b": str}, _modelname="m", _identifiers=("a", "b"), _shortname=("b",))
    obj = model(a="x", b="y")
    assert (obj.get_unique_id(), obj.get_shortname()) == ("x__y", "y")


def test_a_class_needs_no_identifiers_until_it_has_objects() -> None:
    assert declare({"a": str}, _modelname="m").get_type() == "m"


def test_a_subclass_has_the_roles_and_fields_of_its_parent() -> None:
    class Router(Device):
        asn: int = 0

    router = Router(site="s", name="r", asn=65000)
    assert router.get_type() == "device"
    assert router.get_identifiers() == {"site": "s", "name": "r"}
    assert router.get_attrs() == {"role": "leaf", "slots": None}
    assert router.asn == 65000


def test_a_subclass_may_extend_the_roles_of_its_parent() -> None:
    class Router(Device):
        _attributes = (*Device._attributes, "asn")
        asn: int = 0

    assert Router(site="s", name="r").get_attrs() == {"role": "leaf", "slots": None, "asn": 0}
    assert Device(site="s", name="r").get_attrs() == {"role": "leaf", "slots": None}


def test_a_subclass_with_a_wrong_role_is_refused_like_its_parent() -> None:
    with pytest.raises(AttributeError, match="nowhere"):

        class Router(Device):
            _attributes = ("nowhere",)


def test_fields_are_checked_by_pydantic() -> None:
    with pytest.raises(pydantic.ValidationError):
        Site(nme="x")  # type: ignore[call-arg]
    with pytest.raises(pydantic.ValidationError):
        Device(site="s", name="d", slots="many")  # type: ignore[arg-type]


def test_an_undeclared_field_is_ignored() -> None:
    assert not hasattr(Site.model_validate({"name": "a", "bogus": 3}), "bogus")


# Text and data


def test_repr_names_model_and_unique_id() -> None:
    assert repr(Device(site="s", name="d")) == 'device "s__d"'


def test_str_of_an_object_is_its_unique_id() -> None:
    assert str(Device(site="s", name="d")) == "s__d"


def test_dict_holds_all_fields_and_flags_but_not_the_adapter(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {"d": "leaf"})})
    assert inventory.get(Site, "a").dict() == {
        "model_flags": DiffSyncModelFlags.NONE,
        "name": "a",
        "region": "r",
        "tags": [],
        "devices": ["a__d"],
        "note": 4,
    }


def test_dict_takes_the_arguments_of_pydantic() -> None:
    site = Site(name="a", region="r")
    assert site.dict(exclude_defaults=True) == {"name": "a", "region": "r"}
    assert site.dict(include={"name"}) == {"name": "a"}


def test_json_has_no_default_values(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": (None, {"d": "leaf"})})
    assert json.loads(inventory.get(Site, "a").json()) == {"name": "a", "devices": ["a__d"]}
    assert json.loads(inventory.get(Device, "a__d").json()) == {"site": "a", "name": "d"}


def test_json_without_the_adapter_is_the_same_inside_and_outside_a_store(adapters: Adapters) -> None:
    inside, outside = Site(name="a", region="r"), Site(name="a", region="r")
    adapters.make(Inventory).add(inside)
    assert inside.json() == outside.json() == '{"name":"a","region":"r"}'


def test_str_shows_all_descendants(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {"d": "leaf"})})
    interface = Interface(device="d", name="e0")
    inventory.add(interface)
    inventory.get(Device, "a__d").add_child(interface)
    assert inventory.get(Site, "a").str() == (
        "site: a: {'region': 'r', 'tags': []}\n"
        "  devices\n"
        "    device: a__d: {'role': 'leaf', 'slots': None}\n"
        "      interfaces\n"
        "        interface: d__e0: {'speed': 1}"
    )


def test_str_indents_every_line(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {"d": "leaf"})})
    site = inventory.get(Site, "a")
    assert site.str(indent=4) == "\n".join("    " + line for line in site.str().splitlines())


def test_str_without_children_lists_their_unique_ids(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {"d": "leaf"})})
    text = inventory.get(Site, "a").str(include_children=False)
    assert text == "site: a: {'region': 'r', 'tags': []}\n  devices: ['a__d']"


def test_str_of_an_object_outside_any_adapter_lists_the_unique_ids_of_children() -> None:
    text = Site(name="a", devices=["a__d"]).str()
    assert text == "site: a: {'region': None, 'tags': []}\n  devices: ['a__d']"


def test_str_names_a_child_that_is_not_in_the_store(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {"d": "leaf"})})
    site = inventory.get(Site, "a")
    site.devices.append("a__ghost")
    last = site.str().splitlines()[-1]
    assert last.startswith("    a__ghost (")


def test_str_of_a_childless_parent_shows_an_empty_list() -> None:
    assert Device(site="s", name="d").str() == "device: s__d: {'role': 'leaf', 'slots': None}\n  interfaces: []"


# Identity


def test_roles_are_readable() -> None:
    device = Device(site="s", name="d", slots=2)
    assert device.get_type() == "device"
    assert device.get_identifiers() == {"site": "s", "name": "d"}
    assert device.get_attrs() == {"role": "leaf", "slots": 2}
    assert device.get_unique_id() == "s__d"
    assert device.get_shortname() == "d"
    assert Device.get_children_mapping() == {"interface": "interfaces"}


def test_without_shortname_the_unique_id_is_the_name() -> None:
    assert Interface(device="d", name="e0").get_shortname() == "d__e0"


def test_create_unique_id_follows_the_order_of_the_identifiers() -> None:
    assert Device.create_unique_id(name="d", site="s") == "s__d"


def test_create_unique_id_ignores_other_fields() -> None:
    assert Device.create_unique_id(name="d", site="s", role="x") == "s__d"


def test_create_unique_id_without_an_identifier_raises_its_name() -> None:
    with pytest.raises(KeyError, match="site"):
        Device.create_unique_id(name="d")


def test_identifiers_of_any_type_are_written_as_text() -> None:
    class Route(DiffSyncModel):
        _modelname = "route"
        _identifiers = ("prefix", "metric", "via")
        prefix: ipaddress.IPv4Network
        metric: int
        via: str | None = None

    route = Route(prefix=ipaddress.IPv4Network("10.0.0.0/8"), metric=3)
    assert route.get_unique_id() == "10.0.0.0/8__3__None"
    assert route.get_identifiers()["metric"] == 3


def test_objects_are_equal_by_their_fields() -> None:
    assert Site(name="a") == Site(name="a")
    assert Site(name="a") != Site(name="a", region="r")
    assert Site(name="a") != Site(name="a", note=5)


def test_objects_cannot_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(Site(name="a"))


def test_overridden_names_are_used_everywhere(adapters: Adapters) -> None:
    class Loud(DiffSyncModel):
        _modelname = "loud"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: str = ""

        @classmethod
        def create_unique_id(cls, **identifiers: Any) -> str:
            return str(identifiers["name"]).upper()

        def get_attrs(self) -> dict[str, Any]:
            return {"value": self.value.strip()}

        def get_shortname(self) -> str:
            return f"<{self.name}>"

    class Place(Adapter):
        loud = Loud
        top_level = ["loud"]

    source, target = adapters.make(Place, "S"), adapters.make(Place, "T")
    source.add(Loud(name="x", value="  one "))
    target.add(Loud(name="x", value="one"))
    source.add(Loud(name="y", value=" two"))
    assert source.get(Loud, {"name": "x"}).name == source.get("loud", "X").name == "x"
    diff = target.diff_from(source)
    assert diff.dict() == {"loud": {"<y>": {"+": {"value": "two"}}}}


def test_model_flags_are_none_until_set() -> None:
    assert Site(name="a").model_flags == DiffSyncModelFlags.NONE


def test_a_class_may_set_the_flags_of_its_objects() -> None:
    class Ignored(Site):
        model_flags: DiffSyncModelFlags = DiffSyncModelFlags.IGNORE

    assert Ignored(name="a").model_flags == DiffSyncModelFlags.IGNORE


def test_an_object_may_be_made_with_flags() -> None:
    flags = DiffSyncModelFlags.SKIP_UNMATCHED_BOTH
    assert Site(name="a", model_flags=flags).model_flags == flags


def test_model_flags_are_kept_in_the_store(adapters: Adapters) -> None:
    inventory = adapters.make(Inventory)
    inventory.add(Site(name="a", model_flags=DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.NATURAL_DELETION_ORDER))
    flags = inventory.get(Site, "a").model_flags
    assert flags == DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.NATURAL_DELETION_ORDER


# Operations


def test_a_new_object_has_the_status_success() -> None:
    assert Site(name="a").get_status() == (DiffSyncStatus.SUCCESS, "")


def test_get_status_returns_the_status_that_was_set() -> None:
    site = Site(name="a")
    site.set_status(DiffSyncStatus.FAILURE, "why")
    assert site.get_status() == (DiffSyncStatus.FAILURE, "why")
    site.set_status(DiffSyncStatus.ERROR)
    assert site.get_status() == (DiffSyncStatus.ERROR, "")


def test_create_makes_an_object_of_the_adapter_and_leaves_the_store_alone(adapters: Adapters) -> None:
    inventory = adapters.make(Inventory)
    device = Device.create(inventory, {"site": "s", "name": "d"}, {"role": "spine"})
    assert device is not None
    assert (device.get_unique_id(), device.role) == ("s__d", "spine")
    assert device.adapter is inventory
    assert device.get_status() == (DiffSyncStatus.SUCCESS, "Created successfully")
    assert inventory.count() == 0


def test_create_base_is_create_without_a_system(adapters: Adapters) -> None:
    inventory = adapters.make(Inventory)
    site = Site.create_base(inventory, {"name": "a"}, {"region": "r"})
    assert site is not None
    assert site.region == "r"
    assert inventory.journal == []


def test_create_without_a_required_field_raises_pydantics_error(adapters: Adapters) -> None:
    with pytest.raises(pydantic.ValidationError):
        Device.create_base(adapters.make(Inventory), {"site": "s"}, {})


def test_update_assigns_and_returns_the_object(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {})})
    site = inventory.get(Site, "a")
    assert site.update({"region": "q", "tags": ["x"]}) is site
    assert (site.region, site.tags) == ("q", ["x"])
    assert site.get_status() == (DiffSyncStatus.SUCCESS, "Updated successfully")


def test_update_base_is_update_without_a_system(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {})})
    inventory.get(Site, "a").update_base({"region": "q"})
    assert inventory.get(Site, "a").region == "q"
    assert inventory.journal == []


def test_update_of_an_unknown_field_is_refused(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {})})
    with pytest.raises(ValueError, match="bogus"):
        inventory.get(Site, "a").update({"bogus": 1})


def test_delete_leaves_the_store_alone(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {})})
    site = inventory.get(Site, "a")
    assert site.delete() is site
    assert site.get_status() == (DiffSyncStatus.SUCCESS, "Deleted successfully")
    assert inventory.count() == 1


def test_delete_base_is_delete_without_a_system(adapters: Adapters) -> None:
    inventory = adapters.filled(Inventory, {"a": ("r", {})})
    site = inventory.get(Site, "a")
    assert site.delete_base() is site
    assert inventory.journal == []


# Attributes as data


class Port(pydantic.BaseModel):
    number: int


class Socket(DiffSyncModel):
    _modelname = "socket"
    _identifiers = ("name",)
    _attributes = ("port", "label", "tags")

    name: str
    port: Port | None = None
    label: str = ""
    tags: list[str] = []

    @pydantic.field_serializer("label")
    def _in_capitals(self, label: str) -> str:
        return label.upper()


class Sockets(Adapter):
    socket = Socket
    top_level = ["socket"]


def test_attributes_are_what_pydantic_dumps() -> None:
    attrs = Socket(name="s", port=Port(number=3), label="abc").get_attrs()
    assert attrs == {"port": {"number": 3}, "label": "ABC", "tags": []}


def test_attributes_are_a_copy() -> None:
    socket = Socket(name="s", tags=["x"])
    socket.get_attrs()["tags"].append("y")
    assert socket.tags == ["x"]


def test_a_diff_shows_attributes_as_pydantic_dumps_them(adapters: Adapters) -> None:
    source, target = adapters.make(Sockets), adapters.make(Sockets)
    source.add(Socket(name="s", port=Port(number=3), label="abc"))
    new = {"port": {"number": 3}, "label": "ABC", "tags": []}
    assert target.diff_from(source).dict() == {"socket": {"s": {"+": new}}}


def test_objects_that_differ_only_in_excluded_fields_are_equal(adapters: Adapters) -> None:
    source, target = adapters.make(Sockets), adapters.make(Sockets)
    source.add(Socket(name="s", label="abc"))
    target.add(Socket(name="s", label="ABC"))
    assert not target.diff_from(source).has_diffs()


def test_a_created_object_has_nested_models_again(adapters: Adapters) -> None:
    source, target = adapters.make(Sockets), adapters.make(Sockets)
    source.add(Socket(name="s", port=Port(number=3)))
    target.sync_from(source)
    assert target.get(Socket, "s").port == Port(number=3)


# Children


def test_add_child_lists_unique_ids_in_order() -> None:
    site = Site(name="a")
    for name in ("z", "b", "m"):
        site.add_child(Device(site="a", name=name))
    assert site.devices == ["a__z", "a__b", "a__m"]


def test_add_child_refuses_a_child_that_is_listed() -> None:
    site, again = Site(name="a", devices=["a__d"]), Device(site="a", name="d", role="other")
    with pytest.raises(ObjectAlreadyExists) as caught:
        site.add_child(again)
    assert caught.value.existing_object is again
    assert site.devices == ["a__d"]


def test_add_child_refuses_another_model() -> None:
    with pytest.raises(ObjectStoreWrongType, match="interface"):
        Site(name="a").add_child(Interface(device="d", name="e0"))


def test_add_child_refuses_other_objects() -> None:
    with pytest.raises(AttributeError):
        Site(name="a").add_child("a__d")  # type: ignore[arg-type]


def test_remove_child_leaves_the_others_in_order() -> None:
    site = Site(name="a", devices=["a__x", "a__y", "a__z"])
    site.remove_child(Device(site="a", name="y"))
    assert site.devices == ["a__x", "a__z"]


def test_remove_child_refuses_a_child_that_is_not_listed() -> None:
    with pytest.raises(ObjectNotFound, match="a__d"):
        Site(name="a").remove_child(Device(site="a", name="d"))


def test_remove_child_refuses_another_model() -> None:
    with pytest.raises(ObjectStoreWrongType, match="interface"):
        Site(name="a").remove_child(Interface(device="d", name="e0"))


def test_a_removed_child_may_be_added_again_and_comes_last() -> None:
    site = Site(name="a", devices=["a__x", "a__y"])
    child = Device(site="a", name="x")
    site.remove_child(child)
    site.add_child(child)
    assert site.devices == ["a__y", "a__x"]


def test_the_list_of_children_may_be_changed_directly_between_calls() -> None:
    site = Site(name="a")
    first, second = Device(site="a", name="x"), Device(site="a", name="y")
    site.add_child(first)
    site.devices.append("a__y")
    with pytest.raises(ObjectAlreadyExists):
        site.add_child(second)
    site.devices = ["a__y"]
    site.add_child(first)
    site.remove_child(second)
    assert site.devices == ["a__x"]


def test_directly_replaced_children_are_seen() -> None:
    site = Site(name="a")
    first, second = Device(site="a", name="x"), Device(site="a", name="y")
    site.add_child(first)
    site.devices[0] = "a__y"
    site.add_child(first)
    with pytest.raises(ObjectAlreadyExists):
        site.add_child(second)
    assert site.devices == ["a__y", "a__x"]


def test_objects_do_not_share_their_default_children() -> None:
    first, second = Site(name="a"), Site(name="b")
    first.add_child(Device(site="a", name="d"))
    assert second.devices == []


def test_a_parent_may_have_children_of_several_models() -> None:
    class Room(DiffSyncModel):
        _modelname = "room"
        _identifiers = ("name",)
        _children = {"device": "devices", "site": "sites"}
        name: str
        devices: list[str] = []
        sites: list[str] = []

    room = Room(name="r")
    room.add_child(Device(site="a", name="d"))
    room.add_child(Site(name="a"))
    assert (room.devices, room.sites) == (["a__d"], ["a"])


# Values


class Colour(enum.Enum):
    RED = "red"


class Everything(DiffSyncModel):
    _modelname = "everything"
    _identifiers = ("key",)
    _attributes = (
        "text", "whole", "real", "yes", "nothing", "listed", "mapped", "nested", "when", "day", "address", "network",
        "exact", "one_of", "colour", "id_", "members", "pair", "anything",
    )  # fmt: skip

    key: str
    text: str = ""
    whole: int = 0
    real: float = 0.0
    yes: bool = False
    nothing: str | None = "set"
    listed: list[int] = []
    mapped: dict[str, Any] = {}
    nested: dict[str, list[dict[str, int]]] = {}
    when: dt.datetime | None = None
    day: dt.date | None = None
    address: ipaddress.IPv4Address | None = None
    network: ipaddress.IPv6Network | None = None
    exact: decimal.Decimal | None = None
    one_of: Literal["a", "b"] = "a"
    colour: Colour | None = None
    id_: uuid.UUID | None = None
    members: set[str] = set()
    pair: tuple[int, str] | None = None
    anything: Any = None


class Anything(Adapter):
    everything = Everything
    top_level = ["everything"]


VALUES: dict[str, Any] = {
    "text": 'ünï "quoted" \n\0 {} : * ',
    "whole": 2**70,
    "real": 0.1,
    "yes": True,
    "nothing": None,
    "listed": [3, 1, 2],
    "mapped": {"z": 1, "a": None, "k": [True, "x"]},
    "nested": {"x": [{"y": 1}]},
    "when": dt.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=dt.UTC),
    "day": dt.date(2024, 2, 29),
    "address": ipaddress.IPv4Address("192.0.2.1"),
    "network": ipaddress.IPv6Network("2001:db8::/32"),
    "exact": decimal.Decimal("1.10"),
    "one_of": "b",
    "colour": Colour.RED,
    "id_": uuid.UUID(int=5),
    "members": {"b", "a"},
    "pair": (1, "x"),
    "anything": {"deep": [1, "two", None]},
}


def test_the_store_returns_values_of_every_type_unchanged(adapters: Adapters) -> None:
    adapter = adapters.make(Anything)
    adapter.add(Everything(key="k", **VALUES))
    assert adapter.get(Everything, "k").get_attrs() == VALUES


def test_equal_values_of_every_type_are_no_difference(adapters: Adapters) -> None:
    source, target = adapters.make(Anything), adapters.make(Anything)
    source.add(Everything(key="k", **VALUES))
    target.add(Everything(key="k", **VALUES))
    assert not target.diff_from(source).has_diffs()


@pytest.mark.parametrize("field", VALUES)
def test_a_changed_value_of_any_type_is_one_difference_and_is_synced(adapters: Adapters, field: str) -> None:
    source, target = adapters.make(Anything), adapters.make(Anything)
    source.add(Everything(key="k", **{field: VALUES[field]}))
    target.add(Everything(key="k"))
    old = getattr(Everything(key="k"), field)
    assert target.diff_from(source).dict() == {
        "everything": {"k": {"-": {field: old}, "+": {field: VALUES[field]}}},
    }
    target.sync_from(source)
    assert getattr(target.get(Everything, "k"), field) == VALUES[field]
    assert not target.diff_from(source).has_diffs()


def test_the_order_of_a_list_matters_and_that_of_a_mapping_does_not(adapters: Adapters) -> None:
    source, target = adapters.make(Anything), adapters.make(Anything)
    source.add(Everything(key="list", listed=[1, 2]))
    target.add(Everything(key="list", listed=[2, 1]))
    source.add(Everything(key="dict", mapped={"a": 1, "b": 2}))
    target.add(Everything(key="dict", mapped={"b": 2, "a": 1}))
    assert list(target.diff_from(source).dict()["everything"]) == ["list"]


@pytest.mark.parametrize("uid", ["", "a:b", "a*?[x]", "ü\n\0", "{tag}", "a__b", "x" * 5000, " "])
def test_identifiers_may_hold_any_characters(adapters: Adapters, uid: str) -> None:
    adapter = adapters.make(Anything)
    adapter.add(Everything(key=uid, whole=3))
    assert adapter.get(Everything, uid).whole == 3
    assert [obj.key for obj in adapter.get_all("everything")] == [uid]
    assert adapter.count(Everything) == 1
