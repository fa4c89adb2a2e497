"""One reconcile of a target at a time, of whichever sync: those that come meanwhile queue up or are skipped, as declared.

Prefect has reconciles of one sync queue up by itself, without a process; it knows nothing of two syncs with one target.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect import get_run_logger, runtime

from diffsync_flows.config.config import Config
from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.runtime.threads import in_thread
from diffsync_store import LeaseHeld
from diffsync_store.store.redis import Lease, RedisLeases, target_lease

POLL_SECONDS = 1
TTL = 150.0
"""Seconds for which a reconcile that has died keeps its turn: until it is found dead and started again."""


class TargetBusy(RuntimeError):
    """Another reconcile of the target is under way, and this one is not to wait for it."""


@asynccontextmanager
async def target_lock(config: Config, sync: PrefectSyncEntry, reason: str) -> AsyncIterator[None]:
    """Wait for the turn of a sync's target, and have it while the body runs.

    Args:
        config: where the leases are.
        sync: what is declared: whom it changes, and what becomes of reconciles that overlap.
        reason: what for; another process that has it for the same reason was killed, and is waited for in any case.

    Raises:
        TurnTaken: somebody else has it, and overlapping ones are to be skipped.
    """
    async with in_thread(config.open_leases()) as leases:
        lease = await _acquire(leases, sync, reason)
        async with in_thread(lease):
            await _wait_for_running_sync(leases, sync)
            yield


async def _wait_for_running_sync(leases: RedisLeases, sync: PrefectSyncEntry) -> None:
    """Wait while a sync that was started by itself changes the target: what is loaded meanwhile is half of it."""
    is_logged = False
    while (holder := await asyncio.to_thread(leases.holder, target_lease(sync.target))) and holder.until:
        if not is_logged:
            get_run_logger().info("Waiting until %s is not changed any more by %s", sync.target, holder)
            is_logged = True
        await asyncio.sleep(POLL_SECONDS)


async def _acquire(leases: RedisLeases, sync: PrefectSyncEntry, reason: str) -> Lease:
    is_logged = False
    while True:
        try:
            return await asyncio.to_thread(leases.take, f"reconcile-{sync.target}", reason, ttl=TTL)
        except LeaseHeld as error:
            is_own = error.holder is not None and error.holder.reason == reason
            if sync.overlap == "skip" and not is_own and runtime.flow_run.run_count <= 1:
                raise TargetBusy(f"{sync.target} is being reconciled by {error.holder}") from None
            if not is_logged:
                get_run_logger().info("Waiting until %s has been reconciled by %s", sync.target, error.holder)
                is_logged = True
        await asyncio.sleep(POLL_SECONDS)
