"""Leases in Redis: one writer per target, each with a fencing token.

A lease says who may change a target. Its key is next to a store, under the store's hash tag; it outlives the loads of the
store, and ends if its process gives no sign of life. The claim of the writers of a store (`scripts/store.py`) is something
else: it is short, only for buffering, and every writer can have it in turn.
"""

from diffsync_store.store.redis.leases.holder import Holder
from diffsync_store.store.redis.leases.lease import Lease
from diffsync_store.store.redis.leases.leases import RedisLeases
from diffsync_store.store.redis.leases.names import target_lease

__all__ = ["Holder", "Lease", "RedisLeases", "target_lease"]
