"""How long a saved diff and the stores that it was made from still live."""

from __future__ import annotations

from typing import Any

from diffsync_store.project import SyncContext
from diffsync_store.store.redis.keys import DiffKeys, StoreKeys

SHORT = 3600
"""Seconds; less than what the tests' projects keep their stores and diffs for."""


def shorten_lives(context: SyncContext[Any], diff_id: str) -> None:
    """Let a diff and its stores expire in `SHORT` seconds."""
    record, namespace = context.diffs().record(diff_id), context.project.namespace
    stores = [StoreKeys(each, namespace).record for each in (record.source_store_id, record.target_store_id)]
    for key in (DiffKeys(diff_id, namespace).record, *stores):
        assert context.connection.client.expire(key, SHORT)


def lives(context: SyncContext[Any], diff_id: str) -> list[int]:
    """Return in how many seconds a diff and its stores expire."""
    record, stores = context.diffs().record(diff_id), context.stores()
    found = [stores.expires_in(each) for each in (record.source_store_id, record.target_store_id)]
    return [each or 0 for each in (context.diffs().expires_in(diff_id), *found)]
