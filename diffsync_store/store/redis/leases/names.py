"""Names of leases."""

from __future__ import annotations

import hashlib
import re

from diffsync_store.store.redis.keys import is_id

_TARGET = "target-"
_MAX_SLUG = 100
_ENDS_IN_DIGEST = re.compile(".*-[0-9a-f]{16}")


def target_lease(adapter_name: str) -> str:
    """Return the name of the lease on an adapter's system, which is the same for all stores that it is loaded into.

    No two adapters share a name, not even if one is called `target-x`. If the adapter's name is not a valid `store_id`, the
    name of the lease has a digest of it.
    """
    if is_id(f"{_TARGET}{adapter_name}") and not _ENDS_IN_DIGEST.fullmatch(adapter_name):
        return f"{_TARGET}{adapter_name}"
    slug = re.sub("[^A-Za-z0-9._-]+", "-", adapter_name)[:_MAX_SLUG]
    return f"{_TARGET}{slug}-{hashlib.sha256(adapter_name.encode()).hexdigest()[:16]}"


def lease_arguments(name: str) -> str:
    """Return the arguments that name a lease in `diffsync-store lease`, `lock` and `unlock`."""
    return name.removeprefix(_TARGET) if name.startswith(_TARGET) else f"{name} --store"


def lease_subject(name: str) -> str:
    """Return what a lease is on, for messages: a target or a store, and its name."""
    return f"{'target' if name.startswith(_TARGET) else 'store'} {name.removeprefix(_TARGET)!r}"
