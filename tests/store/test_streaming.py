"""Long work keeps only the current elements in memory."""

from __future__ import annotations

import gc
import uuid
import weakref
from collections.abc import Iterator
from contextlib import closing

import pytest

from diffsync_store import Adapter, DiffElement, DiffSyncFlags, StoredAdapter, StoreNotComplete, StoreReloaded
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.store.inventory import Device, Flat, Inventory, Site

FEW = 12_000
"""Maximum elements in memory: the window of a sync or a comparison, with some margin."""


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    with closing(RedisDiffs(url=redis_url, ttl=3600)) as diffs:
        yield diffs


@pytest.fixture
def stores(redis_url: str) -> Iterator[tuple[RedisStore, RedisStore]]:
    made = [RedisStore(store_id=f"{side}-{uuid.uuid4().hex}", name=side, url=redis_url) for side in ("left", "right")]
    yield made[0], made[1]
    for store in made:
        store.drop()
        store.close()


def fill(store: RedisStore, sites: int, devices: int, role: str = "leaf") -> Inventory:
    adapter = Inventory(internal_storage_engine=store)
    with store.loading():
        for number in range(sites):
            site = Site(name=f"site {number}")
            for position in range(devices):
                device = Device(name=f"{number}-{position}", role=role if position == 0 else "leaf")
                adapter.add(device)
                site.add_child(device)
            adapter.add(site)
    return adapter


def elements_alive() -> int:
    return sum(issubclass(type(found), DiffElement) for found in gc.get_objects())


class Peak:
    """A callback that looks now and then at how many elements there are."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.due = every
        self.most = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done >= self.due:
            self.due += self.every
            self.most = max(self.most, elements_alive())


def test_a_comparison_saves_what_a_diff_in_memory_would(
    diffs: RedisDiffs, stores: tuple[RedisStore, RedisStore]
) -> None:
    source, target = fill(stores[0], 30, 4, role="spine"), fill(stores[1], 28, 5)
    source.add(Site(name="only here"))
    stores[0].flush()
    in_memory = diffs.open(diffs.save(target.diff_from(source), source=stores[0].record(), target=stores[1].record()))
    streamed = diffs.open(diffs.compare(source, target))
    assert list(streamed.elements()) == list(in_memory.elements())
    told = {"diff_id", "created", "source_name", "target_name"}
    assert streamed.record.model_dump(exclude=told) == in_memory.record.model_dump(exclude=told)
    assert streamed.diff().str() == in_memory.diff().str() == streamed.streamed().str()
    assert streamed.streamed().dict() == in_memory.diff().dict()
    assert len(streamed.streamed()) == len(in_memory.diff())
    assert streamed.streamed().summary() == in_memory.diff().summary()
    for saved in (streamed, in_memory):
        saved.drop()


@pytest.mark.parametrize("flags", [DiffSyncFlags.NONE, DiffSyncFlags.LOG_UNCHANGED_RECORDS])
def test_a_streamed_sync_does_what_the_diff_in_memory_does(
    diffs: RedisDiffs, stores: tuple[RedisStore, RedisStore], flags: DiffSyncFlags
) -> None:
    source, target = fill(stores[0], 30, 4, role="spine"), fill(stores[1], 28, 5)
    saved = diffs.open(diffs.compare(source, target))
    steps: list[tuple[int, int]] = []
    applied = target.sync_from(
        source, diff=saved.streamed(), flags=flags, callback=lambda _, done, total: steps.append((done, total))
    )
    assert applied.result is not None
    assert applied.result.counts() == {
        "created": 2 + 8, "updated": 28, "deleted": 28, "skipped": 0, "blocked": 0, "failed": 0
    }  # fmt: skip
    assert steps[-1] == (saved.record.elements, saved.record.elements)
    assert not target.diff_from(source).has_diffs()
    saved.drop()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["flat", "tree"])
def test_a_first_sync_keeps_few_elements_in_memory(
    diffs: RedisDiffs, stores: tuple[RedisStore, RedisStore], model: str
) -> None:
    source: Adapter
    target: Adapter
    if model == "tree":
        source, target = fill(stores[0], 400, 99), fill(stores[1], 0, 0)
    else:
        source, target = Flat(internal_storage_engine=stores[0]), Flat(internal_storage_engine=stores[1])
        with stores[1].loading(), stores[0].loading():
            for number in range(40_000):
                source.add(Device(name=f"device {number}"))
    gc.collect()
    before = elements_alive()
    compared, applied = Peak(5000), Peak(5000)
    saved = diffs.open(diffs.compare(StoredAdapter(stores[0]), StoredAdapter(stores[1]), callback=compared))
    assert saved.record.operations == 40_000
    assert 0 < compared.most - before < FEW
    diff = target.sync_from(source, diff=saved.streamed(), callback=applied)
    assert diff.result is not None
    assert diff.result.created == 40_000
    assert 0 < applied.most - before < FEW
    assert target.count() == 40_000
    saved.drop()


def test_iterated_objects_are_released(stores: tuple[RedisStore, RedisStore]) -> None:
    fill(stores[0], 0, 0)
    adapter = Flat(internal_storage_engine=stores[0])
    for number in range(5000):
        adapter.add(Device(name=f"device {number}"))
    stores[0].flush()
    alive: list[weakref.ref[Device]] = []
    most = count = 0
    for device in adapter.iter_all(Device):
        alive = [reference for reference in alive if reference() is not None] + [weakref.ref(device)]
        most = max(most, len(alive))
        count += 1
    assert count == 5000
    assert most <= 2


def test_large_objects_come_in_small_batches(stores: tuple[RedisStore, RedisStore]) -> None:
    adapter = Inventory(internal_storage_engine=stores[0])
    for number in range(60):
        adapter.add(Site(name=f"site {number}", region="x" * 200_000))
    stores[0].flush()
    other = StoredAdapter(stores[0])
    assert [len(site.region) for site in other.iter_all("site")] == [200_000] * 60
    found = RedisStore(client=stores[0]._redis, store_id=stores[0].store_id).fetch(
        "site", ["site 0", "none", "site 59"]
    )
    assert list(found) == ["site 0", "site 59"]


def test_a_comparison_needs_complete_stores(diffs: RedisDiffs, stores: tuple[RedisStore, RedisStore]) -> None:
    source, target = fill(stores[0], 1, 1), Inventory(internal_storage_engine=stores[1])
    target.add(Site(name="on its way"))
    stores[1].flush()
    with pytest.raises(StoreNotComplete, match="is loading, not complete"):
        diffs.compare(source, target)


def test_a_comparison_saves_nothing_if_a_store_is_loaded_again_meanwhile(
    diffs: RedisDiffs, stores: tuple[RedisStore, RedisStore], redis_url: str
) -> None:
    source, target = fill(stores[0], 3, 3, role="spine"), fill(stores[1], 3, 3)

    def load_again(stage: str, done: int, total: int) -> None:
        with closing(RedisStore(store_id=stores[0].store_id, url=redis_url)) as other:
            fill(other, 1, 1)

    with pytest.raises(StoreReloaded, match="was loaded again"):
        diffs.compare(source, target, "never", callback=load_again)
    assert not any(b"never" in key for key in diffs._redis.scan_iter())
