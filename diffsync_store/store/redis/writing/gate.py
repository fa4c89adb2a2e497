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
    has_transactions: bool | None = None
    """Whether the server takes transactions from this client; None before it is known."""
    can_add_new_only: bool = False
    """Whether the server can add objects only if none of them is stored."""
    batches: int = 0
    """Number of batches sent under the writer's token."""
