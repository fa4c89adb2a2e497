"""Readers get what was loaded, with the same classes; a value that cannot be stored is refused during the load."""

import dataclasses
import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, ClassVar

import pydantic
import pytest
from typing_extensions import TypedDict

from diffsync_store import (
    Adapter,
    BaseStore,
    Diff,
    DiffException,
    DiffSyncModel,
    LocalStore,
    ObjectNotStorable,
    ObjectStoreException,
    StoredAdapter,
    StoreState,
)
from diffsync_store.diffs import RedisDiffs
from tests.servers import RedisServer
from tests.store.conftest import NewStore, OpenStore, keys_of


class Link(DiffSyncModel):
    """Its validators change what they get."""

    _modelname = "link"
    _identifiers = ("name",)
    _attributes = ("mtu", "owners")
    name: str
    mtu: Annotated[int, pydantic.AfterValidator(lambda payload: payload + 18)]
    owners: list[str] = []
    _key: str = pydantic.PrivateAttr("")

    def model_post_init(self, _: Any) -> None:
        self.owners.append("noc")
        self._key = f"{self.name}/{self.mtu}"


class Box(DiffSyncModel):
    _modelname = "box"
    _identifiers = ("name",)
    _attributes: ClassVar[tuple[str, ...]] = ("note",)
    _children: ClassVar[dict[str, str]] = {}
    name: str
    note: str = ""


class Router(Box):
    _attributes = ("note", "asn")
    asn: int


class Switch(Box):
    _attributes = ("note", "vlans")
    _children = {"link": "links"}
    vlans: set[int]
    links: list[Link] = []
    """Holds unique ids."""


class Anything(DiffSyncModel):
    _modelname = "anything"
    _identifiers = ("name",)
    _attributes = ("value",)
    name: str
    value: Any = None


class Net(Adapter):
    box, link, anything = Box, Link, Anything
    top_level: ClassVar[list[str]] = ["box", "anything"]


def test_no_validator_runs_again_when_an_object_is_read(open_redis: OpenStore) -> None:
    net = Net(internal_storage_engine=open_redis())
    net.add(Link(name="a", mtu=1500))
    net.store.close()
    for _ in range(2):
        reader = Net(internal_storage_engine=open_redis())
        link = reader.get(Link, "a")
        assert (link.get_attrs(), link._key) == ({"mtu": 1518, "owners": ["noc"]}, "a/1518")
        link.owners = [*link.owners]
        reader.store.close()


def fill(store: BaseStore, asn: int, vlans: set[int]) -> Net:
    net = Net(internal_storage_engine=store)
    with store.loading():
        switch, link = Switch(name="s", vlans=vlans), Link(name="l", mtu=asn)
        for box in (Router(name="r", asn=asn), switch, Box(name="b")):
            net.add(box)
        net.add(link)
        switch.add_child(link)
    return net


def told(diff: Diff) -> Any:
    return diff.dict(), diff.summary()


def test_subclasses_of_a_model_are_read_and_compared_as_what_they_are(new_store: NewStore, redis_url: str) -> None:
    sides = [fill(new_store(), asn, vlans) for asn, vlans in ((2, {1, 2}), (1, {1}))]
    local = [fill(LocalStore(), asn, vlans) for asn, vlans in ((2, {1, 2}), (1, {1}))]
    expected = told(local[1].diff_from(local[0]))
    assert expected[1]["update"] == 3
    assert told(sides[1].diff_from(sides[0])) == expected
    stored = [StoredAdapter(side.store) for side in sides]
    assert told(stored[1].diff_from(stored[0])) == expected
    diffs = RedisDiffs(url=redis_url, ttl=60)
    saved = diffs.open(diffs.compare(stored[0], stored[1]))
    assert told(saved.diff()) == expected
    saved.apply(stored[0], sides[1])
    assert not sides[1].diff_from(sides[0]).has_diffs()
    router, switch, box = (sides[1].get("box", name) for name in ("r", "s", "b"))
    assert [type(found) for found in (router, switch, box)] == [Router, Switch, Box]
    assert (router.asn, switch.vlans, switch.links) == (2, {1, 2}, ["l"])
    saved.drop()
    diffs.close()


def test_the_error_of_an_unknown_class_names_it(
    open_redis: OpenStore, redis_server: RedisServer, store_id: str
) -> None:
    fill(open_redis(), 1, {1}).store.close()
    with closing(redis_server.client()) as opened:
        client: Any = opened
        [key] = [key for key in keys_of(client, store_id) if key.endswith("objects:box")]
        client.hset(key, "r", client.hget(key, "r").replace(b":Router", b":Firewall"))
    with pytest.raises(ObjectStoreException, match=r"box 'r' .*test_as_loaded:Firewall, a class that is unknown"):
        Net(internal_storage_engine=open_redis()).get("box", "r")
    assert StoredAdapter(open_redis()).get("box", "r").get_attrs() == {"note": "", "asn": 1}


BAD: dict[str, Callable[[], DiffSyncModel]] = {
    "builtins.object": lambda: Anything(name="a", value=[object()]),
    "asterisks": lambda: Anything(name="a", value={"x": pydantic.SecretStr("x")}),
    "150 levels": lambda: Anything(name="a", value=nested(300)),
    "surrogate": lambda: Anything(name="\ud800"),
    "its annotation does not name": lambda: Anything(name="a", value=Box(name="b")),
}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("why", BAD)
def test_a_value_that_cannot_be_restored_is_a_reject_of_the_load(open_redis: OpenStore, why: str) -> None:
    net = Net(internal_storage_engine=open_redis())
    with net.store.loading():
        net.add(Anything(name="good"))
        with pytest.raises(ObjectNotStorable, match=f"(?s)anything .*{why}"):
            net.add(BAD[why]())
        with net.rejecting("anything", "a"):
            net.add(BAD[why]())
    assert net.store.state is StoreState.PARTIAL
    assert [obj.name for obj in Net(internal_storage_engine=open_redis()).get_all(Anything)] == ["good"]


@pytest.mark.parametrize(
    "value",
    [
        ("t", 1), {1: "x", "1": "y", None: ()}, {"s"}, uuid.UUID(int=1), dt.date(2026, 1, 1), b"\xff", nested(150),
        {"~set": [1]}, decimal.Decimal("1.10"), 1 << 20000, "\ud800", -0.0,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_field_of_any_type_restores_its_value(open_redis: OpenStore, value: Any) -> None:
    net = Net(internal_storage_engine=open_redis())
    net.add(Anything(name="a", value=value))
    net.store.close()
    found = Net(internal_storage_engine=open_redis()).get(Anything, "a").value
    assert found == value
    assert type(found) is type(value)


class Row(TypedDict, total=False):
    number: int


@dataclasses.dataclass
class Point:
    name: str


def test_a_value_of_a_union_with_a_typed_dict_is_restored(open_redis: OpenStore) -> None:
    """A TypedDict refuses `issubclass`."""

    class Mixed(DiffSyncModel):
        _modelname = "mixed"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: tuple[Row | Point | pydantic.HttpUrl, ...] = ()

    mixed = type("Mixes", (Adapter,), {"mixed": Mixed, "top_level": ["mixed"]})
    values: Any = ({"number": 1}, Point("p"), pydantic.HttpUrl("https://example.com/x?y=1"))
    adapter = mixed(internal_storage_engine=open_redis())
    adapter.add(Mixed.model_construct(name="a", value=values))
    adapter.store.close()
    found = mixed(internal_storage_engine=open_redis()).get("mixed", "a")
    assert found.value == values


@pytest.mark.parametrize("value", [{}, {"a": "b"}, {"name": "p"}, Point("p")], ids=str)
def test_a_dict_in_a_union_with_a_class_is_restored(open_redis: OpenStore, value: Any) -> None:
    class Either(DiffSyncModel):
        _modelname = "either"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: dict[str, str] | Point

    either = type("Eithers", (Adapter,), {"either": Either, "top_level": ["either"]})
    adapter = either(internal_storage_engine=open_redis())
    adapter.add(Either(name="a", value=value))
    adapter.store.close()
    found = either(internal_storage_engine=open_redis()).get("either", "a")
    assert type(found.value) is type(value)
    assert found.value == value


class Region(DiffSyncModel):
    _modelname = "region"
    _identifiers = ("name",)
    _attributes = ("size",)
    _children = {"region": "regions"}
    name: str
    size: int = 0
    regions: list[str] = []


class Root(DiffSyncModel):
    _modelname = "root"
    _identifiers = ("name",)
    _children = {"region": "regions"}
    name: str
    regions: list[str] = ["0"]


class World(Adapter):
    root, region = Root, Region
    top_level: ClassVar[list[str]] = ["root"]


def world(store: BaseStore, levels: int, size: int) -> World:
    adapter = World(internal_storage_engine=store)
    with store.loading():
        adapter.add(Root(name="earth"))
        for level in range(levels):
            below = [str(level + 1)] if level + 1 < levels else []
            adapter.add(Region(name=str(level), size=0 if below else size, regions=below))
    return adapter


@pytest.mark.slow
def test_a_tree_of_300_levels_is_compared_saved_and_synced(new_store: NewStore, redis_url: str) -> None:
    source, target = world(new_store(), 300, 1), world(new_store(), 300, 2)
    assert source.str().count("region: ") == 300
    diff = target.diff_from(source)
    assert (diff.summary()["update"], diff.str().count("region: "), diff.size()) == (1, 300, 301)
    diffs = RedisDiffs(url=redis_url, ttl=60)
    saved = diffs.open(diffs.save(diff))
    assert saved.diff().dict() == diff.dict()
    saved.apply(source, target)
    assert not target.diff_from(source).has_diffs()
    target.sync_from(World())
    assert target.count() == 0
    saved.drop()
    diffs.close()


def test_a_tree_that_is_too_deep_is_refused(new_store: NewStore) -> None:
    source, target = world(new_store(), 600, 1), world(new_store(), 600, 2)
    with pytest.raises(DiffException, match="more than 500 levels"):
        target.diff_from(source)


class Note(DiffSyncModel):
    _modelname = "note"
    _identifiers = ("name",)
    _attributes = ("text", "at")
    hidden: int = pydantic.Field(default=1, exclude=True)
    name: str
    text: str = ""
    at: dt.date | None = None


@pytest.mark.parametrize("at", [None, dt.date(2024, 2, 29)])
def test_fields_keep_the_order_of_the_class(open_redis: OpenStore, at: dt.date | None) -> None:
    made = Note(name="a", text="x", at=at)
    with closing(open_redis()) as store:
        store.add(obj=made)
    with closing(open_redis()) as store:
        read = store.get(model=Note, identifier="a")
    assert list(read.__dict__) == list(made.__dict__)
    assert list(read.dict()) == list(made.dict())
    assert repr(read) == repr(made)
