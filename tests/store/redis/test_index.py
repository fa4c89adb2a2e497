"""Reading the index of a store in Redis."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from unittest.mock import patch

import pytest

from diffsync_store import Adapter, DiffSyncModel, StoreReloaded
from diffsync_store.diffing import pruning
from diffsync_store.diffing.differing import differing
from diffsync_store.store.index.local_index import LocalIndex
from diffsync_store.store.index.store_index import StoreIndex
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

OBJECTS = 3000
CHANGED = {"n7", "n1500", "n2999"}


class Leaf(DiffSyncModel):
    _modelname = "leaf"
    _identifiers = ("name",)
    _attributes = ("size",)
    name: str
    size: int = 0


class Leaves(Adapter):
    leaf = Leaf
    top_level = ["leaf"]


Load = Callable[..., RedisStore]


@pytest.fixture
def load() -> Iterator[Load]:
    """Loads a store of many objects on a server; it is dropped after the test."""
    with ExitStack() as opened:

        def make(server: RedisServer, changed: int = 0, objects: int = OBJECTS) -> RedisStore:
            store = opened.enter_context(closing(RedisStore(url=server.url, store_id=f"test-{uuid.uuid4().hex}")))
            opened.callback(store.drop)
            fill(store, changed, objects)
            return store

        yield make


def fill(store: RedisStore, changed: int = 0, objects: int = OBJECTS) -> None:
    adapter = Leaves(internal_storage_engine=store)
    with store.loading():
        for number in range(objects):
            name = f"n{number}"
            adapter.add(Leaf(name=name, size=changed if name in CHANGED else 0))


def index_of(store: RedisStore) -> StoreIndex:
    found = store.index()
    assert found is not None
    return found


def test_two_stores_of_one_server_are_compared_inside_it(redis_server: RedisServer, load: Load) -> None:
    source, target = index_of(load(redis_server)), index_of(load(redis_server, 1))
    found = source.differing(target, "leaf")
    assert found is not None
    assert {uid for uid, *_ in found} == CHANGED


def test_stores_of_two_servers_send_only_parts_of_their_indexes(
    redis_server: RedisServer, own_redis: RedisServer, load: Load
) -> None:
    source, target = load(redis_server), load(own_redis, 1)
    assert index_of(source).differing(index_of(target), "leaf") is None
    with closing(own_redis.client()) as client:
        before = client.info("stats")["total_net_output_bytes"]
        found = {uid for uid, *_ in differing(index_of(source), index_of(target), "leaf")}
        sent = client.info("stats")["total_net_output_bytes"] - before
    assert found == CHANGED
    assert sent < 20 * OBJECTS
    diff = Leaves(internal_storage_engine=target).diff_from(Leaves(internal_storage_engine=source))
    assert diff.summary() == {"create": 0, "update": 3, "delete": 0, "no-change": OBJECTS - 3, "skip": 0}


@pytest.mark.parametrize("objects", [0, 1, 40])
def test_stores_of_very_different_sizes_are_compared(redis_server: RedisServer, load: Load, objects: int) -> None:
    source, target = load(redis_server), load(redis_server, 1, objects)
    diff = Leaves(internal_storage_engine=target).diff_from(Leaves(internal_storage_engine=source))
    changed = len({"n7"} if objects > 7 else ())
    expected = {"create": OBJECTS - objects, "update": changed, "delete": 0, "no-change": objects - changed, "skip": 0}
    assert diff.summary() == expected


def test_the_index_of_an_earlier_load_is_refused(redis_server: RedisServer, load: Load) -> None:
    source, target = load(redis_server), load(redis_server, 1)
    before, other = index_of(source), index_of(target)
    fill(source)
    with pytest.raises(StoreReloaded):
        before.flags("leaf", ["n7"])
    with pytest.raises(StoreReloaded):
        list(before.differing(other, "leaf") or ())
    with pytest.raises(StoreReloaded):
        list(before.entries("leaf", 0, [(0, "*")]))


def test_threads_share_an_index(redis_server: RedisServer, load: Load) -> None:
    index = index_of(load(redis_server))
    level = index.totals["leaf"].level

    def read(bucket: int) -> list[tuple[str, bytes]]:
        return list(index.entries("leaf", level, [(bucket, "*")]))

    with ThreadPoolExecutor(4) as pool:
        found = dict(entry for entries in pool.map(read, range(1 << level)) for entry in entries)
    assert len(found) == OBJECTS


def test_threads_share_the_index_of_objects_in_memory() -> None:
    index = LocalIndex({"leaf": {f"n{number}": Leaf(name=f"n{number}") for number in range(OBJECTS)}})
    level = index.totals["leaf"].level
    with ThreadPoolExecutor(4) as pool:
        sums = set(pool.map(lambda _: index.sums("leaf", level - 2, [0], 1 << (level - 2)), range(20)))
    assert len(sums) == 1


def test_too_many_differences_are_compared_without_the_index(redis_server: RedisServer, load: Load) -> None:
    source, target = load(redis_server), load(redis_server, 1)
    sides = [Leaves(internal_storage_engine=store) for store in (source, target)]
    with patch.object(pruning, "_MAX_DIFFERING", 2):
        assert pruning.pruner_for(sides[0], sides[1], ["leaf"]) is None
        assert sides[1].diff_from(sides[0]).summary()["update"] == len(CHANGED)
    assert pruning.pruner_for(sides[0], sides[1], ["leaf"]) is not None


@pytest.mark.parametrize("is_source", [True, False])
def test_too_many_touched_objects_are_compared_without_the_index(
    redis_server: RedisServer, load: Load, is_source: bool
) -> None:
    stores = [load(redis_server, objects=20), load(redis_server, objects=20)]
    sides = [Leaves(internal_storage_engine=store) for store in stores]
    changed = sides[0] if is_source else sides[1]
    for number in range(5):
        changed.get(Leaf, f"n{number}").size = 1
    changed.store.flush()
    with patch.object(pruning, "_MAX_DIFFERING", 4):
        assert pruning.pruner_for(sides[0], sides[1], ["leaf"]) is None
        assert sides[1].diff_from(sides[0]).summary()["update"] == 5
    with patch.object(pruning, "_MAX_DIFFERING", 5):
        assert pruning.pruner_for(sides[0], sides[1], ["leaf"]) is not None
        assert sides[1].diff_from(sides[0]).summary()["update"] == 5


def test_a_store_that_has_lost_objects_is_not_compared_by_its_index(redis_server: RedisServer, load: Load) -> None:
    source, target = load(redis_server, objects=20), load(redis_server, objects=20)
    with closing(redis_server.client()) as client:
        client.delete(target._keys.objects("leaf"))
    assert target.index() is None
    diff = Leaves(internal_storage_engine=target).diff_from(Leaves(internal_storage_engine=source))
    assert diff.summary()["create"] == 20
