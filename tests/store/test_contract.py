"""The contract of every store."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import math
import pickle
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field

from diffsync_store import (
    Adapter,
    BaseStore,
    DiffSyncModel,
    DiffSyncModelFlags,
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectStoreException,
    ObjectStoreWrongType,
    StoreInUse,
    StoreNotComplete,
    StoreNotFound,
    StoreState,
)
from diffsync_store.store.redis import RedisStore
from tests.store.conftest import NewStore
from tests.store.inventory import Device, Flat, Inventory, Site, flat, sites

NAMES = ["b", "a", "c", "10", "9"]


@pytest.fixture
def inventory(store: BaseStore) -> Inventory:
    return sites(store)


def reread(adapter: Adapter) -> Adapter:
    """The adapter over the store as another process finds it; a local store has only this process."""
    if not isinstance(adapter.store, RedisStore):
        return adapter
    adapter.store.flush()
    store = RedisStore(connection=adapter.store._connection, store_id=adapter.store.store_id)
    return type(adapter)(internal_storage_engine=store)


def named(objects: list[Any]) -> list[str]:
    return [obj.name for obj in objects]


def test_added_objects_can_be_read(inventory: Inventory) -> None:
    site = Site(name="ber", region="north", tags=["a"], facts={"b": [1, None]})
    inventory.add(site)
    assert inventory.get(Site, "ber") is site
    again = reread(inventory).get(Site, "ber")
    assert again.model_dump() == site.model_dump()
    assert type(again) is Site


@pytest.mark.parametrize("model", ["site", Site, Site(name="any")], ids=["name", "class", "instance"])
@pytest.mark.parametrize("identifier", ["ber", {"name": "ber"}], ids=["unique id", "identifiers"])
def test_a_model_and_an_object_may_be_named_in_several_ways(inventory: Inventory, model: Any, identifier: Any) -> None:
    inventory.add(Site(name="ber"))
    for adapter in (inventory, reread(inventory)):
        assert adapter.get(model, identifier).name == "ber"
        assert adapter.get_or_none(model, identifier).name == "ber"
        assert adapter.count(model) == 1
        assert named(adapter.get_all(model)) == ["ber"]
        assert named(adapter.get_by_uids(["ber"], model)) == ["ber"]


@pytest.mark.parametrize("identifier", [5, None, ["ber"], b"ber"])
def test_an_invalid_identifier_is_refused(inventory: Inventory, identifier: Any) -> None:
    with pytest.raises(ObjectStoreWrongType, match="str or a dict"):
        inventory.get(Site, identifier)


def test_identifiers_of_a_model_that_the_adapter_does_not_know_are_refused(inventory: Inventory) -> None:
    with pytest.raises(ValueError, match="rack"):
        inventory.get("rack", {"name": "r"})


def test_missing_objects_are_not_found(inventory: Inventory) -> None:
    inventory.add(Site(name="ber"))
    for adapter in (inventory, reread(inventory)):
        with pytest.raises(ObjectNotFound, match="site none not present in"):
            adapter.get(Site, "none")
        with pytest.raises(ObjectNotFound, match="rack none not present in"):
            adapter.get("rack", "none")
        with pytest.raises(ObjectNotFound, match="site none not present in"):
            adapter.get_by_uids(["ber", "none"], Site)
        assert adapter.get_or_none(Site, "none") is None
        assert adapter.get_all("rack") == []
        assert adapter.count("rack") == 0


def test_the_order_of_all_is_that_of_insertion(inventory: Inventory) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    assert named(inventory.get_all(Site)) == NAMES
    assert named(reread(inventory).get_all(Site)) == NAMES


def test_an_update_keeps_the_place(inventory: Inventory) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    inventory.update(Site(name="a", region="new"))
    inventory.get(Site, "c").region = "changed"
    inventory.store.flush()
    inventory.update(Site(name="b", region="new"))
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_all(Site)) == NAMES
        assert [site.region for site in adapter.get_all(Site)] == ["new", "new", "changed", None, None]


@pytest.mark.parametrize("flush", [False, True])
def test_an_object_that_is_removed_and_added_again_is_last(inventory: Inventory, flush: bool) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    if flush:
        inventory.store.flush()
    first = inventory.get(Site, "b")
    inventory.remove(first)
    inventory.add(first)
    inventory.remove(inventory.get(Site, "a"))
    inventory.add(Site(name="a", region="new"))
    expected = ["c", "10", "9", "b", "a"]
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_all(Site)) == expected
        assert adapter.get(Site, "a").region == "new"
        assert adapter.count() == 5


@pytest.mark.parametrize("flush", [False, True])
def test_what_is_removed_and_put_back_by_an_update_goes_to_the_end(inventory: Inventory, flush: bool) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    if flush:
        inventory.store.flush()
    inventory.remove(inventory.get(Site, "b"))
    inventory.update(Site(name="b"))
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_all(Site)) == ["a", "c", "10", "9", "b"]


@pytest.mark.parametrize("flush", [False, True])
def test_adds_and_updates_of_new_objects_stand_in_the_order_in_which_they_came(
    inventory: Inventory, flush: bool
) -> None:
    for number, name in enumerate(NAMES):
        inventory.add(Site(name=name)) if number % 2 else inventory.update(Site(name=name))
        if flush:
            inventory.store.flush()
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_all(Site)) == NAMES


def test_objects_by_unique_ids_come_in_the_order_of_the_ids(inventory: Inventory) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_by_uids(["9", "b", "a", "b"], Site)) == ["9", "b", "a", "b"]
        assert adapter.get_by_uids([], Site) == []


def test_counts_and_names_follow_adds_and_removes(inventory: Inventory) -> None:
    assert (inventory.count(), len(inventory), inventory.get_all_model_names()) == (0, 0, set())
    inventory.add(Site(name="a"))
    inventory.add(Device(name="a"))
    inventory.add(Device(name="b"))
    for adapter in (inventory, reread(inventory)):
        assert (adapter.count(), len(adapter)) == (3, 3)
        assert (adapter.count("site"), adapter.count(Device)) == (1, 2)
        assert adapter.get_all_model_names() == {"site", "device"}
    inventory.remove(inventory.get(Site, "a"))
    for adapter in (inventory, reread(inventory)):
        assert (adapter.count(), adapter.count(Site)) == (2, 0)
        assert adapter.get_all_model_names() == {"device"}


# Duplicates


@pytest.mark.parametrize("flush", [False, True])
def test_the_same_object_may_be_added_again(inventory: Inventory, flush: bool) -> None:
    site = Site(name="ber")
    inventory.add(site)
    if flush:
        inventory.store.flush()
    inventory.add(site)
    assert inventory.count() == 1
    assert inventory.get(Site, "ber") is site


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("region", ["north", "south"], ids=["equal", "different"])
def test_a_second_object_with_the_same_identifiers_is_refused(inventory: Inventory, flush: bool, region: str) -> None:
    site = Site(name="ber", region="north")
    inventory.add(site)
    if flush:
        inventory.store.flush()
    second = Site(name="ber", region=region)
    with pytest.raises(ObjectAlreadyExists, match=r"^Object ber already present$") as raised:
        inventory.add(second)
    assert raised.value.existing_object is site
    assert second.adapter is None
    assert reread(inventory).get(Site, "ber").region == "north"


def test_what_is_raised_of_an_object_goes_to_another_process(inventory: Inventory) -> None:
    inventory.add(Site(name="ber", region="north"))
    with pytest.raises(ObjectAlreadyExists) as raised:
        inventory.add(Site(name="ber", region="south"))
    there = pickle.loads(pickle.dumps(raised.value))
    assert str(there) == str(raised.value)
    assert there.existing_object.region == there.args[1].region == "north"
    assert inventory.get(Site, "ber").adapter is inventory


def test_an_object_from_before_is_refused_by_a_new_reader_too(inventory: Inventory) -> None:
    inventory.add(Site(name="ber", region="north"))
    second = reread(inventory)
    with pytest.raises(ObjectAlreadyExists) as raised:
        second.add(Site(name="ber", region="south"))
    assert raised.value.existing_object.region == "north"
    second.add(Site(name="muc"))
    assert named(reread(second).get_all(Site)) == ["ber", "muc"]


def test_objects_of_two_models_may_have_one_unique_id(inventory: Inventory) -> None:
    inventory.add(Site(name="x"))
    inventory.add(Device(name="x"))
    assert inventory.count() == 2


# The object's adapter


def test_an_object_belongs_to_the_adapter_while_it_is_in_the_store(inventory: Inventory) -> None:
    site, device = Site(name="ber"), Device(name="d")
    inventory.add(site)
    inventory.update(device)
    assert [obj.adapter for obj in (site, device)] == [inventory, inventory]
    inventory.remove(site)
    assert site.adapter is None
    again = reread(inventory)
    assert again.get(Device, "d").adapter is again
    assert again.get_all(Device)[0].adapter is again


# Removing


def test_removing_takes_the_object_only(inventory: Inventory) -> None:
    site = tree(inventory)
    inventory.remove(site)
    assert inventory.count(Device) == 2
    assert reread(inventory).get_all_model_names() == {"device"}


@pytest.mark.parametrize("flush", [False, True])
def test_removing_with_children_takes_all_below(inventory: Inventory, flush: bool) -> None:
    site = tree(inventory)
    inventory.add(Device(name="another"))
    if flush:
        inventory.store.flush()
    device = inventory.get(Device, "ber-1")
    inventory.remove(site, remove_children=True)
    assert device.adapter is None
    for adapter in (inventory, reread(inventory)):
        assert named(adapter.get_all(Device)) == ["another"]
        assert adapter.count() == 1


class Region(DiffSyncModel):
    _modelname = "region"
    _identifiers = ("name",)
    _children = {"region": "regions"}
    name: str
    regions: list[str] = []


class World(Adapter):
    region = Region
    top_level = ["region"]


@pytest.mark.slow
def test_removing_with_children_goes_down_to_any_depth(store: BaseStore) -> None:
    world = World("world", store)
    for number in range(1500):
        world.add(Region(name=str(number), regions=[str(number + 1)] if number < 1499 else []))
    world.remove(world.get(Region, "0"), remove_children=True)
    assert world.count() == 0


def test_removing_with_children_does_not_mind_a_child_that_is_not_there(inventory: Inventory) -> None:
    site = tree(inventory)
    inventory.remove(inventory.get(Device, "ber-1"))
    inventory.remove(site, remove_children=True)
    assert inventory.count() == 0


@pytest.mark.parametrize("flush", [False, True])
def test_a_removed_object_cannot_be_removed_again(inventory: Inventory, flush: bool) -> None:
    site = Site(name="ber")
    inventory.add(site)
    if flush:
        inventory.store.flush()
    inventory.remove(site)
    with pytest.raises(ObjectNotFound, match="site ber not present in"):
        inventory.remove(site)
    with pytest.raises(ObjectNotFound, match="device none not present in"):
        inventory.store.remove_item("device", "none")
    assert inventory.get_or_none(Site, "ber") is None


def test_an_object_that_stands_for_a_stored_one_removes_it(inventory: Inventory) -> None:
    inventory.add(Site(name="ber"))
    inventory.remove(Site(name="ber"))
    assert reread(inventory).count() == 0


def tree(adapter: Inventory) -> Site:
    site = Site(name="ber")
    adapter.add(site)
    for number in (1, 2):
        device = Device(name=f"ber-{number}")
        adapter.add(device)
        site.add_child(device)
    return site


# Getting or making


def test_get_or_instantiate_makes_one_once(inventory: Inventory) -> None:
    site, created = inventory.get_or_instantiate(Site, {"name": "ber"}, {"region": "north"})
    assert (created, site.region) == (True, "north")
    assert inventory.get_or_instantiate(Site, {"name": "ber"}, {"region": "south"}) == (site, False)
    assert site.region == "north"
    assert inventory.get_or_instantiate(Site, {"name": "muc"})[1]
    again, created = reread(inventory).get_or_instantiate(Site, {"name": "ber"})
    assert (created, again.region) == (False, "north")


def test_get_or_add_model_instance_adds_one_once(inventory: Inventory) -> None:
    site = Site(name="ber", region="north")
    assert inventory.get_or_add_model_instance(site) == (site, True)
    found, created = inventory.get_or_add_model_instance(Site(name="ber", region="south"))
    assert (found, created) == (site, False)
    assert found.region == "north"


def test_update_or_instantiate_changes_what_is_there(inventory: Inventory) -> None:
    site, created = inventory.update_or_instantiate(Site, {"name": "ber"}, {"region": "north", "tags": ["a"]})
    assert (created, site.region, site.tags) == (True, "north", ["a"])
    again, created = inventory.update_or_instantiate(Site, {"name": "ber"}, {"region": "south"})
    assert (again is site, created, site.region, site.tags) == (True, False, "south", ["a"])
    assert reread(inventory).get(Site, "ber").region == "south"


def test_update_or_add_model_instance_takes_over_the_attributes(inventory: Inventory) -> None:
    site = tree(inventory)
    found, created = inventory.update_or_add_model_instance(Site(name="ber", region="south", tags=["x"]))
    assert (found is site, created) == (True, False)
    again = reread(inventory).get(Site, "ber")
    assert (again.region, again.tags, again.devices) == ("south", ["x"], ["ber-1", "ber-2"])
    assert inventory.update_or_add_model_instance(Site(name="muc"))[1]


# Names that could mean something to a store

HOSTILE = [
    "*",
    "?",
    "[a]",
    ":",
    "{}",
    "{x}",
    "a\nb",
    "\r\n",
    "🦜",
    "ä" * 3,
    "x" * 10_000,
    "",
    "__",
    "a__b",
    " ",
    "\x00",
]
HOSTILE += ["'", '"', "\\", "%s", "{0}", "\u2028", "-inf", "+inf", "(1", "0"]


def test_unique_ids_may_hold_anything(store: BaseStore) -> None:
    adapter = flat(store)
    for name in HOSTILE:
        adapter.add(Device(name=name, role=name))
    for reader in (adapter, reread(adapter)):
        assert [device.role for device in reader.get_all(Device)] == HOSTILE
        assert named(reader.get_by_uids(HOSTILE, Device)) == HOSTILE
        for name in HOSTILE:
            assert reader.get(Device, name).role == name
    for name in HOSTILE[::2]:
        adapter.remove(adapter.get(Device, name))
    assert named(reread(adapter).get_all(Device)) == HOSTILE[1::2]


def test_an_identifier_that_is_no_text_for_json_is_refused_by_name(new_store: NewStore) -> None:
    store = new_store()
    if not isinstance(store, RedisStore):
        return
    adapter = flat(store)
    adapter.add(Device(name="before"))
    with pytest.raises((ObjectStoreException, ValueError)):
        add_and_flush(adapter, Device(name="lone \ud800"))


def add_and_flush(adapter: Adapter, obj: DiffSyncModel) -> None:
    adapter.add(obj)
    adapter.store.flush()


@pytest.mark.parametrize(
    "modelname", ["BuiltinTag", "a:b", "{}", "}", "*", "site{x}", "ünï", "order:device", "ÄÖ", "a b\n"]
)
def test_model_names_may_hold_anything(store: BaseStore, modelname: str) -> None:
    class Named(Device):
        _modelname = modelname

    class Lower(Device):
        _modelname = modelname.lower() + "x"

    names = type("Names", (Adapter,), {modelname: Named, modelname.lower() + "x": Lower, "top_level": [modelname]})
    adapter = names(internal_storage_engine=store)
    adapter.add(Named(name="a"))
    adapter.add(Named(name="b"))
    adapter.add(Lower(name="a", role="other"))
    for reader in (adapter, reread(adapter)):
        assert reader.count(modelname) == reader.count(Named) == 2
        assert reader.get_all_model_names() == {modelname, modelname.lower() + "x"}
        assert reader.get(modelname, "a").role == "leaf"
        assert reader.get(Lower, "a").role == "other"
        assert named(reader.get_all(modelname)) == ["a", "b"]
    adapter.remove(adapter.get(Named, "a"))
    assert reread(adapter).count(Named) == 1


def test_names_that_differ_in_case_are_two_models(store: BaseStore) -> None:
    class Upper(Device):
        _modelname = "Device"

    adapter = Adapter(internal_storage_engine=store)
    adapter.add(Device(name="a"))
    adapter.add(Upper(name="b"))
    assert named(adapter.get_all("device")) == ["a"]
    assert named(adapter.get_all("Device")) == ["b"]
    assert adapter.count("Device") == 1


# Values


class Kind(enum.Enum):
    COPPER = 1
    FIBRE = "fibre"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Part(BaseModel):
    serial: str
    made: dt.date


class Tree(BaseModel):
    """Refers to itself."""

    below: list[Tree] = []
    groups: set[str] = set()


class Values(DiffSyncModel):
    _modelname = "values"
    _identifiers = ("name",)
    _attributes = ("value",)

    name: str
    value: Any = None


def typed(annotation: Any) -> type[Values]:
    """A model whose `value` is of this type."""
    members = {"__module__": __name__, "__annotations__": {"value": annotation}, "value": None}
    metaclass: Any = type(Values)
    model: type[Values] = metaclass("Typed", (Values,), members)
    return model


CET = dt.timezone(dt.timedelta(hours=1))
VALUES: list[tuple[Any, Any]] = [
    (dt.datetime, dt.datetime(2024, 2, 29, 12, 30, 1, 123456, tzinfo=CET)),
    (dt.datetime, dt.datetime(1, 1, 1)),  # noqa: DTZ001  # without a zone, to see that none is added
    (dt.date, dt.date(9999, 12, 31)),
    (dt.time, dt.time(23, 59, 59, 1)),
    (dt.timedelta, dt.timedelta(days=-1, microseconds=1)),
    (decimal.Decimal, decimal.Decimal("1.2300000000000000000000000000001")),
    (decimal.Decimal, decimal.Decimal("1E+30")),
    (Kind, Kind.COPPER),
    (Kind, Kind.FIBRE),
    (Level, Level.HIGH),
    (uuid.UUID, uuid.UUID(int=2**127)),
    (ipaddress.IPv4Address, ipaddress.ip_address("10.0.0.1")),
    (ipaddress.IPv6Network, ipaddress.ip_network("2001:db8::/32")),
    (ipaddress.IPv4Interface, ipaddress.ip_interface("10.0.0.1/24")),
    (Part, Part(serial="a", made=dt.date(2024, 1, 1))),
    (Tree, Tree(below=[Tree(), Tree(groups={"x", "y"})])),
    (list[Part], [Part(serial="a", made=dt.date(2024, 1, 1))]),
    (dict[str, Part], {"x": Part(serial="a", made=dt.date(2024, 1, 1))}),
    (dict[str, Any], {"a": {"b": [1, 2.5, None, True, "x"]}, "": {}}),
    (dict[int, str], {1: "a", -2: "b"}),
    (set[str], {"b", "a"}),
    (frozenset[int], frozenset({3, 1})),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (list[int | str | None], [1, "1", None]),
    (int | str, "5"),
    (int | str, 5),
    (bool | int, True),
    (str | None, None),
    (str, ""),
    (str, '\x00 \u2028 " \\ 🦜 \n'),
    (float, math.inf),
    (float, -math.inf),
    (float, 1e308),
    (float, 0.1 + 0.2),
    (int, 2**80),
    (bytes, b"abc"),
    (Literal["a", "b"], "b"),
    (pydantic.HttpUrl, pydantic.HttpUrl("https://example.com/x?y=1")),
    (Any, {"nested": [1, {"a": None}]}),
]


@pytest.mark.parametrize(
    ("annotation", "value"), VALUES, ids=[f"{type(value).__name__}-{at}" for at, (_, value) in enumerate(VALUES)]
)
def test_a_stored_value_is_restored(store: BaseStore, annotation: Any, value: Any) -> None:
    model = typed(annotation)
    adapter = type("Valued", (Adapter,), {"values": model})(internal_storage_engine=store)
    obj = model(name="a", value=value)
    expected = obj.get_attrs()
    adapter.add(obj)
    again = reread(adapter).get(model, "a")
    assert again.value == value
    assert type(again.value) is type(value)
    assert again.get_attrs() == expected


def test_nan_is_restored(store: BaseStore) -> None:
    model = typed(float)
    adapter = type("Valued", (Adapter,), {"values": model})(internal_storage_engine=store)
    adapter.add(model(name="a", value=math.nan))
    assert math.isnan(reread(adapter).get(model, "a").value)


class Aliased(DiffSyncModel):
    model_config = ConfigDict(populate_by_name=True)

    _modelname = "aliased"
    _identifiers = ("name",)
    _attributes = ("role",)

    name: str = Field(alias="deviceName")
    role: str = Field("leaf", validation_alias="Role", serialization_alias="ROLE")


class OnlyAlias(DiffSyncModel):
    _modelname = "only_alias"
    _identifiers = ("name",)

    name: str = Field(alias="deviceName")


class Computed(DiffSyncModel):
    model_config = ConfigDict(extra="forbid")

    _modelname = "computed"
    _identifiers = ("name",)

    name: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def upper(self) -> str:
        return self.name.upper()


class Strict(DiffSyncModel):
    model_config = ConfigDict(strict=True)

    _modelname = "strict"
    _identifiers = ("number",)
    _attributes = ("since", "kind", "groups", "pair")

    number: int
    since: dt.datetime
    kind: Kind = Kind.FIBRE
    groups: set[int] = set()
    pair: tuple[int, str] = (1, "a")


class Frozen(DiffSyncModel):
    model_config = ConfigDict(frozen=True)

    _modelname = "frozen"
    _identifiers = ("name",)
    _attributes = ("tags",)

    name: str
    tags: tuple[str, ...] = ()


class Open(DiffSyncModel):
    model_config = ConfigDict(extra="allow")

    _modelname = "open"
    _identifiers = ("name",)

    name: str


class Optional(DiffSyncModel):
    _modelname = "optional"
    _identifiers = ("name", "slot")
    _attributes = ("a", "b")

    name: str
    slot: int | None = None
    a: int | None = None
    b: str | None = "default"


class Kinds(Adapter):
    aliased = Aliased
    only_alias = OnlyAlias
    computed = Computed
    strict = Strict
    frozen = Frozen
    open = Open
    optional = Optional


OBJECTS: list[DiffSyncModel] = [
    Aliased(deviceName="a", Role="spine"),  # type: ignore[call-arg]
    Aliased(name="a"),
    OnlyAlias(deviceName="a"),
    Computed(name="a"),
    Strict(number=1, since=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), kind=Kind.COPPER, groups={1, 2}, pair=(2, "b")),
    Frozen(name="a", tags=("x", "y")),
    Open(name="a", more=[1], other={"x": None}),
    Optional(name="a", b=None),
    Optional(name="a", slot=0, a=0),
    Device(name="flagged", model_flags=DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.NATURAL_DELETION_ORDER),
]


@pytest.mark.parametrize("original", OBJECTS, ids=[f"{type(obj).__name__} {obj.model_dump()}"[:50] for obj in OBJECTS])
def test_an_object_of_any_kind_of_model_is_restored(store: BaseStore, original: DiffSyncModel) -> None:
    obj = original.model_copy(deep=True)
    adapter = Kinds(internal_storage_engine=store)
    adapter.add(obj)
    assert obj.adapter is adapter
    again = reread(adapter).get(type(obj), obj.get_unique_id())
    assert type(again) is type(obj)
    assert again.model_dump() == original.model_dump()
    assert again.get_unique_id() == original.get_unique_id()
    assert again.model_fields_set >= original.model_fields_set - {"adapter"}
    assert not reread(adapter).diff_from(adapter).has_diffs()
    adapter.remove(obj)
    assert obj.adapter is None


def test_a_field_that_cannot_be_stored_is_an_error_that_names_the_object(new_store: NewStore) -> None:
    store = new_store()
    if not isinstance(store, RedisStore):
        return
    adapter = sites(store)
    adapter.add(Site(name="before"))
    adapter.store.flush()
    with pytest.raises(
        ObjectNotStorable, match=r"site 'ber-17' cannot be stored as JSON: its field 'facts', a dict, .*builtins.object"
    ):
        adapter.add(Site(name="ber-17", facts={"socket": object()}))
    assert adapter.get_or_none(Site, "ber-17") is None
    adapter.add(Site(name="after"))
    adapter.store.flush()
    assert named(reread(adapter).get_all(Site)) == ["before", "after"]


# What a load leaves behind


def test_a_load_that_ends_is_complete(store: BaseStore) -> None:
    adapter = flat(store)
    adapter.add(Device(name="from before"))
    with store.loading() as loading:
        assert loading is store
        assert store.record().state is StoreState.LOADING
        assert adapter.count() == 0
        adapter.add(Device(name="a"))
    assert store.record().state is StoreState.COMPLETE
    record = store.require_complete()
    assert record.counts == {"device": 1}
    assert named(adapter.get_all(Device)) == ["a"]


def half_a_load(adapter: Flat, error: BaseException) -> None:
    with adapter.store.loading():
        adapter.add(Device(name="a"))
        raise error


def test_a_load_that_raises_is_failed_and_says_why(store: BaseStore) -> None:
    with pytest.raises(ZeroDivisionError):
        half_a_load(flat(store), ZeroDivisionError("half way"))
    assert store.state is StoreState.FAILED
    with pytest.raises(StoreNotComplete, match="is failed, not complete: ZeroDivisionError: half way") as raised:
        store.require_complete()
    assert "Load the store again." in str(raised.value)
    assert raised.value.record.reason == "ZeroDivisionError: half way"
    assert store.store_id in str(raised.value)


def test_an_interrupted_load_is_failed_too(store: BaseStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        half_a_load(flat(store), KeyboardInterrupt())
    assert store.state is StoreState.FAILED


def test_a_load_that_can_not_be_written_is_failed(new_store: NewStore) -> None:
    store = new_store()
    if not isinstance(store, RedisStore):
        return
    adapter = sites(store)
    with pytest.raises(ObjectStoreException, match="site 'ber'"), store.loading():
        adapter.add(Site(name="ber", facts={"socket": object()}))
    assert store.state is StoreState.FAILED
    assert "site 'ber'" in store.record().reason


def test_a_load_may_fill_the_store_again_after_a_failure(store: BaseStore) -> None:
    adapter = flat(store)
    with pytest.raises(ZeroDivisionError):
        half_a_load(adapter, ZeroDivisionError())
    with store.loading():
        adapter.add(Device(name="b"))
    assert named(adapter.get_all(Device)) == ["b"]
    assert store.require_complete().reason == ""


@pytest.mark.parametrize("state", [StoreState.PARTIAL, StoreState.FAILED])
def test_a_store_may_be_marked_with_a_reason(store: BaseStore, state: StoreState) -> None:
    with store.loading():
        flat(store).add(Device(name="a"))
    store.mark(state, "two of three pages")
    with pytest.raises(StoreNotComplete, match=f"is {state.value}, not complete: two of three pages"):
        store.require_complete()
    store.mark(StoreState.COMPLETE)
    assert store.require_complete().reason == ""


def test_the_record_describes_the_content_of_the_store(store: BaseStore) -> None:
    adapter = sites(store)
    store.name = "netbox"
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    with store.loading():
        tree(adapter)
    record = store.record()
    assert (record.store_id, record.adapter, record.state) == (store.store_id, "Inventory", StoreState.COMPLETE)
    assert record.counts == {"site": 1, "device": 2}
    assert record.top_level == record.schema_.top_level == ("site",)
    assert before <= record.created <= record.updated <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    assert record.writer.rpartition(":")[2].isdigit()
    schema = record.schema_.models["site"]
    assert schema.identifiers == ("name",)
    assert schema.attributes == ("region", "tags", "facts")
    assert schema.children == {"device": "devices"}


def test_each_load_has_its_own_generation(store: BaseStore) -> None:
    generations = set()
    for _ in range(3):
        with store.loading():
            flat(store).add(Device(name="a"))
        generations.add(store.record().generation)
    assert len(generations) == 3


def test_a_store_that_was_dropped_is_empty(store: BaseStore) -> None:
    adapter = flat(store)
    with store.loading():
        adapter.add(Device(name="a"))
    store.drop()
    assert (adapter.count(), adapter.get_all(Device), adapter.get_all_model_names()) == (0, [], set())
    with pytest.raises((StoreNotFound, StoreNotComplete)):
        store.require_complete()
    adapter.add(Device(name="b"))
    assert named(reread(adapter).get_all(Device)) == ["b"]


def test_flush_and_close_may_be_called_at_any_time(store: BaseStore) -> None:
    store.flush()
    adapter = flat(store)
    adapter.add(Device(name="a"))
    store.flush()
    store.flush()
    assert adapter.count() == 1
    store.close()
    store.close()


def test_a_store_is_closed_by_its_block(new_store: NewStore) -> None:
    with new_store() as store:
        adapter = flat(store)
        adapter.add(Device(name="a"))
    assert named(reread(adapter).get_all(Device)) == ["a"]


def test_a_store_has_a_name(store: BaseStore) -> None:
    assert store.name == type(store).__name__
    assert str(store).startswith(store.name)
    assert store.store_id


def test_snapshots_read_in_order_and_leave_out_what_is_not_there(inventory: Inventory) -> None:
    for name in NAMES:
        inventory.add(Site(name=name))
    for adapter in (inventory, reread(inventory)):
        assert list(adapter.store.snapshot("site", ["9", "none", "b"])) == ["9", "b"]
        assert named(list(adapter.store.snapshot_all("site"))) == NAMES
        assert list(adapter.store.fetch("site", ["none", "a"])) == ["a"]


@pytest.mark.slow
def test_2500_objects_are_stored_and_read_in_order(store: BaseStore) -> None:
    adapter = flat(store)
    expected = [f"device-{number}" for number in range(2500, 0, -1)]
    for name in expected:
        adapter.add(Device(name=name))
    for reader in (adapter, reread(adapter)):
        assert named(reader.get_all(Device)) == expected
        assert reader.count() == 2500
        assert named(reader.get_by_uids(expected[::-1], Device)) == expected[::-1]
    assert isinstance(adapter, Flat)


def test_a_store_that_is_being_loaded_is_not_emptied_by_another_load(store: BaseStore) -> None:
    inventory = Inventory(internal_storage_engine=store)

    def load_again() -> None:
        with store.loading():
            raise AssertionError("never here")

    with store.loading():
        inventory.add(Site(name="ber"))
        with ThreadPoolExecutor(1) as pool, pytest.raises(StoreInUse, match="is being loaded already"):
            pool.submit(load_again).result()
        with pytest.raises(StoreInUse, match="Let one thread enter"):
            load_again()
        inventory.add(Site(name="muc"))
    assert store.state is StoreState.COMPLETE
    assert named(reread(inventory).get_all("site")) == ["ber", "muc"]
    with store.loading():  # the next one may
        inventory.add(Site(name="nue"))
    assert named(reread(inventory).get_all("site")) == ["nue"]
