"""Model and adapter classes that programs build step by step, at run time, or with their own methods."""

from __future__ import annotations

import copy
import gc
import inspect
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Generic, TypeVar
from unittest import mock

import pydantic
import pytest
from typing_extensions import TypedDict

from tests.behaviour.api import (
    IS_REFERENCE,
    Adapter,
    BaseStore,
    Diff,
    DiffElement,
    DiffSyncModel,
    DiffSyncModelFlags,
    LocalStore,
)
from tests.behaviour.inventory import Adapters

V = TypeVar("V")


class Vlan(DiffSyncModel):
    _modelname = "vlan"
    _identifiers: ClassVar[tuple[str, ...]] = ("site", "number")
    _attributes: ClassVar[tuple[str, ...]] = ("name",)
    site: str
    number: int
    name: str = ""


class Network(Adapter):
    vlan = Vlan
    top_level = ["vlan"]


# Declarations after the definition of the class


@pytest.mark.parametrize("kind", [tuple, list])
def test_a_class_may_be_declared_after_its_definition(adapters: Adapters, kind: type[Any]) -> None:
    made: Any = pydantic.create_model("Made", __base__=DiffSyncModel, name=(str, ...), role=(str, "leaf"))
    made(name="a").get_attrs()  # the earlier declaration is not cached
    made._modelname, made._identifiers, made._attributes = "made", kind(["name"]), kind(["role"])
    obj = made(name="a")
    assert (obj.get_type(), obj.get_unique_id(), obj.get_identifiers(), obj.get_attrs()) == (
        "made", "a", {"name": "a"}, {"role": "leaf"},
    )  # fmt: skip
    network: type[Adapter] = type("Net", (Adapter,), {"made": made, "top_level": ["made"]})
    source, target = adapters.make(network), adapters.make(network)
    source.add(obj)
    target.sync_from(source)
    assert [each.role for each in target.get_all("made")] == ["leaf"]
    assert not target.diff_from(source).has_diffs()


def test_a_redeclared_class_changes_its_subclasses() -> None:
    class Base(DiffSyncModel):
        name: str
        other: str = "x"

    class Below(Base):
        pass

    Base._identifiers = ("name",)
    assert Below(name="a").get_unique_id() == "a"
    Base._identifiers = ("name", "other")
    assert Below(name="a").get_unique_id() == "a__x"
    Below._identifiers = ("other",)
    assert (Base(name="a").get_unique_id(), Below(name="a").get_unique_id()) == ("a__x", "x")


def test_a_subclass_that_overrides_init_subclass_has_its_declared_roles() -> None:
    class OwnSetUp(Vlan):
        @classmethod
        def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
            """Does not call the base."""

    class Below(OwnSetUp):
        _identifiers = ("name",)
        _attributes = ("site",)

    obj = Below(site="s", number=1, name="n")
    assert (obj.get_unique_id(), obj.get_identifiers(), obj.get_attrs()) == ("n", {"name": "n"}, {"site": "s"})


def test_a_class_with_forward_references_works_once_they_are_defined() -> None:
    class Later(DiffSyncModel):
        _modelname = "later"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: Number  # type: ignore[name-defined]  # noqa: F821

    Later.model_rebuild(_types_namespace={"Number": int})
    obj = Later(name="a", value=1)
    assert (obj.get_unique_id(), obj.get_attrs()) == ("a", {"value": 1})


# Identifiers


class Named(DiffSyncModel):
    _modelname = "named"
    _identifiers = ("key",)
    _attributes = ("name",)
    name: str

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def key(self) -> str:
        return f"k-{self.name}"


class Naming(Adapter):
    named = Named
    top_level = ["named"]


def test_an_identifier_may_be_computed(adapters: Adapters) -> None:
    source, target = adapters.make(Naming), adapters.make(Naming)
    source.add(Named(name="a"))
    assert source.get(Named, "k-a").get_identifiers() == {"key": "k-a"}
    assert source.get(Named, {"key": "k-a"}).name == "a"
    assert target.diff_from(source).dict() == {"named": {"k-a": {"+": {"name": "a"}}}}


def test_an_identifier_may_be_a_property_that_get_identifiers_returns() -> None:
    class Declared(DiffSyncModel):
        _modelname = "told"
        _identifiers = ("key",)
        name: str

        @property
        def key(self) -> str:
            return f"k-{self.name}"

        def get_identifiers(self) -> dict[str, Any]:
            return {"key": self.key}

    assert Declared(name="a").get_unique_id() == "k-a"


@pytest.mark.parametrize("role", ["_identifiers", "_attributes", "_shortname"])
def test_a_role_of_a_missing_member_is_refused(role: str) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        type("Bad", (DiffSyncModel,), {"__module__": __name__, role: ("nothing",)})


@pytest.mark.parametrize("role", ["_attributes", "_shortname"])
def test_only_an_identifier_may_be_a_property(role: str) -> None:
    with pytest.raises(AttributeError, match="key"):
        type("Bad", (DiffSyncModel,), {"__module__": __name__, "key": property(repr), role: ("key",)})


# Kinds of class


def test_a_model_may_be_generic() -> None:
    class Box(DiffSyncModel, Generic[V]):
        _modelname = "box"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: V

    box: Any = Box[int](name="a", value=3)
    assert (box.get_type(), box.get_unique_id(), box.get_attrs()) == ("box", "a", {"value": 3})
    with pytest.raises(pydantic.ValidationError):
        Box[int](name="a", value="x")  # type: ignore[arg-type]


class Tag(TypedDict):
    name: str


def test_attributes_may_be_annotated_and_typed_dicts() -> None:
    class Tagged(Vlan):
        _attributes = ("name", "tags", "vid")
        tags: Annotated[list[Tag], "many"] = []
        vid: Annotated[int | None, "custom"] = None

    tagged = Tagged(site="s", number=1, tags=[{"name": "t"}])
    assert tagged.get_attrs() == {"name": "", "tags": [{"name": "t"}], "vid": None}
    assert typing.get_type_hints(Tagged, include_extras=True)["vid"] == Annotated[int | None, "custom"]


class Redeclared(Vlan):
    adapter: Any = None
    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.SKIP_UNMATCHED_DST


class RedeclaredNetwork(Adapter):
    vlan = Redeclared
    top_level = ["vlan"]


def test_a_class_may_declare_the_base_fields_again(adapters: Adapters) -> None:
    source, target = adapters.make(RedeclaredNetwork), adapters.make(RedeclaredNetwork)
    source.add(Redeclared(site="s", number=1, model_flags=DiffSyncModelFlags.NONE))
    target.sync_from(source)
    found = target.get(Redeclared, "s__1")
    assert found.adapter is target
    assert "adapter" not in found.dict()
    assert "adapter" not in found.json()
    assert target.dict() == {"vlan": {"s__1": {"site": "s", "number": 1}}}


# Patched methods


@contextmanager
def patched(where: Any, name: str, value: Any) -> Iterator[None]:
    with mock.patch.object(where, name, value):
        yield


@pytest.mark.parametrize("where", [Vlan, DiffSyncModel])
def test_patched_methods_are_used_until_the_patch_ends(where: type[DiffSyncModel]) -> None:
    vlan = Vlan(site="s", number=1, name="n")
    assert (vlan.get_unique_id(), vlan.get_attrs()) == ("s__1", {"name": "n"})
    with patched(where, "dict", lambda *_, **__: {"site": "mock", "number": 0, "name": "mock"}):
        assert vlan.get_attrs() == {"site": "mock", "number": 0, "name": "mock"}
        assert vlan.get_unique_id() == "mock__0"
    with patched(where, "get_identifiers", lambda *_: {"site": "m", "number": 2}):
        assert vlan.get_unique_id() == "m__2"
        assert (str(vlan), repr(vlan), vlan.get_shortname()) == ("m__2", 'vlan "m__2"', "m__2")
    with patched(where, "create_unique_id", classmethod(lambda *_, **identifiers: f"<{identifiers}>")):
        assert vlan.get_unique_id() == "<{'site': 's', 'number': 1}>"
    with patched(where, "get_attrs", lambda *_: {"name": "mock"}):
        assert vlan.str() == "vlan: s__1: {'name': 'mock'}"
    assert (vlan.get_unique_id(), vlan.get_attrs()) == ("s__1", {"name": "n"})


def test_a_diff_uses_patched_methods(adapters: Adapters) -> None:
    source, target = adapters.make(Network), adapters.make(Network)
    for network, name in ((source, "new"), (target, "old")):
        network.add(Vlan(site="s", number=1, name=name))
    assert target.diff_from(source).has_diffs()
    with patched(Vlan, "get_attrs", lambda *_: {"name": "same"}):
        assert not target.diff_from(source).has_diffs()
    assert target.diff_from(source).has_diffs()


# Adapters


class Typed(Adapter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.type = "LibreNMS"  # type: ignore[misc]
        super().__init__(*args, **kwargs)


def test_an_adapter_may_set_its_type_before_the_base_does() -> None:
    assert (Typed().type, Typed().name, str(Typed())) == ("LibreNMS", "LibreNMS", "LibreNMS")
    assert str(Typed("one")) == 'LibreNMS "one"'


def test_an_adapter_class_has_its_declared_type() -> None:
    class Said(Adapter):
        type = "said"

    class Below(Said):
        pass

    assert (Adapter.type, Network.type, Said.type, Below.type) == (None, None, "said", "said")
    assert (Adapter().type, Network().type, Said().type, Below().type) == ("Adapter", "Network", "said", "said")


# Type hints


DESCRIBED: list[type[Any]] = [DiffSyncModel, Adapter, Diff, DiffElement, Vlan, Network]


@pytest.mark.parametrize("described", DESCRIBED if IS_REFERENCE else [*DESCRIBED, BaseStore, LocalStore])
def test_type_hints_resolve(described: type[Any]) -> None:
    assert typing.get_type_hints(described) is not None
    for name, member in inspect.getmembers(described):
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function) and function.__module__.startswith("diffsync"):
            assert typing.get_type_hints(function) is not None, name


def test_fields_are_among_the_type_hints() -> None:
    hints = typing.get_type_hints(Vlan)
    assert (hints["site"], hints["number"], hints["model_flags"]) == (str, int, DiffSyncModelFlags)


# Names of a program


def test_private_attributes_of_a_program_do_not_conflict_with_the_library(adapters: Adapters) -> None:
    class Private(Vlan):
        _store: str = pydantic.PrivateAttr("shelf")
        _take: int = pydantic.PrivateAttr(1)
        _plain: list[int] = pydantic.PrivateAttr(default_factory=list)

        def _copy(self) -> str:
            return self._store

    network = type("PrivateNetwork", (Adapter,), {"vlan": Private, "top_level": ["vlan"]})
    source: Any = adapters.make(network)
    target: Any = adapters.make(network)
    source.add(Private(site="s", number=1, name="n"))
    target.sync_from(source)
    found = target.get("vlan", "s__1")
    found.name = "changed"
    assert (found._store, found._take, found._plain, found._copy()) == ("shelf", 1, [], "shelf")
    assert copy.deepcopy(Private(site="s", number=1)).get_unique_id() == "s__1"


def test_the_values_of_an_overridden_dict_are_compared(adapters: Adapters) -> None:
    class Joined(DiffSyncModel):
        _modelname = "joined"
        _identifiers = ("name",)
        _attributes = ("label",)
        name: str
        label: str = ""
        owner: str = ""

        def dict(self, **kwargs: Any) -> Any:
            found = super().dict(**kwargs)
            return found | {"label": f"{self.label} of {self.owner}"} if "label" in found else found

    class Joining(Adapter):
        joined = Joined
        top_level = ["joined"]

    source, target = adapters.make(Joining), adapters.make(Joining)
    source.add(Joined(name="a", label="l", owner="new"))
    target.add(Joined(name="a", label="l", owner="old"))
    assert target.diff_from(source).dict() == {
        "joined": {"a": {"-": {"label": "l of old"}, "+": {"label": "l of new"}}}
    }


@pytest.mark.slow
def test_a_del_method_is_called_even_if_it_is_added_later(adapters: Adapters) -> None:
    ended: list[str] = []

    class Ending(Vlan):
        tags: list[str] = []

        def __del__(self) -> None:
            ended.append(self.name)

    class Below(Ending):
        pass

    network = type("Ends", (Adapter,), {"vlan": Ending, "top_level": ["vlan"]})
    adapter: Any = adapters.make(network)
    adapter.add(Ending(site="s", number=1, name="stored"))
    for model in (Ending, Below):
        model(site="s", number=2, name=model.__name__)
    with patched(Ending, "__del__", lambda obj: ended.append(f"patched {obj.name}")):
        Ending(site="s", number=2, name="a")
        Below(site="s", number=2, name="b")
        adapter.get("vlan", "s__1").tags.append("kept")
        gc.collect()
        assert adapter.get("vlan", "s__1").tags == ["kept"]
    assert [name for name in ended if "stored" not in name] == ["Ending", "Below", "patched a", "patched b"]
