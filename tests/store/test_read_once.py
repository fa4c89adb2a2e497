"""Objects that are equal, with some that differ below them, are read on one side and without their equal children."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, ClassVar
from unittest.mock import patch

import pytest

from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags, StoredAdapter
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer


class Leaf(DiffSyncModel):
    _modelname = "leaf"
    _identifiers = ("name",)
    _attributes = ("size",)
    name: str
    size: int = 0


class Branch(DiffSyncModel):
    _modelname = "branch"
    _identifiers = ("name",)
    _children: ClassVar[dict[str, str]] = {"leaf": "leaves"}
    name: str
    leaves: list[str] = []


class Trunk(DiffSyncModel):
    _modelname = "trunk"
    _identifiers = ("name",)
    _children: ClassVar[dict[str, str]] = {"branch": "branches"}
    name: str
    branches: list[str] = []


class Wood(Adapter):
    trunk, branch, leaf = Trunk, Branch, Leaf
    top_level: ClassVar[list[str]] = ["trunk"]


Load = Callable[..., RedisStore]


@pytest.fixture
def load(redis_url: str) -> Iterator[Load]:
    """Loads a store."""
    made: list[RedisStore] = []

    def load_store(objects: Iterable[DiffSyncModel], url: str = redis_url) -> RedisStore:
        store = RedisStore(url=url, store_id=f"once-{uuid.uuid4().hex}")
        made.append(store)
        adapter = Wood(internal_storage_engine=store)
        with store.loading():
            for obj in objects:
                adapter.add(obj)
        return store

    yield load_store
    for store in made:
        store.drop()
        store.close()


def compared(source: RedisStore, target: RedisStore) -> Any:
    diff = StoredAdapter(target).diff_from(StoredAdapter(source))
    return diff.str(), diff.dict(), diff.summary(), diff.models_processed, diff.unchanged


def require_as_without_index(source: RedisStore, target: RedisStore) -> None:
    for sides in ((source, target), (target, source)):
        found = compared(*sides)
        with patch.object(RedisStore, "index", lambda _: None):
            assert found == compared(*sides)


def branch(leaves: str) -> Branch:
    return Branch(name="b", leaves=list(leaves))


def leaves(names: str, changed: str = "") -> list[Leaf]:
    return [Leaf(name=name, size=int(name in changed)) for name in names]


def test_an_object_that_is_also_listed_on_one_side_only_is_read_with_all_children(load: Load) -> None:
    both, alone = Trunk(name="1", branches=["b"]), Trunk(name="2", branches=["b"])
    source = load([both, alone, branch("xyz"), *leaves("xyz", "x")])
    target = load([both, Trunk(name="2"), branch("xyz"), *leaves("xyz")])
    assert compared(source, target)[2] == {"create": 4, "update": 1, "delete": 0, "no-change": 5, "skip": 0}
    require_as_without_index(source, target)


def test_a_child_that_was_missing_in_the_load_is_counted_where_it_is_found(load: Load) -> None:
    trunk = Trunk(name="1", branches=["b"])
    stores = [load([trunk, branch("xyz"), *leaves("xy", changed)]) for changed in ("", "x")]
    for store in stores:
        Wood(internal_storage_engine=store).add(Leaf(name="z"))
        store.flush()
    assert compared(*stores)[2] == {"create": 0, "update": 1, "delete": 0, "no-change": 4, "skip": 0}
    require_as_without_index(*stores)


def test_ignored_children_are_skipped(load: Load) -> None:
    trunk = Trunk(name="1", branches=["b"])
    stores = []
    for changed in ("", "xy"):
        of_branch = leaves("vwxyz", changed)
        for leaf in of_branch[1:4:2]:  # an equal one, and one that differs
            leaf.model_flags |= DiffSyncModelFlags.IGNORE
        stores.append(load([trunk, branch("vwxyz"), *of_branch]))
    assert compared(*stores)[2] == {"create": 0, "update": 1, "delete": 0, "no-change": 4, "skip": 2}
    require_as_without_index(*stores)


def test_marked_children_come_in_the_order_of_the_list(load: Load) -> None:
    trunk = Trunk(name="1", branches=["b"])
    stores = [load([trunk, branch("zaybx"), *leaves("abxyz", changed)]) for changed in ("", "xyz")]
    assert list(compared(*stores)[1]["trunk"]["1"]["branch"]["b"]["leaf"]) == ["z", "y", "x"]
    require_as_without_index(*stores)


def wood(width: int, changed: int) -> Iterator[DiffSyncModel]:
    """Yield 20 trunks, each with a branch of this many leaves, one of which may be changed."""
    for number in range(20):
        names = [f"leaf {number:02}-{position:04}" for position in range(width)]
        yield Trunk(name=f"trunk {number:02}", branches=[f"branch {number:02}"])
        yield Branch(name=f"branch {number:02}", leaves=names)
        yield from (Leaf(name=name, size=changed * (name == names[-1])) for name in names)


def test_the_bytes_of_a_diff_do_not_depend_on_the_number_of_equal_children(own_redis: RedisServer, load: Load) -> None:
    sent = {}
    with closing(own_redis.client()) as client:

        def network_bytes() -> int:
            stats = client.info("stats")
            return int(stats["total_net_input_bytes"] + stats["total_net_output_bytes"])

        for width in (10, 500):
            stores = [load(wood(width, changed), own_redis.url) for changed in (0, 1)]
            for _ in range(2):  # the first time, the scripts are sent too
                before = network_bytes()
                assert compared(*stores)[2]["update"] == 20
                sent[width] = network_bytes() - before
    assert sent[500] < 1.1 * sent[10] < 40_000
