"""Several threads use one store: no data is lost or mixed up, on every store."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from diffsync_store import Adapter, BaseStore, DiffSyncFlags, LocalStore, ObjectAlreadyExists, StoreState
from tests.store.conftest import NewStore, OpenStore
from tests.store.inventory import Device, Flat, Inventory, Site, content, flat, sites
from tests.store.test_contract import reread

RUNS = int(os.environ.get("TEST_THREAD_RUNS", "2"))
"""Number of runs of each test with many threads."""


@pytest.fixture(autouse=True)
def busy_switching() -> Iterator[None]:
    """Switch threads a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def run_together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run this many threads at the same time; return their results, or raise the first error."""
    begin = threading.Barrier(count)

    def run(number: int) -> Any:
        begin.wait(100)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [8, 16])
@pytest.mark.parametrize("run", range(RUNS))
def test_a_load_from_many_threads_has_everything_that_was_added(store: BaseStore, threads: int, run: int) -> None:
    adapter, each = sites(store), 4000 // threads

    def collect(number: int) -> None:
        for position in range(each):
            site = Site(name=f"{number}-{position}")
            device = Device(name=f"{number}-{position}", role=str(number))
            adapter.add(site)
            adapter.add(device)
            site.add_child(device)
            if position % 50 == 0:
                assert adapter.get(Device, f"{number}-{position}").role == str(number)

    with store.loading():
        run_together(threads, collect)
    again = reread(adapter)
    expected = {f"{number}-{position}" for number in range(threads) for position in range(each)}
    assert {device.name for device in again.get_all(Device)} == expected
    assert {site.name: site.devices for site in again.get_all(Site)} == {name: [name] for name in expected}
    assert again.store.state is StoreState.COMPLETE
    assert again.store.record().counts == {"site": threads * each, "device": threads * each}


def test_only_one_of_many_threads_adds_each_object(store: BaseStore) -> None:
    adapter = flat(store)

    def collect(number: int) -> list[str]:
        taken = []
        for position in range(300):
            try:
                adapter.add(Device(name=f"d{position}", role=str(number)))
                taken.append(f"d{position}")
            except ObjectAlreadyExists:
                pass
        return taken

    outcomes = run_together(8, collect)
    assert sorted(name for taken in outcomes for name in taken) == sorted(f"d{position}" for position in range(300))
    roles = {device.name: device.role for device in reread(adapter).get_all(Device)}
    assert roles == {name: str(number) for number, taken in enumerate(outcomes) for name in taken}


def test_threads_that_instantiate_the_same_object_get_one_object(store: BaseStore) -> None:
    adapter = sites(store)

    def collect(_: int) -> list[tuple[Site, bool]]:
        return [adapter.get_or_instantiate(Site, {"name": f"s{position}"}) for position in range(100)]

    found = run_together(8, collect)
    for position in range(100):
        assert len({id(of_thread[position][0]) for of_thread in found}) == 1
        assert sum(of_thread[position][1] for of_thread in found) == 1


def test_children_that_many_threads_add_to_one_parent_are_kept(store: BaseStore) -> None:
    adapter = sites(store)
    adapter.add(Site(name="ber"))
    store.flush()

    def collect(number: int) -> int:
        refused = 0
        for position in range(60):
            device = Device(name=f"{number}-{position}")
            adapter.add(device)
            adapter.get(Site, "ber").add_child(device)
            try:  # each thread tries the same one besides
                adapter.get(Site, "ber").add_child(Device(name=f"shared-{position}"))
            except ObjectAlreadyExists:
                refused += 1
        for position in range(0, 60, 3):
            adapter.get(Site, "ber").remove_child(Device(name=f"{number}-{position}"))
        return refused

    assert sum(run_together(16, collect)) == 15 * 60
    store.flush()
    devices = reread(adapter).get(Site, "ber").devices
    expected = {f"{number}-{position}" for number in range(16) for position in range(60) if position % 3}
    assert len(devices) == len(set(devices))
    assert set(devices) == expected | {f"shared-{position}" for position in range(60)}


def test_readers_see_whole_objects_while_writers_write(store: BaseStore) -> None:
    adapter, done = flat(store), threading.Event()
    for position in range(1500):
        adapter.add(Device(name=f"d{position}", role="0", site="0"))
    store.flush()

    def write(number: int) -> None:
        for position in range(number, 1500, 4):
            adapter.get(Device, f"d{position}").role = "1"
            adapter.add(Device(name=f"new-{position}", role="0", site="0"))
            if position % 5 == 0:
                adapter.remove(adapter.get(Device, f"d{position}"))
            if position % 100 == 0:
                store.flush()
        done.set()

    def read() -> None:
        while not done.is_set():
            names = [device.name for device in adapter.get_all(Device)]
            assert len(names) == len(set(names))
            assert adapter.count() >= 1200
            assert adapter.get(Device, "d1").name == "d1"
            assert [device.name for device in adapter.get_by_uids(["d7", "d2"], Device)] == ["d7", "d2"]
            assert store.get_all_model_names() == {"device"}

    def work(number: int) -> None:
        try:
            write(number) if number < 4 else read()
        finally:
            done.set()

    run_together(7, work)
    store.flush()
    roles = {device.name: device.role for device in reread(adapter).get_all(Device)}
    expected = {f"d{position}": "1" for position in range(1500) if position % 5}
    assert roles == expected | {f"new-{position}": "0" for position in range(1500)}


def test_an_iteration_reads_objects_that_change_meanwhile_in_their_new_state(store: BaseStore) -> None:
    adapter = flat(store)
    for position in range(100):
        adapter.add(Device(name=f"d{position}"))
    store.flush()
    found = adapter.store.iter_all(model=Device)
    next(found)
    adapter.get(Device, "d50").role = "changed"
    adapter.remove(adapter.get(Device, "d60"))
    adapter.update(Device(name="d70", role="replaced"))
    store.flush()
    gc.collect()
    seen = {device.name: device for device in found}
    if not isinstance(store, LocalStore):  # a local store gives what was there when the iteration began
        assert "d60" not in seen
        assert seen["d70"].role == "replaced"
    assert seen["d50"].role == "changed"
    seen["d50"].site = "later"
    store.flush()
    device = reread(adapter).get(Device, "d50")
    assert (device.role, device.site) == ("changed", "later")


def test_objects_that_are_written_while_their_page_is_opened_are_read(
    open_redis: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread gets the lock right after the page was read, and writes objects of it."""
    adapter = flat(open_redis())
    for position in range(100):
        adapter.add(Device(name=f"d{position}"))
    store: Any = adapter.store
    store.flush()
    read = store._page

    def read_and_lose_the_lock(*arguments: Any) -> Any:
        page = read(*arguments)
        if "d60" in page[-1]:
            adapter.get(Device, "d50").role = "changed"
            adapter.remove(adapter.get(Device, "d60"))
            store.flush()
        return page

    monkeypatch.setattr(store, "_page", read_and_lose_the_lock)
    seen = {device.name: device.role for device in store.iter_all(model=Device)}
    assert len(seen) == 99
    assert seen["d50"] == "changed"


@pytest.mark.slow
def test_changes_in_place_by_many_threads_are_kept(store: BaseStore) -> None:
    """Each thread releases its objects immediately, while the garbage collector runs all the time."""
    adapter = sites(store)
    with store.loading():
        for position in range(400):
            adapter.add(Site(name=f"s{position}"))

    def change(number: int) -> None:
        for again in range(3):
            for position in range(number, 400, 8):
                adapter.get(Site, f"s{position}").tags.append(f"{again}")
                adapter.get(Site, f"s{position}").facts[str(again)] = [number]
            if again == number % 3:
                store.flush()
                gc.collect()

    run_together(8, change)
    store.flush()
    for site in reread(adapter).get_all(Site):
        number = int(site.name[1:]) % 8
        assert site.tags == ["0", "1", "2"], site.name
        assert site.facts == {"0": [number], "1": [number], "2": [number]}, site.name


def test_an_add_at_the_end_of_a_load_is_stored_or_refused(new_store: NewStore) -> None:
    for _ in range(5):
        store = new_store()
        adapter, taken, ended = flat(store), [list[str]() for _ in range(4)], threading.Event()

        def collect(number: int, adapter: Any = adapter, taken: Any = taken, ended: Any = ended) -> None:
            for position in range(5000):
                if ended.is_set():
                    return
                name = f"{number}-{position}"
                adapter.add(Device(name=name))
                taken[number].append(name)

        threads = [threading.Thread(target=collect, args=(number,)) for number in range(4)]
        with store.loading():
            for thread in threads:
                thread.start()
            while not all(taken):
                pass
        ended.set()
        for thread in threads:
            thread.join()
        store.flush()
        names = {device.name for device in reread(adapter).get_all(Device)}
        assert names == {name for of_thread in taken for name in of_thread}
        assert store.state is StoreState.COMPLETE


def test_an_add_to_a_store_that_another_thread_drops_or_closes_raises_a_known_error(
    new_store: NewStore,
) -> None:
    store = new_store()
    adapter = flat(store)

    def work(number: int) -> None:
        for position in range(100):
            if number == 0 and position % 10 == 0:
                store.drop()
            elif number == 1 and position % 10 == 0:
                store.flush()
            else:
                adapter.add(Device(name=f"{number}-{position}"))

    run_together(4, work)
    store.drop()
    adapter.add(Device(name="last"))
    store.close()
    adapter.add(Device(name="after all"))
    assert [device.name for device in reread(adapter).get_all(Device)] == ["last", "after all"]


class Pooled(Inventory):
    """Its hooks look other objects up, as those do that resolve foreign keys."""


class PooledDevice(Device):
    @classmethod
    def create(cls, adapter: Adapter, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        number = int(ids["name"][1:])
        site = adapter.get("site", f"s{number % 40}")
        assert site.name == f"s{number % 40}"
        if number % 9 == 0:
            names = [found.name for found in adapter.get_all("site")]
            assert len(names) == 40 == len(set(names))
        assert [found.name for found in adapter.get_by_uids(["s3", "s1"], "site")] == ["s3", "s1"]
        assert adapter.count("site") == 40
        site.tags.append(ids["name"])
        extra = Device(name=f"extra-{number}")
        adapter.add(extra)
        if number % 2:
            adapter.remove(extra)
        site.region = "seen"
        adapter.update(site)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: dict[str, Any]) -> Any:
        assert self.adapter.get("device", self.name) is self
        self.adapter.get("site", "s0").facts[self.name] = 1
        return super().update(attrs)


class PooledInventory(Inventory):
    device = PooledDevice
    top_level = ["site", "device"]


class SourceInventory(Inventory):
    device = PooledDevice
    top_level = ["site", "device"]


def pools(new_store: NewStore) -> tuple[SourceInventory, PooledInventory]:
    source, target = (
        SourceInventory(internal_storage_engine=new_store()),
        PooledInventory(internal_storage_engine=new_store()),
    )
    for adapter in (source, target):
        with adapter.store.loading():
            for number in range(40):
                adapter.add(Site(name=f"s{number}"))
            for number in range(120):
                if adapter is source or number % 3 == 0:
                    adapter.add(PooledDevice(name=f"d{number}", role="new" if adapter is source else "old"))
    return source, target


def check_pools(target: Adapter) -> None:
    target.store.flush()
    again = reread(target)
    devices = {device.name: device.role for device in again.get_all("device")}
    created = [number for number in range(120) if number % 3]
    expected = {f"d{number}": "new" for number in range(120)}
    assert devices == expected | {f"extra-{number}": "leaf" for number in created if number % 2 == 0}
    for number, site in enumerate(again.get_all("site")):
        assert sorted(site.tags) == sorted(f"d{of}" for of in created if of % 40 == number)
    assert set(again.get("site", "s0").facts) == {f"d{number}" for number in range(0, 120, 3)}


@pytest.mark.parametrize("run", range(RUNS))
def test_hooks_of_parallel_workers_can_use_the_store(
    new_store: NewStore, redis_url: str, store_id: str, run: int
) -> None:
    from contextlib import closing

    from diffsync_store.diffs import RedisDiffs
    from diffsync_store.sync.options import SyncOptions

    source, target = pools(new_store)
    with closing(RedisDiffs(url=redis_url, ttl=600)) as diffs:
        saved = diffs.open(diffs.compare(source, target, store_id))
        try:
            result = saved.apply(source, target, options=SyncOptions(workers=8))
            assert (result.created, result.updated, result.failed) == (80, 40, 0), result
        finally:
            saved.drop()
    check_pools(target)


def test_a_sync_works_in_a_thread_of_an_event_loop(new_store: NewStore) -> None:
    source, target = pools(new_store)

    async def sync() -> None:
        diff = await asyncio.to_thread(target.diff_from, source)
        await asyncio.to_thread(target.sync_from, source, diff=diff, flags=DiffSyncFlags.NONE)

    asyncio.run(sync())
    check_pools(target)


@pytest.mark.slow
def test_a_store_is_used_from_two_event_loops_at_once(store: BaseStore) -> None:
    adapter = sites(store)

    async def collect(loop: int) -> None:
        def add(number: int) -> None:
            adapter.add(Site(name=f"{loop}-{number}"))
            adapter.get(Site, f"{loop}-{number}").tags.append("in a thread")

        await asyncio.gather(*(asyncio.to_thread(add, number) for number in range(200)))
        adapter.add(Site(name=f"{loop}-last", tags=["in the loop"]))

    with store.loading():
        run_together(2, lambda loop: asyncio.run(collect(loop)))
    found = {site["name"]: site["tags"] for site in content(reread(adapter))["site"]}
    expected = {f"{loop}-{number}": ["in a thread"] for loop in range(2) for number in range(200)}
    assert found == expected | {f"{loop}-last": ["in the loop"] for loop in range(2)}


@pytest.mark.slow
def test_all_rejects_of_many_threads_are_counted(store: BaseStore) -> None:
    adapter: Flat = flat(store)

    def collect(number: int) -> None:
        for position in range(100):
            with adapter.store.rejecting("device", f"{number}-{position}"):
                if position % 2:
                    raise ValueError("no")
                adapter.add(Device(name=f"{number}-{position}"))

    with store.loading():
        adapter.store.expect("device", 800)
        run_together(8, collect)
    gap = store.record().gaps["device"]
    assert gap.rejected == 400
    assert store.count() == 400
