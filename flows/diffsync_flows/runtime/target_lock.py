"""Run one reconcile of a target at a time, across all syncs.

Prefect queues the reconciles of one sync without a process. It does not know that two syncs share a target.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import runtime
from tenacity import Retrying, retry_if_exception, retry_if_result

from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.polling import polling
from diffsync_store import LeaseHeld
from diffsync_store.store.redis import Holder, Lease, RedisLeases, target_lease

LOCK_SECONDS = 150.0
"""How long a dead reconcile keeps the lock; by then Prefect has restarted it."""


class TargetBusy(RuntimeError):
    """This reconcile must not wait for another one of the target, or for the end of its maintenance."""


@contextmanager
def target_lock(context: SyncContext, sync: PrefectSyncEntry, reason: str, *, dry_run: bool = False) -> Iterator[None]:
    """Lock the sync's target against other reconciles while the body runs.

    Args:
        context: Provides the leases.
        sync: Declares the target, and whether overlapping reconciles wait or are skipped.
        reason: Identifies this run. A lock with the same reason belongs to an earlier process of this run and is taken over.
        dry_run: Whether the body changes nothing, so that it may run during maintenance.

    Raises:
        TargetBusy: Another run has the lock, and overlapping reconciles are skipped; or the target is locked for maintenance.
    """
    leases = context.leases()
    with _acquire(leases, sync, reason):
        _wait_for_running_sync(leases, sync)
        if not dry_run:
            _skip_maintenance(leases, sync)
        yield


def _acquire(leases: RedisLeases, sync: PrefectSyncEntry, reason: str) -> Lease:
    name = f"reconcile-{sync.target}"
    is_started_again = runtime.flow_run.run_count > 1

    def must_wait(error: BaseException) -> bool:
        return isinstance(error, LeaseHeld) and (sync.overlap == "enqueue" or is_started_again)

    if is_started_again and (holder := leases.holder(name)) and holder.reason == reason:
        leases.break_lease(name)

    retrying = Retrying(**polling(retry_if_exception(must_wait), f"Waiting for the reconcile of {sync.target} by"))
    try:
        return retrying(leases.take, name, reason, ttl=LOCK_SECONDS)
    except LeaseHeld as error:
        raise TargetBusy(f"{sync.target} is being reconciled by {error.holder}") from None


def _skip_maintenance(leases: RedisLeases, sync: PrefectSyncEntry) -> None:
    holder = leases.holder(target_lease(sync.target))
    if holder is not None and holder.until is None:
        raise TargetBusy(f"{sync.target} is locked by {holder}")


def _wait_for_running_sync(leases: RedisLeases, sync: PrefectSyncEntry) -> None:
    """Wait for a sync that no reconcile started: a load would read a half-changed target."""

    def is_running(holder: Holder | None) -> bool:
        return holder is not None and holder.until is not None

    retrying = Retrying(**polling(retry_if_result(is_running), f"Waiting for the sync of {sync.target} by"))
    retrying(leases.holder, target_lease(sync.target))
