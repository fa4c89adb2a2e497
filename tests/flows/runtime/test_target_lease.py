"""A sync waits only for the lease of a dead process of its own run."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from prefect.logging import disable_run_logger

from diffsync_flows.runtime.target_lease import take_target_lease
from diffsync_store import LeaseHeld
from diffsync_store.store.redis import RedisLeases, target_lease


@pytest.fixture
def leases(redis_url: str, store_id: str) -> Iterator[RedisLeases]:
    with closing(RedisLeases(url=redis_url, namespace=store_id)) as leases, disable_run_logger():
        yield leases


def test_a_lease_of_another_run_is_refused(leases: RedisLeases) -> None:
    with leases.take(target_lease("a"), "sync 1"), pytest.raises(LeaseHeld):
        take_target_lease(leases, "a", "sync 2")


def test_a_maintenance_lock_is_refused(leases: RedisLeases) -> None:
    leases.lock(target_lease("a"), "sync 1")
    with pytest.raises(LeaseHeld):
        take_target_lease(leases, "a", "sync 1")
    leases.break_lease(target_lease("a"))


def test_a_run_waits_for_the_lease_of_its_earlier_process(leases: RedisLeases) -> None:
    earlier = leases.take(target_lease("a"), "sync 1")
    release = threading.Timer(0.5, earlier.release)
    release.start()
    with take_target_lease(leases, "a", "sync 1") as lease:
        assert lease.token > earlier.token
    release.join()
