"""Take the lease on a target, and wait for that of another process."""

import time
from collections.abc import Callable

from diffsync_store.exceptions import LeaseHeld
from diffsync_store.store.redis import Lease, RedisLeases, target_lease

_PAUSE = 0.5


def wait_for_lease(
    leases: RedisLeases,
    target: str,
    reason: str,
    *,
    seconds: float,
    ttl: float,
    group: str = "",
    on_wait: Callable[[LeaseHeld], None] = lambda _: None,
    pause: Callable[[float], object] = time.sleep,
) -> Lease:
    """Take the lease on a target. Its holder may be dead; then its lease expires while this waits.

    Args:
        leases: takes it.
        target: name of the adapter to change.
        reason: others see it.
        seconds: how long to wait at most. A target that is locked for maintenance is not waited for.
        ttl: seconds after which the lease of a dead process expires.
        group: processes that name the same group share the lease.
        on_wait: called once, when the wait begins.
        pause: waits the given seconds; returns true to give up.

    Raises:
        LeaseHeld: somebody else still has it.
    """
    deadline, is_waiting = time.monotonic() + seconds, False
    while True:
        try:
            return leases.take(target_lease(target), reason, ttl=ttl, group=group)
        except LeaseHeld as error:
            is_locked = error.holder is not None and error.holder.until is None
            if is_locked or time.monotonic() > deadline:
                raise
            if not is_waiting:
                on_wait(error)
            is_waiting = True
            if pause(_PAUSE):
                raise
