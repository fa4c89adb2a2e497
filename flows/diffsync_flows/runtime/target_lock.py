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
    """Another reconcile of the target is running, and this one must not wait for it."""


@contextmanager
def target_lock(context: SyncContext, sync: PrefectSyncEntry, reason: str) -> Iterator[None]:
    """Lock the sync's target against other reconciles while the body runs.

    Args:
        context: Provides the leases.
        sync: Declares the target, and whether overlapping reconciles wait or are skipped.
        reason: Identifies this run. A lock with the same reason belongs to a dead process of this run and is waited for.

    Raises:
        TargetBusy: Another run has the lock, and overlapping reconciles are skipped.
    """
    leases = context.leases()
    with _acquire(leases, sync, reason):
        _wait_for_running_sync(leases, sync)
        yield


def _acquire(leases: RedisLeases, sync: PrefectSyncEntry, reason: str) -> Lease:
    def must_wait(error: BaseException) -> bool:
        if not isinstance(error, LeaseHeld):
            return False
        is_own = error.holder is not None and error.holder.reason == reason
        return sync.overlap == "enqueue" or is_own or runtime.flow_run.run_count > 1

    retrying = Retrying(**polling(retry_if_exception(must_wait), f"Waiting for the reconcile of {sync.target} by"))
    try:
        return retrying(leases.take, f"reconcile-{sync.target}", reason, ttl=LOCK_SECONDS)
    except LeaseHeld as error:
        raise TargetBusy(f"{sync.target} is being reconciled by {error.holder}") from None


def _wait_for_running_sync(leases: RedisLeases, sync: PrefectSyncEntry) -> None:
    """Wait for a sync that no reconcile started: a load would read a half-changed target."""

    def is_running(holder: Holder | None) -> bool:
        return holder is not None and holder.until is not None

    retrying = Retrying(**polling(retry_if_result(is_running), f"Waiting for the sync of {sync.target} by"))
    retrying(leases.holder, target_lease(sync.target))
