"""Comparing stores without the code that has filled them."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from diffsync_store import Adapter, Diff, DiffSyncModel, DiffSyncModelFlags, StoredAdapter, StoreNotFound
from diffsync_store.store.redis import RedisStore
from tests.store.child import run
from tests.store.conftest import NewStore, OpenStore
from tests.store.inventory import Device, Inventory, Site, content, open_store


class Link(DiffSyncModel):
    """Says other things of itself than its fields do."""

    _modelname = "link"
    _identifiers = ("a", "b")
    _attributes = ("speed", "comment")

    a: str
    b: str
    speed: int = 0
    comment: str = ""

    def get_attrs(self) -> dict[str, Any]:
        return {"speed": f"{self.speed}G", "long": len(self.comment) > 3}


class Cable(DiffSyncModel):
    """The two ends may be given either way round."""

    _modelname = "cable"
    _identifiers = ("a", "b")
    _attributes = ("speed",)

    a: str
    b: str
    speed: int = 0

    def get_identifiers(self) -> dict[str, Any]:
        first, second = sorted((self.a, self.b))
        return {"a": first, "b": second}


class Vlan(DiffSyncModel):
    _modelname = "vlan"
    _identifiers = ("site", "number")
    _attributes = ("title",)

    site: str
    number: int
    title: str = ""

    @classmethod
    def create_unique_id(cls, **identifiers: Any) -> str:
        return f"{identifiers['site']}/{identifiers['number']:04}"

    def get_shortname(self) -> str:
        return f"VLAN {self.number}"


class Rack(DiffSyncModel):
    _modelname = "rack"
    _identifiers = ("name",)
    _attributes = ("height",)
    _children = {"vlan": "vlans"}

    name: str
    height: int = 42
    vlans: list[str] = []

    def get_unique_id(self) -> str:
        return self.name.upper()


class Kind(enum.Enum):
    COPPER = "copper"
    FIBRE = "fibre"


class Place(pydantic.BaseModel):
    row: int
    seen: dt.datetime
    tags: set[str] = set()


class Port(DiffSyncModel):
    """Has values that JSON does not know, or may write in several ways."""

    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("kind", "since", "price", "groups", "address", "key", "place", "speed", "notes", "length", "day")

    name: str
    kind: Kind = Kind.COPPER
    since: dt.datetime = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    price: decimal.Decimal = decimal.Decimal("1.5")
    groups: set[str] = set()
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    key: uuid.UUID | None = None
    place: Place | None = None
    speed: float = 1.0
    notes: dict[str, Any] = {}
    length: dt.timedelta = dt.timedelta(seconds=1)
    day: dt.date = dt.date(2024, 1, 1)


class Everything(Adapter):
    type = "everything"
    link = Link
    cable = Cable
    rack = Rack
    vlan = Vlan
    port = Port
    site = Site
    device = Device
    top_level = ["link", "rack", "cable", "port", "site"]


PLACE = {"row": 1, "seen": "2024-01-01T12:00:00Z", "tags": ["a", "b"]}


def fill_source(adapter: Everything) -> None:
    adapter.add(Link(a="x", b="y", speed=10, comment="long enough"))
    adapter.add(Link(a="x", b="z", speed=10, comment="no"))
    adapter.add(Cable(a="y", b="x", speed=1))
    adapter.add(Cable(a="y", b="z", speed=2))
    rack, vlan = Rack(name="r1"), Vlan(site="ber", number=7, title="new")
    adapter.add(rack)
    adapter.add(vlan)
    rack.add_child(vlan)
    adapter.add(Rack(name="r2"))
    adapter.add(
        Port(
            name="same",
            since=dt.datetime(2024, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            price=decimal.Decimal("1.50"),
            groups={"a", "b", "c"},
            address=ipaddress.ip_address("10.0.0.1"),
            key=uuid.UUID(int=1),
            place=Place.model_validate(PLACE),
            speed=float("inf"),
            notes={"deep": [1, {"x": None}]},
        )
    )
    adapter.add(Port(name="other", kind=Kind.FIBRE, groups={"x"}, place=Place.model_validate(PLACE | {"row": 2})))
    site, device = Site(name="ber", tags=["a"], facts={"b": 1, "a": 2}), Device(name="ber-1")
    adapter.add(site)
    adapter.add(device)
    site.add_child(device)
    adapter.add(Site(name="ignored", model_flags=DiffSyncModelFlags.IGNORE))


def fill_target(adapter: Everything) -> None:
    adapter.add(Link(a="x", b="y", speed=10, comment="long enough too"))
    adapter.add(Link(a="x", b="z", speed=40, comment="no"))
    adapter.add(Link(a="x", b="old"))
    adapter.add(Cable(a="x", b="y", speed=1))
    adapter.add(Cable(a="z", b="y", speed=3))
    rack, vlan = Rack(name="R1"), Vlan(site="ber", number=7, title="old")
    other = Vlan(site="ber", number=8)
    adapter.add(Rack(name="r2", height=12))
    for obj in (vlan, other):
        adapter.add(obj)
        rack.add_child(obj)
    rack.name = "r1"
    adapter.add(rack)
    adapter.add(
        Port(
            name="same",
            since=dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC),
            price=decimal.Decimal("1.5"),
            groups={"c", "b", "a"},
            address=ipaddress.ip_address("10.0.0.1"),
            key=uuid.UUID(int=1),
            place=Place.model_validate(PLACE | {"tags": ["b", "a"]}),
            speed=float("inf"),
            notes={"deep": [1, {"x": None}]},
        )
    )
    adapter.add(Port(name="other", groups={"y"}, place=Place.model_validate(PLACE)))
    adapter.add(Site(name="ber", tags=["b"], facts={"a": 2, "b": 1}))
    adapter.add(Site(name="gone", model_flags=DiffSyncModelFlags.SKIP_UNMATCHED_DST))


def actions(diff: Diff) -> list[tuple[Any, ...]]:
    """What is to be done, without the values, which are JSON's where no class is at hand."""

    def walk(elements: Any, above: tuple[str, ...]) -> Any:
        for element in elements:
            if element.has_diffs():
                changed = element.get_attrs_diffs()
                names = {sign: sorted(values) for sign, values in changed.items()}
                yield above, element.type, element.name, element.action, element.keys, names, element.uid
                yield from walk(element.get_children(), (*above, element.name))

    return list(walk(diff.get_children(), ()))


@pytest.fixture
def pair(new_store: NewStore) -> tuple[Everything, Everything]:
    """Source and target, loaded."""
    source = Everything("S", internal_storage_engine=new_store())
    target = Everything("T", internal_storage_engine=new_store())
    for adapter, fill in ((source, fill_source), (target, fill_target)):
        with adapter.store.loading():
            fill(adapter)
    return source, target


def test_a_diff_without_code_is_the_diff_with_it(pair: tuple[Everything, Everything]) -> None:
    source, target = pair
    expected = target.diff_from(source)
    diff = StoredAdapter(target.store, "T").diff_from(StoredAdapter(source.store, "S"))
    assert actions(diff) == actions(expected)
    assert diff.summary() == expected.summary()
    assert {element[2] for element in actions(diff)} >= {"x__z", "y__z", "R1", "VLAN 7", "VLAN 8", "other", "ber"}
    assert "same" not in {element[2] for element in actions(diff)}


def test_a_diff_of_stores_in_redis_is_the_diff_of_local_ones(redis_url: str, open_redis: OpenStore) -> None:
    source, target = Everything("S"), Everything("T")
    fill_source(source)
    fill_target(target)
    expected = target.diff_from(source)
    with RedisStore(url=redis_url) as one, open_redis() as two:
        fill_source(Everything("S", internal_storage_engine=one))
        fill_target(Everything("T", internal_storage_engine=two))
        one.flush()
        two.flush()
        diff = StoredAdapter(two, "T").diff_from(StoredAdapter(one, "S"))
        assert actions(diff) == actions(expected)
        assert diff.summary() == expected.summary()
        one.drop()


def fill(url: str, store_id: str, side: str) -> None:
    store = open_store(url, store_id, name=side)
    with store.loading():
        {"S": fill_source, "T": fill_target}[side](Everything(internal_storage_engine=store))


def diff_as_actions(url: str, source_id: str, target_id: str) -> list[Any]:
    """Run where nobody has imported the adapter's classes into the stores."""
    with open_store(url, source_id) as one, open_store(url, target_id) as two:
        diff = StoredAdapter(two).diff_from(StoredAdapter(one))
        names = {element.source_name + element.dest_name for element in diff.get_children()}
    return [actions(diff), diff.summary(), sorted(names)]


@pytest.mark.slow
def test_three_processes_load_load_and_compare(redis_url: str, store_id: str) -> None:
    ids = {side: f"{store_id}-{side}" for side in ("S", "T")}
    for side, side_id in ids.items():
        run(fill, url=redis_url, store_id=side_id, side=side)
    found, summary, names = run(diff_as_actions, url=redis_url, source_id=ids["S"], target_id=ids["T"])
    source, target = Everything("S"), Everything("T")
    fill_source(source)
    fill_target(target)
    expected = target.diff_from(source)
    assert [tuple(element[1:]) for element in found] == [element[1:] for element in actions(expected)]
    assert summary == expected.summary()
    assert names == ["ST"]
    for side_id in ids.values():
        open_store(redis_url, side_id).drop()


def test_a_stored_adapter_has_the_names_and_the_tree_of_the_adapter_that_filled_it(open_redis: OpenStore) -> None:
    store = open_redis(name="inventory")
    with store.loading():
        fill_source(Everything(internal_storage_engine=store))
    adapter = StoredAdapter(open_redis())
    assert (adapter.name, adapter.type) == ("inventory", "everything")
    assert adapter.top_level == Everything.top_level
    assert str(adapter) == 'everything "inventory"'
    assert adapter.get("vlan", "ber/0007").get_shortname() == "VLAN 7"
    assert adapter.get("link", "x__y").get_attrs() == {"speed": "10G", "long": True}
    assert adapter.get("rack", "R1").get_children_mapping() == {"vlan": "vlans"}
    assert [site.name for site in adapter.get_all("site")] == ["ber", "ignored"]
    assert adapter.count("port") == 2


def test_a_stored_adapter_may_be_compared_with_the_adapter_itself(pair: tuple[Everything, Everything]) -> None:
    source, target = pair
    expected = target.diff_from(source)
    assert actions(target.diff_from(StoredAdapter(source.store, "S"))) == actions(expected)
    assert actions(StoredAdapter(target.store, "T").diff_from(source)) == actions(expected)


def test_a_stored_adapter_that_is_synced_brings_its_store_along(open_redis: OpenStore, redis_url: str) -> None:
    one, two = RedisStore(url=redis_url), open_redis()
    source, target = Inventory(internal_storage_engine=one), Inventory(internal_storage_engine=two)
    for adapter, region in ((source, "new"), (target, "old")):
        with adapter.store.loading():
            site, device = Site(name="ber", region=region), Device(name=f"{region}-1")
            adapter.add(site)
            adapter.add(device)
            site.add_child(device)
    stored = StoredAdapter(open_redis())
    stored.sync_from(StoredAdapter(one))
    assert not stored.diff_from(StoredAdapter(one)).has_diffs()
    assert content(Inventory(internal_storage_engine=open_redis())) == content(source)
    one.drop()


def test_an_unknown_store_is_not_found(redis_url: str, store_id: str) -> None:
    store = RedisStore(url=redis_url, store_id=store_id)
    with store, pytest.raises(StoreNotFound, match=f"There is no store '{store_id}'"):
        StoredAdapter(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda adapter: adapter.get(Link, "x__y"),
        lambda adapter: adapter.get(Port, "same"),
        lambda adapter: adapter.get(Rack, "R1"),
    ],
    ids=["get_attrs", "ambiguous", "get_unique_id"],
)
def test_reading_without_code_and_with_it_again_changes_nothing(
    open_redis: OpenStore, change: Callable[[Everything], DiffSyncModel]
) -> None:
    adapter = Everything(internal_storage_engine=open_redis())
    fill_source(adapter)
    before = change(adapter).model_dump()
    adapter.store.close()
    stored = StoredAdapter(open_redis())
    for model in ("link", "port", "rack"):
        assert stored.get_all(model)
    stored.store.close()
    assert change(Everything(internal_storage_engine=open_redis())).model_dump() == before


def test_an_object_changed_without_code_keeps_the_rest_of_what_it_has(open_redis: OpenStore) -> None:
    adapter = Everything(internal_storage_engine=open_redis())
    fill_source(adapter)
    adapter.store.close()
    stored = StoredAdapter(open_redis())
    stored.get("port", "same").notes["late"] = True
    stored.store.close()
    port = Everything(internal_storage_engine=open_redis()).get(Port, "same")
    assert port.notes == {"deep": [1, {"x": None}], "late": True}
    assert port.groups == {"a", "b", "c"}
    assert port.place is not None
    assert port.place.row == 1
