"""Guards: what a sync must not do, checked before its first operation."""

from diffsync_store.guards.change_limits import ChangeLimits, Excess, Limit, Limits
from diffsync_store.guards.completeness import Completeness
from diffsync_store.guards.guards import Guards, count_operations
from diffsync_store.suppression import Suppression, Suppressions

__all__ = [
    "ChangeLimits",
    "Completeness",
    "Excess",
    "Guards",
    "Limit",
    "Limits",
    "Suppression",
    "Suppressions",
    "count_operations",
]
