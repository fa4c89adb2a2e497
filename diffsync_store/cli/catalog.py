"""The names in a Redis: stores, saved diffs, and the adapters that they belong to."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.store.redis.catalog import RedisStores


def known_stores(**redis: Any) -> list[str]:
    """Return the store_ids of the stores."""
    with closing(RedisStores(**redis)) as stores:
        return [record.store_id for record in stores.list()]


def known_diffs(**redis: Any) -> list[str]:
    """Return the diff_ids of the saved diffs."""
    with closing(RedisDiffs(**redis)) as diffs:
        return [record.diff_id for record in diffs.list()]


def known_targets(**redis: Any) -> list[str]:
    """Return the names of the adapters that stores and saved diffs belong to."""
    with closing(RedisStores(**redis)) as stores, closing(RedisDiffs(**redis)) as diffs:
        names = {record.name for record in stores.list()}
        for record in diffs.list():
            names |= {record.source_name, record.target_name}
    return sorted(names - {""})
