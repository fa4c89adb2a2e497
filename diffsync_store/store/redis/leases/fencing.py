"""Refuse writes under earlier leases in all partitions of a store."""

from __future__ import annotations

from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys
from diffsync_store.store.redis.partitions import partitions_of
from diffsync_store.store.redis.scripts import leases as scripts
from diffsync_store.store.redis.scripts.pipeline import Call, call_each

_REMEMBERED = 4 * DEFAULT_TTL
"""Seconds for which a partition remembers the last token."""


def fence(client: Any, keys: StoreKeys, token: int, owner: str) -> None:
    """Repeat the token of a new lease in the other partitions of the store, if there is a store with several.

    The first partition has the lease itself: a load that begins under an earlier lease is refused there.
    """
    with translated_errors():
        generation, recorded = client.hmget(keys.record, "generation", "partitions")
        if generation is None:
            return
        partitions = partitions_of(client, keys, recorded)
        calls: list[Call] = [([each.lease], [token, owner, _REMEMBERED]) for each in partitions.keys[1:]]
        call_each(client, scripts.FENCE, calls)
