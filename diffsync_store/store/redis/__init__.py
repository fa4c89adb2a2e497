"""Stores in Redis, with their catalog and the leases on targets."""

from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.in_sync import InSync, RedisInSync
from diffsync_store.store.redis.leases import Holder, Lease, RedisLeases, target_lease
from diffsync_store.store.redis.notices import RedisNotices
from diffsync_store.store.redis.store import RedisStore

__all__ = [
    "Connection",
    "Holder",
    "InSync",
    "Lease",
    "RedisInSync",
    "RedisLeases",
    "RedisNotices",
    "RedisStore",
    "RedisStores",
    "target_lease",
]
