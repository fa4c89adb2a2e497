"""Take the lease on a target: one sync at a time may change it."""

from tenacity import Retrying, retry_if_exception

from diffsync_flows.runtime.polling import polling
from diffsync_store import LeaseHeld
from diffsync_store.runs import LEASE_SECONDS
from diffsync_store.store.redis import Lease, RedisLeases, target_lease


def take_target_lease(leases: RedisLeases, adapter: str, reason: str, group: str = "") -> Lease:
    """Take the lease on an adapter's system.

    Waits for a lease with the same reason. It belongs to a dead process of this run and expires, or to a live process that
    was thought dead and whose work is not repeated.

    Args:
        leases: Takes it.
        adapter: Name of the target.
        reason: Others see it.
        group: Runs that name the same group share the lease.

    Raises:
        LeaseHeld: Another run has the lease, or the target is locked for maintenance.
    """

    def is_own(error: BaseException) -> bool:
        holder = error.holder if isinstance(error, LeaseHeld) else None
        return holder is not None and holder.reason == reason and holder.until is not None

    retrying = Retrying(
        **polling(retry_if_exception(is_own), "Waiting for the lease of an earlier process of this run:")
    )
    return retrying(leases.take, target_lease(adapter), reason, ttl=LEASE_SECONDS, group=group)
