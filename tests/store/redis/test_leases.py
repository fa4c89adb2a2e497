"""One writer per target, whatever happens to the one before."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from typing import Any

import pytest

from diffsync_store import LeaseHeld, LeaseLost, ObjectStoreException
from diffsync_store.store.redis import RedisLeases, target_lease
from diffsync_store.store.redis.keys import StoreKeys
from tests.servers import RedisServer, wait_until
from tests.store.child import Child, listen, say
from tests.store.conftest import OpenStore, keys_of
from tests.store.inventory import Device, flat, open_store, read_flat


@pytest.fixture
def leases(redis_server: RedisServer, store_id: str, open_redis: OpenStore) -> Iterator[RedisLeases]:
    """Leaves no lease behind; `open_redis`, which sees to that, ends after it."""
    with closing(RedisLeases(url=redis_server.url)) as leases:
        yield leases
    with closing(redis_server.client()) as client:
        for key in keys_of(client, store_id):
            if key.endswith(":lease"):
                client.delete(key)


def test_a_lease_has_its_holder_its_start_and_its_reason(leases: RedisLeases, store_id: str) -> None:
    assert leases.holder(store_id) is None
    with leases.take(store_id, "sync of diff-1", owner="worker-1") as lease:
        holder = leases.holder(store_id)
        assert holder
        assert holder.until
        assert (holder.owner, holder.reason, holder.token) == ("worker-1", "sync of diff-1", lease.token)
        assert 55 < (holder.until - holder.since).total_seconds() < 65
    assert leases.holder(store_id) is None


def test_the_error_of_a_second_lease_names_the_holder(leases: RedisLeases, store_id: str) -> None:
    with leases.take(store_id, "sync of diff-1", owner="worker-1"):
        with pytest.raises(LeaseHeld) as raised:
            leases.take(store_id, "sync of diff-2", owner="worker-2")
        assert raised.value.holder == leases.holder(store_id)
    for part in (
        store_id,
        "worker-1 since ",
        "sync of diff-1",
        "unless renewed",
        f"`diffsync-store unlock {store_id} --store`",
    ):
        assert part in str(raised.value)
    leases.take(store_id, "sync of diff-2").release()


def test_every_token_is_larger_than_those_before(leases: RedisLeases, redis_server: RedisServer, store_id: str) -> None:
    tokens = []
    for _ in range(3):
        with leases.take(store_id, "x") as lease:
            tokens.append(lease.token)
    with closing(redis_server.client()) as client:
        wait_until(lambda: client.time()[0] * 1000 + client.time()[1] // 1000 > tokens[-1])  # tokens are milliseconds
        client.delete(StoreKeys(store_id).lease)  # as Redis may lose it
    with leases.take(store_id, "x") as lease:
        tokens.append(lease.token)
    assert sorted(set(tokens)) == tokens


def test_a_lease_is_renewed_as_long_as_its_process_lives(leases: RedisLeases, store_id: str) -> None:
    with leases.take(store_id, "x", ttl=0.5):
        ends: list[datetime] = []

        def is_renewed_twice() -> bool:
            if holder := leases.holder(store_id):  # none if this process has stood still
                assert holder.until
                ends.append(holder.until)
            return bool(ends) and (ends[-1] - ends[0]).total_seconds() > 0.5

        wait_until(is_renewed_twice)


@pytest.mark.parametrize("ttl", [0, -1, float("nan")])
def test_an_invalid_time_to_live_is_refused(leases: RedisLeases, store_id: str, ttl: float) -> None:
    with pytest.raises(ObjectStoreException, match=r"at least 0\.1 seconds"):
        leases.take(store_id, "x", ttl=ttl)


def test_a_maintenance_lock_stays_until_it_is_unlocked(leases: RedisLeases, redis_url: str, store_id: str) -> None:
    with closing(RedisLeases(url=redis_url)) as others:
        holder = others.lock(store_id, "switch upgrade", owner="ann")
    assert holder
    assert holder.until is None
    with pytest.raises(
        LeaseHeld,
        match=r"ann since .*: switch upgrade \(locked \(maintenance\) until somebody unlocks it\)\. Wait until",
    ):
        leases.take(store_id, "sync")
    assert leases.break_lease(store_id) == holder
    assert leases.break_lease(store_id) is None
    leases.take(store_id, "sync").release()


def test_a_target_with_a_lease_cannot_be_locked(leases: RedisLeases, store_id: str) -> None:
    with leases.take(store_id, "sync"), pytest.raises(LeaseHeld):
        leases.lock(store_id, "upgrade")


def test_the_holder_of_a_broken_lease_loses_it(leases: RedisLeases, open_redis: OpenStore, store_id: str) -> None:
    with leases.take(store_id, "sync") as lease:
        store = open_redis(lease=lease)
        flat(store).add(Device(name="before"))
        store.flush()
        leases.break_lease(store_id)
        with pytest.raises(LeaseLost, match=r"somebody has broken it.*make a new diff"):
            late_write(store, "add")
        with pytest.raises(LeaseLost):
            lease.renew()
        assert lease.is_lost
        store.drop()


def test_a_store_is_written_only_under_its_own_lease(leases: RedisLeases, open_redis: OpenStore, store_id: str) -> None:
    with (
        leases.take(store_id, "sync") as lease,
        pytest.raises(ObjectStoreException, match="The lease is on store"),
    ):
        open_redis(store_id="another", lease=lease)


def test_an_adapter_is_given_the_fencing_token(leases: RedisLeases, open_redis: OpenStore, store_id: str) -> None:
    assert flat(open_redis()).fencing_token is None
    assert flat().fencing_token is None
    with leases.take(store_id, "sync") as lease:
        assert flat(open_redis(lease=lease)).fencing_token == lease.token


@pytest.mark.parametrize("write", ["add", "load", "mark"])
def test_every_kind_of_late_write_is_refused(
    leases: RedisLeases, open_redis: OpenStore, store_id: str, write: str
) -> None:
    late = leases.take(store_id, "one")
    store = open_redis(lease=late)
    with store.loading():
        flat(store).add(Device(name="a"))
    generation = store.record().generation
    leases.break_lease(store_id)
    with leases.take(store_id, "two", owner="worker-2"), pytest.raises(LeaseLost, match="refused"):
        late_write(store, write)
    late.release()
    assert open_redis().record().generation == generation
    assert open_redis().record().counts == {"device": 1}
    store.drop()


def late_write(store: Any, write: str) -> None:
    if write == "add":
        flat(store).add(Device(name="b"))
        store.flush()
    elif write == "load":
        with store.loading():
            pass
    else:
        store.mark(store.state, "again")


def test_without_a_lease_a_store_is_written_as_usual(leases: RedisLeases, open_redis: OpenStore, store_id: str) -> None:
    with leases.take(store_id, "sync"):
        store = open_redis()
        flat(store).add(Device(name="a"))
        store.flush()
    assert open_redis().count() == 1


def write_paused(url: str, store_id: str) -> str:
    """Write under a lease, be paused by the test with more to be written, write that; what that says."""
    with closing(RedisLeases(url=url)) as leases:
        lease = leases.take(store_id, "sync of diff-1", owner="worker-1", ttl=0.5)
        store = open_store(url, store_id, lease=lease)
        adapter = flat(store)
        with store.loading():
            adapter.add(Device(name="both", role="first"))
            adapter.add(Device(name="first"))
        adapter.get(Device, "both").role = "late"
        adapter.add(Device(name="late"))
        say(os.getpid())
        listen()
        try:
            store.flush()
        except LeaseLost as error:
            return str(error)
        finally:
            lease.release()
        return "written"


@pytest.mark.slow
def test_a_writer_that_was_paused_past_its_lease_writes_nothing_more(
    leases: RedisLeases, open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    with Child(write_paused, url=redis_url, store_id=store_id) as child:
        pid = child.heard()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: leases.holder(store_id) is None, 100)
            with leases.take(store_id, "sync of diff-2", owner="worker-2") as lease:
                store = open_redis(lease=lease)
                adapter = flat(store)
                adapter.get(Device, "both").role = "second"
                adapter.add(Device(name="second"))
                store.flush()
                os.kill(pid, signal.SIGCONT)
                child.tell()
                message = child.result()
                assert not lease.is_lost
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert read_flat(redis_url, store_id) == {"both": "second", "first": "leaf", "second": "leaf"}
    assert f"The lease on store {store_id!r} was lost: worker-2 took it" in message
    assert "make a new diff" in message


@pytest.mark.slow
def test_a_writer_that_was_paused_past_its_lease_continues_if_nobody_took_it(
    leases: RedisLeases, redis_url: str, store_id: str
) -> None:
    with Child(write_paused, url=redis_url, store_id=store_id) as child:
        pid = child.heard()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: leases.holder(store_id) is None, 100)
        finally:
            os.kill(pid, signal.SIGCONT)
        child.tell()
        assert child.result() == "written"
    assert read_flat(redis_url, store_id) == {"both": "late", "first": "leaf", "late": "leaf"}


def take_and_wait(url: str, store_id: str) -> None:
    with closing(RedisLeases(url=url)) as leases, leases.take(store_id, "x", ttl=0.5):
        say("taken")
        listen()


def test_a_lease_ends_with_its_process(leases: RedisLeases, redis_url: str, store_id: str) -> None:
    with Child(take_and_wait, url=redis_url, store_id=store_id) as child:
        child.heard()
        child.kill()

    def is_free() -> bool:
        with suppress(LeaseHeld), leases.take(store_id, "y"):
            return True
        return False

    wait_until(is_free, 100)


NAMES = ["db", "target-db", "target-target-db", "Nautobot (prod)", "Nautobot-prod-", "ä", "ö", "x" * 300, "x" * 301, ""]


def test_each_adapter_has_a_lease_of_its_own(own_redis: RedisServer) -> None:
    names = [target_lease(name) for name in NAMES]
    assert len({*names}) == len(NAMES)
    assert names[:3] == ["target-db", "target-target-db", "target-target-target-db"]
    with closing(RedisLeases(url=own_redis.url)) as leases, ExitStack() as taken:
        for name in names:
            taken.enter_context(leases.take(name, "sync"))


def test_a_name_that_looks_like_one_with_a_digest_has_another_lease() -> None:
    odd = target_lease("a b")
    assert target_lease(odd.removeprefix("target-")) != odd


def test_a_group_shares_a_lease_with_one_token(leases: RedisLeases, store_id: str) -> None:
    first = leases.take(store_id, "sync", owner="one", group="diff 1")
    second = leases.take(store_id, "sync", owner="two", group="diff 1")
    assert first.token == second.token
    for group in ("", "diff 2"):
        with pytest.raises(LeaseHeld, match="is held by one, two since"):
            leases.take(store_id, "sync", group=group)
    first.release()
    first.release()
    holder = leases.holder(store_id)
    assert holder and holder.owner == "two"  # noqa: PT018
    second.renew()
    with pytest.raises(LeaseHeld):
        leases.take(store_id, "sync")
    second.release()
    assert leases.holder(store_id) is None
    with leases.take(store_id, "sync", group="diff 1") as third:
        assert third.token > first.token
        with pytest.raises(LeaseLost):
            first.renew()


def test_a_shared_lease_lasts_as_long_as_its_last_member(leases: RedisLeases, store_id: str) -> None:
    short = leases.take(store_id, "sync", owner="short", ttl=0.3, group="g")
    with leases.take(store_id, "sync", owner="long", ttl=30, group="g") as long:
        short._ended.set()  # its process is dead: nothing renews it
        wait_until(lambda: _owner(leases, store_id, long) == "long", 100, "the first one has ended")


def _owner(leases: RedisLeases, store_id: str, lease: Any) -> str:
    lease.renew()
    holder = leases.holder(store_id)
    return holder.owner if holder else ""


def test_breaking_a_shared_lease_ends_it_for_all(leases: RedisLeases, store_id: str) -> None:
    shares = [leases.take(store_id, "sync", owner=name, group="g") for name in ("one", "two")]
    leases.break_lease(store_id)
    for each in shares:
        with pytest.raises(LeaseLost):
            each.renew()
        each.release()
    with leases.take(store_id, "sync", group="g") as new:
        assert new.token > shares[0].token
        holder = leases.holder(store_id)
        assert holder and holder.owner not in {"one", "two"}  # noqa: PT018
