"""What child processes do with what their parent has opened: nothing is lost, nothing is written twice."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from diffsync_store import LeaseLost, StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import OperationState
from diffsync_store.journal import Entry
from diffsync_store.store.redis import RedisLeases, RedisStore
from tests.servers import RedisServer
from tests.store.child import run
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, Site, flat, open_store, read_flat, read_sites, sites

CHILDREN, EACH = 3, 40
opened: dict[str, Any] = {}
"""What a parent has opened before it forks."""


def add_some(number: int) -> None:
    adapter = opened["adapter"]
    for position in range(EACH):
        adapter.add(Device(name=f"{number}-{position}", role="child"))


def fork(work: Callable[[int], None], number: int) -> int:
    """The pid of a child process that does the work and ends without another word."""
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            work(number)
            failed = 0
        finally:
            os._exit(failed)
    return pid


def by_fork() -> list[int]:
    pids = [fork(add_some, number) for number in range(CHILDREN)]
    return [os.waitpid(pid, 0)[1] for pid in pids]


def by_multiprocessing() -> list[int]:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=add_some, args=(number,)) for number in range(CHILDREN)]
    for child in children:
        child.start()
    for child in children:
        child.join(200)
    return [child.exitcode or 0 for child in children]


def by_pool() -> list[int]:
    with ProcessPoolExecutor(CHILDREN, mp_context=multiprocessing.get_context("fork")) as pool:
        return [0 for _ in pool.map(add_some, range(CHILDREN))]


def load_with_children(url: str, store_id: str, way: str) -> list[int]:
    store = open_store(url, store_id)
    adapter = opened["adapter"] = flat(store)
    with store.loading():
        for position in range(30):
            adapter.add(Device(name=f"before-{position}"))
        statuses: list[int] = globals()[way]()
        for position in range(30):
            adapter.add(Device(name=f"after-{position}"))
    return statuses


@pytest.mark.slow
@pytest.mark.parametrize("way", ["by_fork", "by_multiprocessing", "by_pool"])
def test_what_forked_children_add_is_in_the_load_of_their_parent(
    open_redis: OpenStore, redis_url: str, store_id: str, way: str
) -> None:
    assert run(load_with_children, url=redis_url, store_id=store_id, way=way) == [0] * CHILDREN
    expected = {f"{when}-{position}": "leaf" for when in ("before", "after") for position in range(30)}
    expected |= {f"{number}-{position}": "child" for number in range(CHILDREN) for position in range(EACH)}
    assert read_flat(redis_url, store_id) == expected
    assert open_redis().state is StoreState.COMPLETE


def change_in_place(_: int) -> None:
    site = opened["adapter"].get(Site, "ber")
    site.region = "north"
    site.tags.append("child")
    opened["adapter"].get(Site, "muc").tags.append("let go")


def fork_to_change(url: str, store_id: str) -> int | None:
    store = open_store(url, store_id)
    adapter = opened["adapter"] = sites(store)
    for name in ("ber", "muc"):
        adapter.add(Site(name=name))
    held = adapter.get(Site, "ber")
    store.flush()
    child = multiprocessing.get_context("fork").Process(target=change_in_place, args=(0,))
    child.start()
    child.join(200)
    del held
    return child.exitcode


@pytest.mark.usefixtures("open_redis")
def test_what_a_child_changes_in_place_is_written_at_its_end(redis_url: str, store_id: str) -> None:
    assert run(fork_to_change, url=redis_url, store_id=store_id) == 0
    found = {site["name"]: (site["region"], site["tags"]) for site in read_sites(redis_url, store_id)["site"]}
    assert found == {"ber": ("north", ["child"]), "muc": (None, ["let go"])}


def open_and_add(url: str, store_id: str, number: int) -> None:
    """In a child that is not forked from the process that runs it."""
    opened["adapter"] = flat(open_store(url, store_id))
    add_some(number)
    opened["site"] = sites(opened["adapter"].store)


def start_others(url: str, store_id: str, method: str) -> list[int | None]:
    context: Any = multiprocessing.get_context(method)
    children = [context.Process(target=open_and_add, args=(url, store_id, number)) for number in range(CHILDREN)]
    for child in children:
        child.start()
    for child in children:
        child.join(200)
    return [child.exitcode for child in children]


@pytest.mark.slow
@pytest.mark.usefixtures("open_redis")
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_what_children_add_to_stores_of_their_own_is_written_at_their_end(
    redis_url: str, store_id: str, method: str
) -> None:
    assert run(start_others, url=redis_url, store_id=store_id, method=method) == [0] * CHILDREN
    expected = {f"{number}-{position}": "child" for number in range(CHILDREN) for position in range(EACH)}
    assert read_flat(redis_url, store_id) == expected


def leave_the_block(url: str, store_id: str, way: str) -> int:
    store = open_store(url, store_id)
    adapter = flat(store)
    status = 0
    with contextlib.suppress(SystemExit), store.loading():
        adapter.add(Device(name="parents"))
        pid = os.fork()
        if pid == 0:
            adapter.add(Device(name="childs"))
            if way == "exit":
                sys.exit(0)
        else:
            status = os.waitpid(pid, 0)[1]
            assert store.state is StoreState.LOADING
            adapter.add(Device(name="later"))
    if pid == 0:
        os._exit(0)
    return status


@pytest.mark.parametrize("way", ["exit", "end"])
def test_a_child_that_leaves_the_block_of_a_load_leaves_it_to_its_parent(
    open_redis: OpenStore, redis_url: str, store_id: str, way: str
) -> None:
    assert run(leave_the_block, url=redis_url, store_id=store_id, way=way) == 0
    assert set(read_flat(redis_url, store_id)) == {"parents", "childs", "later"}
    assert open_redis().state is StoreState.COMPLETE


def load_in_a_child(url: str, store_id: str) -> int:
    store = open_store(url, store_id)
    adapter = flat(store)
    adapter.add(Device(name="of the parent"))

    def load(_: int) -> None:
        with store.loading():
            for position in range(1500):
                adapter.add(Device(name=f"d{position}"))
        adapter.add(Device(name="afterwards"))

    return os.waitpid(fork(load, 0), 0)[1]


@pytest.mark.slow
def test_a_child_may_load_the_store_anew(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    assert run(load_in_a_child, url=redis_url, store_id=store_id) == 0
    assert list(read_flat(redis_url, store_id)) == [*(f"d{position}" for position in range(1500)), "afterwards"]
    assert open_redis().state is StoreState.COMPLETE


def fork_among_threads(url: str, store_id: str) -> list[int]:
    store = open_store(url, store_id)
    adapter = opened["adapter"] = flat(store)
    ended = threading.Event()

    def add(number: int) -> None:
        position = 0
        while not ended.is_set():
            adapter.add(Device(name=f"thread-{number}-{position}"))
            position += 1
        opened[str(number)] = position

    with store.loading():
        threads = [threading.Thread(target=add, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        statuses = []
        for number in range(CHILDREN):
            time.sleep(0.05)
            statuses.append(os.waitpid(fork(add_some, number), 0)[1])
        ended.set()
        for thread in threads:
            thread.join()
    return [*statuses, *(opened[str(number)] for number in range(3))]


@pytest.mark.slow
def test_a_fork_among_busy_threads_is_as_any_other(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    *statuses, first, second, third = run(fork_among_threads, url=redis_url, store_id=store_id)
    assert statuses == [0] * CHILDREN
    found = read_flat(redis_url, store_id)
    expected = {f"{number}-{position}" for number in range(CHILDREN) for position in range(EACH)}
    for number, count in enumerate((first, second, third)):
        expected |= {f"thread-{number}-{position}" for position in range(count)}
    assert set(found) == expected
    assert open_redis().state is StoreState.COMPLETE


def fork_and_lose_redis(url: str, store_id: str, server: int) -> int | None:
    opened["adapter"] = flat(open_store(url, store_id, socket_timeout=0.2, socket_connect_timeout=0.2))
    opened["adapter"].store.flush()
    context = multiprocessing.get_context("fork")

    def add(number: int) -> None:
        os.kill(server, 19)
        try:
            add_some(number)
        finally:
            os.kill(server, 18)

    child = context.Process(target=add, args=(0,))
    child.start()
    child.join(200)
    return child.exitcode


@pytest.mark.slow
def test_a_child_whose_adds_cannot_arrive_fails(own_redis: RedisServer, store_id: str) -> None:
    assert run(fork_and_lose_redis, url=own_redis.url, store_id=store_id, server=own_redis.pid) == 1


def journal_in_a_child(url: str, diff_id: str) -> list[str]:
    """A parent and its child tell of what they have done in one journal."""
    diffs = RedisDiffs(url=url)
    target, source = flat(), flat()
    for position in range(6):
        source.add(Device(name=f"d{position}"))
    saved = diffs.open(diffs.save(target.diff_from(source), diff_id))
    journal = saved.journal()
    ids = [operation.id for operation in saved.operations()]
    journal.begin("parent")
    journal.write({ids[0]: Entry(OperationState.DONE, "parent")})

    def write(_: int) -> None:
        journal.write({ids[1]: Entry(OperationState.DONE, "child")})
        journal.write({ids[2]: Entry(OperationState.DONE, "child")})
        assert len(list(saved.operations())) == 6
        assert diffs.open(diff_id).checksum() == saved.checksum()

    pid = fork(write, 0)
    journal.write({ids[3]: Entry(OperationState.DONE, "parent")})
    status = os.waitpid(pid, 0)[1]
    journal.write({ids[4]: Entry(OperationState.DONE, "parent")})
    found = journal.read(ids)
    saved.drop()
    return [str(status), *(found[name].reason if name in found else "" for name in ids)]


def test_a_journal_takes_what_a_child_writes_beside_its_parent(redis_url: str, store_id: str) -> None:
    told = run(journal_in_a_child, url=redis_url, diff_id=store_id)
    assert told == ["0", "parent", "child", "child", "parent", "parent", ""]


def lease_in_a_child(url: str, name: str) -> list[int]:
    leases = RedisLeases(url=url)
    with leases.take(name, "test", ttl=30) as lease:

        def use(_: int) -> None:
            with lease:
                lease.check()

        statuses = [os.waitpid(fork(use, 0), 0)[1]]
        lease.check()
        holder = leases.holder(name)
        statuses.append(0 if holder is not None and holder.token == lease.token else 1)

        def use_broken(_: int) -> None:
            leases.break_lease(name)
            with pytest.raises(LeaseLost):
                lease.check()

        statuses.append(os.waitpid(fork(use_broken, 0), 0)[1])
    return statuses


def test_a_child_uses_the_lease_of_its_parent_and_does_not_end_it(redis_url: str, store_id: str) -> None:
    assert run(lease_in_a_child, url=redis_url, name=store_id) == [0, 0, 0]


def test_a_store_is_not_pickled(open_redis: OpenStore) -> None:
    with pytest.raises(TypeError, match=r"cannot be copied or pickled.*RedisStore\(store_id="):
        pickle.dumps(open_redis())


def test_leases_and_saved_diffs_are_shared_by_threads(redis_url: str, store_id: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    leases, diffs = RedisLeases(url=redis_url), RedisDiffs(url=redis_url)
    source, target = flat(), flat()
    for position in range(1200):
        source.add(Device(name=f"d{position}"))
    saved = diffs.open(diffs.save(target.diff_from(source), store_id))
    journal = saved.journal()
    ids = [operation.id for operation in saved.operations()]
    journal.begin("threads")

    def work(number: int) -> str:
        with leases.take(f"{store_id}-{number}", "threads", ttl=0.3) as lease:
            for position in range(number, 1200, 8):
                journal.write({ids[position]: Entry(OperationState.DONE, str(position))})
                lease.check()
            assert [operation.id for operation in saved.operations()] == ids
            assert sum(1 for _ in saved.operations(state=OperationState.DONE)) >= 150
            lease.renew()
        return saved.checksum()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(8)))) == 1
    found = journal.read(ids)
    assert [found[name].reason for name in ids] == [str(position) for position in range(1200)]
    saved.drop()
    leases.close()
    diffs.close()


@pytest.mark.slow
def test_two_stores_of_one_id_in_one_process_are_two_writers(open_redis: OpenStore) -> None:
    one, two = flat(open_redis()), flat(open_redis())
    for position in range(20):
        (one if position % 2 else two).add(Device(name=f"d{position}"))
    for adapter in (one, two):
        assert isinstance(adapter.store, RedisStore)
        adapter.store.flush()
    assert {device.name for device in flat(open_redis()).get_all(Device)} == {f"d{position}" for position in range(20)}
