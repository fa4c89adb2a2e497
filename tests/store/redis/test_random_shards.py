"""Objects in random shards, some of which die and are loaded again: the store equals one that was loaded at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags, StoreInUse, StoreState
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.keys import StoreKeys
from tests.servers import RedisServer
from tests.store.redis.stored_index import read_index

MODELS = ["country", "region", "site", "port"]
NAMES = ["a", "b", "c", "d", "ä", ""]


class Country(DiffSyncModel):
    """Is above objects of a model that may be below each other."""

    _modelname = "country"
    _identifiers = ("name",)
    _attributes = ("size",)
    _children = {"region": "regions"}

    name: str
    size: int = 0
    regions: list[str] = []


class Region(DiffSyncModel):
    _modelname = "region"
    _identifiers = ("name",)
    _attributes = ("size",)
    _children = {"region": "regions", "site": "sites"}

    name: str
    size: int = 0
    regions: list[str] = []
    sites: list[str] = []


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("size",)
    _children = {"port": "ports"}

    name: str
    size: int = 0
    ports: list[str] = []


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("size",)

    name: str
    size: int = 0


class World(Adapter):
    country = Country
    region = Region
    site = Site
    port = Port
    top_level = ["country", "region"]


@dataclass(frozen=True)
class Placed:
    """An object and its shard."""

    model: str
    name: str
    size: int
    ignored: bool
    children: tuple[tuple[str, ...], ...]
    shard: int

    def build(self) -> DiffSyncModel:
        fields: dict[str, Any] = {"name": self.name, "size": self.size}
        kind: Any = getattr(World, self.model)
        for field, names in zip(kind._children.values(), self.children, strict=False):
            fields[field] = list(names)
        obj: DiffSyncModel = kind(**fields)
        if self.ignored:
            obj.model_flags = DiffSyncModelFlags.IGNORE
        return obj


@st.composite
def worlds(draw: st.DrawFn) -> list[Placed]:
    """Regions below regions, but not below themselves; children that do not exist; children in other shards."""
    found = {}
    for model in MODELS:
        for number, name in enumerate(NAMES):
            if draw(st.integers(0, 3)):
                children: tuple[tuple[str, ...], ...] = ()
                if model == "country":
                    children = (tuple(draw(st.lists(st.sampled_from([*NAMES, "gone"]), max_size=2))),)
                elif model == "region":
                    below = st.lists(st.sampled_from(NAMES[number + 1 :] or ["gone"]), max_size=2)
                    children = (
                        tuple(draw(below)),
                        tuple(draw(st.lists(st.sampled_from([*NAMES, "gone"]), max_size=3))),
                    )
                elif model == "site":
                    children = (tuple(draw(st.lists(st.sampled_from([*NAMES, "gone"]), max_size=3))),)
                found[model, name] = Placed(
                    model,
                    name,
                    draw(st.integers(0, 1)),
                    draw(st.integers(0, 5)) == 0,
                    children,
                    draw(st.integers(0, 2)),
                )
    return draw(st.permutations(list(found.values())))


@pytest.fixture
def stores(redis_server: RedisServer) -> Iterator[Any]:
    with closing(redis_server.client()) as client:
        yield Stores(redis_server.url, client)
        for store_id in ("whole", "parts", "other"):
            with RedisStore(store_id=store_id, url=redis_server.url) as store:
                store.drop()


class Stores:
    """Opens stores of one server."""

    def __init__(self, url: str, client: Any) -> None:
        self.url = url
        self.client = client

    def open(self, store_id: str) -> RedisStore:
        return RedisStore(store_id=store_id, url=self.url)

    def indexes(self, store_id: str) -> dict[str, Any]:
        return {model: read_index(self.client, store_id, model) for model in MODELS}

    def forget(self, number: int) -> None:
        """End the claim on a shard, as time does after its process has died."""
        self.client.hset(StoreKeys("parts").record, f"until:{number}", 0)


OF = ("zero", "one", "two")


def load_shard(stores: Stores, number: int, objects: list[Placed]) -> None:
    with stores.open("parts") as store:
        adapter = World(internal_storage_engine=store)
        with store.loading(shard=OF[number], of=OF):
            for each in objects:
                adapter.add(each.build())


def die(stores: Stores, number: int, objects: list[Placed]) -> RedisStore:
    """Load some objects and then nothing more; return the store of the process, which may only be paused."""
    store = stores.open("parts")
    adapter = World(internal_storage_engine=store)
    leave = store._begin_shard(OF[number], store._plan(OF[number], OF, ""), store._load_report)
    for each in objects:
        adapter.add(each.build())
    store.flush()
    assert store._shard is not None
    store._shard.stop()
    stores.forget(number)
    assert callable(leave)
    return store


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    worlds(),
    worlds(),
    st.permutations([0, 1, 2]),
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=3),
)
def test_shards_equal_a_whole_load(
    stores: Stores,
    world: list[Placed],
    earlier: list[Placed],
    order: list[int],
    deaths: list[tuple[int, bool]],
) -> None:
    """Few objects at once are sent ahead, in transactions; many are written when a shard ends, by a script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_store, "_BATCH", 2 if len(world) % 2 else 1000)
        require_equal(stores, world, earlier, order, deaths)


def require_equal(
    stores: Stores, world: list[Placed], earlier: list[Placed], order: list[int], deaths: list[tuple[int, bool]]
) -> None:
    in_order = [each for number in range(3) for each in world if each.shard == number]
    with stores.open("whole") as whole, whole.loading(shard="all", of=("all",)):
        for each in in_order:
            whole.add(obj=each.build())
    with stores.open("whole") as whole:
        whole.seal()
    paused = []
    for number, is_ended in deaths:
        objects = [each for each in earlier if each.shard == number]
        if is_ended:
            with suppress(StoreInUse):
                load_shard(stores, number, objects)
        else:
            paused.append(die(stores, number, objects))
    for number in order:
        load_shard(stores, number, [each for each in world if each.shard == number])
    for store in paused:
        with store:
            with pytest.raises(StoreInUse):  # noqa: PT012  # the add, if its claim has ended meanwhile
                store.add(obj=Port(name="late"))
                store.flush()
            store._discard_all()
    with stores.open("parts") as parts, stores.open("whole") as whole:
        record = parts.seal()
        assert record.state is StoreState.COMPLETE
        assert record.counts == whole.record().counts
        assert record.undigested == whole.record().undigested == ""
        for model in MODELS:
            assert list(parts.uids(model)) == list(whole.uids(model))
        assert stores.indexes("parts") == stores.indexes("whole")
        assert parts.seal() == record
        compare(stores, parts, whole, earlier)
        parts.drop()


def compare(stores: Stores, parts: RedisStore, whole: RedisStore, others: list[Placed]) -> None:
    with stores.open("other") as other:
        with other.loading():
            for each in others:
                other.add(obj=each.build())
        target = World(internal_storage_engine=other)
        differences = [
            target.diff_from(World(internal_storage_engine=source)).dict() if can_compare(source, other) else None
            for source in (parts, whole)
        ]
        assert differences[0] == differences[1]


def can_compare(source: RedisStore, target: RedisStore) -> bool:
    """Whether no object lists a child that is not stored, which a diff refuses."""
    for store in (source, target):
        adapter = World(internal_storage_engine=store)
        for kind in (Country, Region, Site):
            for obj in adapter.iter_all(kind):
                for model, field in kind._children.items():
                    if store.fetch(model, getattr(obj, field)).keys() != set(getattr(obj, field)):
                        return False
    return True


def test_shards_of_unlike_sizes_equal_a_whole_load(stores: Stores) -> None:
    """The buckets of the shards are finer or coarser than those of the store."""
    sizes = {0: 3000, 1: 40, 2: 500}
    world = [
        Placed("port", f"{shard}-{number}", 0, number % 50 == 0, (), shard)
        for shard, size in sizes.items()
        for number in range(size)
    ]
    world += [
        Placed("site", f"{number}", 0, False, ((f"0-{number}", f"1-{number}", f"2-{number}"),), 2)
        for number in range(300)
    ]
    in_order = [each for number in range(3) for each in world if each.shard == number]
    with stores.open("whole") as whole:
        with whole.loading(shard="all", of=("all",)):
            for each in in_order:
                whole.add(obj=each.build())
        whole.seal()
        for number in range(3):
            load_shard(stores, number, [each for each in world if each.shard == number])
        with stores.open("parts") as parts:
            assert parts.seal().state is StoreState.COMPLETE
            found, expected = stores.indexes("parts"), stores.indexes("whole")
            assert found == expected
            assert found["port"].level == 6
            parts.drop()


def test_more_objects_than_a_node_can_count_are_sealed_without_an_index(stores: Stores) -> None:
    """Each region lists both of the next level, in another shard."""
    levels = 34
    for number in range(3):
        with stores.open("parts") as store, store.loading(shard=OF[number], of=OF):
            for level in range(number, levels, 3):
                below = [f"{level + 1}a", f"{level + 1}b"] if level + 1 < levels else []
                for side in "ab":
                    store.add(obj=Region(name=f"{level}{side}", regions=below))
    with stores.open("parts") as parts:
        record = parts.seal()
        assert record.state is StoreState.COMPLETE
        assert record.counts == {"region": 2 * levels}
        assert record.undigested.startswith("more than 4,294,967,295 objects are below region")
