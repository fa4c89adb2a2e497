"""One partition of a store, as a writer sees it."""

from __future__ import annotations

from dataclasses import dataclass

from diffsync_store.store.redis.keys import StoreKeys


@dataclass(slots=True)
class Gate:
    """What a writer knows of a partition, whose scripts admit the writer by themselves."""

    keys: StoreKeys
    epoch: bytes = b""
    """It changes when another process writes to the partition."""
    is_shared: bool = False
    """Whether there are other writers."""
    claim_until: float = 0.0
    """End of the claim on the monotonic clock; 0 without a claim."""
    batches: int = 0
    """Number of batches sent under the writer's token."""
