"""What becomes of a load, a diff and a sync when Redis dies, forgets, is full, fails over or is cut off.

Nothing is lost and nothing is done twice in the target's system, which counts; what cannot be known is said.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import ObjectStoreException, StoreState
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.exceptions import DiffNotFound, JournalLost, StoreNotComplete, SyncInterrupted
from diffsync_store.store.redis import RedisStore
from diffsync_store.sync.options import SyncOptions
from tests.conftest import demand
from tests.proxy import Proxy
from tests.redis_servers import SentinelServers
from tests.servers import RedisServer
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Mute, Network, System

SOURCE: Sites = {f"s{n:02}": ("new", {"d1": "leaf", "d2": "spine"}) for n in range(12)}
TARGET: Sites = {f"s{n:02}": ("old", {"d2": "leaf", "d3": "leaf"}) for n in range(6, 18)}
KEEPS_ALL = ("--appendonly", "yes", "--appendfsync", "always")
KEEPS_NOTHING = ("--save", "", "--dbfilename", "dump.rdb")
AT = [1, 7, 40]
"""Calls of the target's system at which something happens."""


@pytest.fixture
def keeping(redis_kind: str) -> Iterator[RedisServer]:
    with demand(lambda: RedisServer(redis_kind, *KEEPS_ALL)) as server:
        yield server


@pytest.fixture
def forgetting(redis_kind: str) -> Iterator[RedisServer]:
    with demand(lambda: RedisServer(redis_kind, *KEEPS_NOTHING)) as server:
        yield server


class FaultyBench(Bench):
    """Remembers the stores that it has opened, to end them while their server is there."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        self.opened: list[RedisStore] = []

    def store(self, side: str) -> RedisStore:
        self.opened.append(super().store(side))
        return self.opened[-1]

    def close(self) -> None:
        while self.opened:
            store = self.opened.pop()
            try:
                store.close()
            except ObjectStoreException:
                store.drop()  # what cannot be written any more is given up
                store.close()
        self.diffs.close()


Benches = Callable[..., FaultyBench]


@pytest.fixture
def bench_on(tmp_path: Path) -> Iterator[Benches]:
    """Makes benches, and closes them with the server up."""
    made: list[tuple[FaultyBench, RedisServer | None]] = []

    def make(server: RedisServer | None = None, *, url: str = "", name: str = "") -> FaultyBench:
        bench = FaultyBench(url or (server.url if server else ""), tmp_path)
        bench.name = name or bench.name
        made.append((bench, server))
        return bench

    yield make
    for bench, server in made:
        if server is not None and not server.is_running:
            server.start()
        bench.close()


def remember_now(server: RedisServer) -> Callable[[], None]:
    """What Redis comes back with is what it has now."""

    def save() -> None:
        with closing(server.client()) as client:
            client.save()

    return save


def at_call(system: System | None, number: int, act: Callable[[], None], *, when: str = "after") -> None:
    """Have something happen once, at a call of the system."""
    assert system is not None
    calls = iter(range(1, 10_000))

    def hook(_: str) -> None:
        if next(calls) == number:
            act()

    setattr(system, when, hook)


def apply(bench: Bench, **options: Any) -> Any:
    bench.system.before = bench.system.after = lambda _: None
    return bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(**options))


def assert_each_operation_was_applied_once(bench: Bench, saved: SavedDiff) -> bool:
    calls = bench.system.calls()
    assert len(calls) == len(set(calls)), "an operation was done twice"
    assert len(calls) == saved.record.operations, "an operation was not done"
    return bench.is_in_sync()


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def die_with(bench: Bench, number: int, server: RedisServer) -> None:
    """Apply in a process that is killed at a call, together with Redis, which then comes back."""
    process = os.fork()
    if process == 0:
        at_call(bench.system, number, lambda: os.kill(os.getpid(), signal.SIGKILL), when="before")
        apply_in_child(bench)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    restart(server)


def apply_in_child(bench: Bench) -> None:
    try:
        RedisDiffs(url=bench.url).open(bench.name).apply(bench.source(), bench.target())
    finally:
        os._exit(1)


# Redis is killed and comes back


@pytest.mark.parametrize("number", AT)
def test_a_sync_continues_after_a_restart_of_a_redis_that_keeps_every_write(
    keeping: RedisServer, bench_on: Benches, number: int
) -> None:
    bench = bench_on(keeping)
    saved = bench.load(SOURCE, TARGET)
    at_call(bench.system, number, lambda: restart(keeping))
    assert saved.apply(bench.source(), bench.target()).is_complete
    assert assert_each_operation_was_applied_once(bench, saved)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [Network, Mute])
@pytest.mark.parametrize("number", AT)
def test_a_sync_stops_if_redis_stays_away_and_continues_later(
    keeping: RedisServer, bench_on: Benches, number: int, adapter: type[Network]
) -> None:
    bench = bench_on(keeping)
    saved = bench.load(SOURCE, TARGET)
    bench.adapter_class = adapter
    at_call(bench.system, number, keeping.kill)
    with pytest.raises(SyncInterrupted, match=r"unavailable\. The sync has stopped\. .* apply the same diff again"):
        saved.apply(bench.source(), bench.target())
    done = len(bench.system.calls())
    keeping.start()
    if adapter is Mute:
        with pytest.raises(JournalLost, match=r"Of the remaining operations, .* cannot be looked up") as lost:
            apply(bench)
        assert "SyncOptions(trust_journal=True), or `apply: {trust_journal: true}` of the sync in the" in str(
            lost.value
        )
        assert len(bench.system.calls()) == done
        result = apply(bench, trust_journal=True)
        assert result.unknown == 1  # the one whose answer the journal could not take
        unknown = result.rejects[0]
        bench.saved().resolve(unknown.operation_id, is_done=True)
        apply(bench, trust_journal=True, retry_rejected=True)
    assert apply(bench, trust_journal=adapter is Mute).is_complete or adapter is Mute
    assert assert_each_operation_was_applied_once(bench, saved)


@pytest.mark.slow
@pytest.mark.parametrize("number", AT)
def test_a_sync_that_dies_together_with_a_redis_that_forgets_does_nothing_twice(
    forgetting: RedisServer, bench_on: Benches, number: int
) -> None:
    bench = bench_on(forgetting)
    saved = bench.load(SOURCE, TARGET)
    at_call(bench.system, 3, remember_now(forgetting))
    die_with(bench, 3 + number, forgetting)
    assert apply(bench).is_complete
    assert assert_each_operation_was_applied_once(bench, saved)


def test_a_sync_notices_that_redis_has_forgotten_what_it_had_set_down(
    forgetting: RedisServer, bench_on: Benches
) -> None:
    bench = bench_on(forgetting)
    saved = bench.load(SOURCE, TARGET)
    bench.adapter_class = Mute
    remember_now(forgetting)()
    at_call(bench.system, 5, lambda: restart(forgetting))
    with pytest.raises((JournalLost, SyncInterrupted), match=r"Load the target again|The sync has stopped"):
        saved.apply(bench.source(), bench.target())
    assert len(bench.system.calls()) == 5


def test_nothing_is_sent_if_the_applied_operations_are_unknown(forgetting: RedisServer, bench_on: Benches) -> None:
    bench = bench_on(forgetting)
    bench.load(SOURCE, TARGET)
    bench.adapter_class = Mute
    at_call(bench.system, 3, remember_now(forgetting))
    die_with(bench, 9, forgetting)
    done = len(bench.system.calls())
    with pytest.raises(JournalLost, match=r"Nothing was sent\. Load the target again, make a new diff and apply it"):
        apply(bench)
    assert len(bench.system.calls()) == done


@pytest.mark.slow
@pytest.mark.parametrize("objects", [1, 500, 900])
def test_a_load_during_which_redis_dies_is_not_complete(keeping: RedisServer, objects: int) -> None:
    with closing(RedisStore(store_id="load", url=keeping.url)) as store:
        adapter = Network("source", store)
        with pytest.raises(ObjectStoreException, match="unavailable"):
            load_with(adapter, objects, keeping.kill, 1000)
        keeping.start()
    with closing(RedisStore(store_id="load", url=keeping.url)) as store:
        with pytest.raises(StoreNotComplete, match="load"):
            store.require_loaded()
        adapter = Network("source", store)
        load_with(adapter, 1000)
        assert (store.record().state, store.count()) == (StoreState.COMPLETE, 1000)


def test_a_load_over_a_restart_that_forgets_is_failed(forgetting: RedisServer) -> None:
    with closing(RedisStore(store_id="load", url=forgetting.url)) as store:
        adapter = Network("source", store)
        with pytest.raises(ObjectStoreException):
            load_with(adapter, 500, remember_now(forgetting), 1000, lambda: restart(forgetting), 1200)
    with closing(RedisStore(store_id="load", url=forgetting.url)) as store, pytest.raises(StoreNotComplete):
        store.require_complete()


def load_with(adapter: Network, *steps: int | Callable[[], None]) -> None:
    """Load up to so many sites, then something happens, and so on."""
    with adapter.store.loading():
        loaded = 0
        for step in steps:
            if callable(step):
                adapter.store.flush()
                step()
                continue
            for number in range(loaded, step):
                adapter.add(adapter.site(name=f"s{number:04}"))
            loaded = step


@pytest.mark.slow
def test_a_diff_during_which_redis_dies_is_not_there_and_can_be_made_again(
    keeping: RedisServer, bench_on: Benches
) -> None:
    bench = bench_on(keeping)
    bench.load(SOURCE, TARGET)
    seen = iter(range(1000))

    def die(stage: str, done: int, total: int) -> None:
        if next(seen) == 3:
            keeping.kill()

    with pytest.raises(ObjectStoreException, match="unavailable"):
        bench.diffs.compare(bench.source(), bench.target(), "other", callback=die)
    keeping.start()
    with pytest.raises(DiffNotFound, match="other"):
        bench.diffs.open("other")
    bench.diffs.compare(bench.source(), bench.target(), "other")
    assert bench.diffs.open("other").record.summary == bench.saved().record.summary


# Redis is full


def fill(server: RedisServer) -> Callable[[], None]:
    def be_full() -> None:
        with closing(server.client()) as client:
            client.config_set("maxmemory", "1")

    return be_full


def make_room(server: RedisServer) -> None:
    with closing(server.client()) as client:
        client.config_set("maxmemory", "0")


@pytest.mark.slow
@pytest.mark.parametrize("number", AT)
def test_a_sync_whose_redis_is_full_stops_and_goes_on_when_it_has_room(
    keeping: RedisServer, bench_on: Benches, number: int
) -> None:
    bench = bench_on(keeping)
    saved = bench.load(SOURCE, TARGET)
    at_call(bench.system, number, fill(keeping))
    with pytest.raises(
        SyncInterrupted, match=r"out of memory: drop stores .*, or raise maxmemory.* apply the same diff"
    ):
        saved.apply(bench.source(), bench.target())
    make_room(keeping)
    assert apply(bench).is_complete
    assert assert_each_operation_was_applied_once(bench, saved)


def test_a_load_that_fills_redis_is_not_complete(keeping: RedisServer) -> None:
    with closing(RedisStore(store_id="load", url=keeping.url)) as store:
        adapter = Network("source", store)
        with pytest.raises(ObjectStoreException, match=r"out of memory: drop stores .*, or raise maxmemory"):
            load_with(adapter, 100, fill(keeping), 5000)
        with pytest.raises(StoreNotComplete):
            store.require_loaded()
        make_room(keeping)
        load_with(adapter, 5000)
        assert store.require_complete().counts == {"site": 5000}


def test_a_diff_that_fills_redis_is_not_there(keeping: RedisServer, bench_on: Benches) -> None:
    bench = bench_on(keeping)
    bench.load(SOURCE, TARGET)
    fill(keeping)()
    with pytest.raises(ObjectStoreException, match="out of memory"):
        bench.diffs.compare(bench.source(), bench.target(), "other")
    make_room(keeping)
    with pytest.raises(DiffNotFound, match="other"):
        bench.diffs.open("other")


# Redis fails over


@pytest.fixture
def sentinels(redis_kind: str) -> Iterator[SentinelServers]:
    with demand(lambda: SentinelServers(redis_kind, password="secret", sentinel_password="other")) as servers:
        yield servers


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [Network, Mute])
def test_a_sync_over_a_failover_does_nothing_twice(
    sentinels: SentinelServers, bench_on: Benches, adapter: type[Network]
) -> None:
    bench = bench_on(url=sentinels.url)
    saved = bench.load(SOURCE, TARGET)
    bench.adapter_class = adapter
    # What was there before the sync is on the replica.
    with closing(sentinels.master.client(socket_timeout=40)) as master:
        master.set("in-step", "1")
        assert master.wait(1, 30_000) == 1
    at_call(bench.system, 20, sentinels.fail_over)
    done = 0
    try:
        result = saved.apply(bench.source(), bench.target())
    except (SyncInterrupted, JournalLost):
        done = len(bench.system.calls())
    else:
        assert result.is_complete
    if done and adapter is Mute:
        with pytest.raises(JournalLost, match="Load the target again"):
            apply(bench)
        assert len(bench.system.calls()) == done == len(set(bench.system.calls()))
        return
    if done:
        assert apply(bench).is_complete
    assert assert_each_operation_was_applied_once(bench, saved)


@pytest.mark.slow
def test_a_load_over_a_failover_is_failed(sentinels: SentinelServers) -> None:
    with closing(RedisStore(store_id="load", url=sentinels.url)) as store:
        adapter = Network("source", store)
        with pytest.raises(ObjectStoreException):
            load_with(adapter, 1000, sentinels.fail_over, 2000)
    with closing(RedisStore(store_id="load", url=sentinels.url)) as store, pytest.raises(ObjectStoreException):
        store.require_loaded()


# The connection is cut


@pytest.mark.slow
@pytest.mark.parametrize("number", [11, 18, 29])
@pytest.mark.parametrize("phase", ["load", "diff", "sync"])
def test_answers_that_are_lost_change_nothing(keeping: RedisServer, bench_on: Benches, phase: str, number: int) -> None:
    """The connection is cut after a request and before its answer, at the first and at each so many after it.

    A new connection takes four requests before the one that is tried again.
    """
    with Proxy(keeping.port) as proxy:
        bench = bench_on(keeping)
        through = bench_on(url=proxy.url, name=bench.name)
        if phase == "load":
            proxy.lose_answers(b"", every=number)
        saved = (through if phase == "load" else bench).load(SOURCE, TARGET)
        if phase == "diff":
            proxy.lose_answers(b"", every=number)
            through.diffs.compare(through.source(), through.target(), f"{bench.name}-again")
            assert through.diffs.open(f"{bench.name}-again").record.summary == saved.record.summary
        if phase == "sync":
            proxy.lose_answers(b"", every=number)
            assert through.saved().apply(through.source(), through.target()).is_complete
        proxy.lose_answers(b"", every=0)
        assert proxy.lost > 0
        through.close()
        if phase != "sync":
            assert saved.apply(bench.source(), bench.target()).is_complete
        assert assert_each_operation_was_applied_once(bench, saved)


@pytest.mark.slow
@pytest.mark.parametrize("number", AT)
def test_a_sync_that_is_cut_off_for_good_goes_on_from_elsewhere(
    keeping: RedisServer, bench_on: Benches, number: int
) -> None:
    bench = bench_on(keeping)
    saved = bench.load(SOURCE, TARGET)
    with Proxy(keeping.port) as proxy:
        through = bench_on(url=proxy.url, name=bench.name)
        at_call(through.system, number, lambda: proxy.lose_answers(b"", every=1))
        with pytest.raises(SyncInterrupted, match="apply the same diff again"):
            through.saved().apply(through.source(), through.target())
        proxy.lose_answers(b"", every=0)
        through.close()
        assert apply(bench).is_complete
    assert assert_each_operation_was_applied_once(bench, saved)
