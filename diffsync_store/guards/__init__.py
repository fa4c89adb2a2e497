"""Guards: limits of what a sync may change, checked before it begins. Options and pure functions, no I/O."""

from diffsync_store.guards.change_limits import ChangeLimits, Excess, Limit, Limits
from diffsync_store.guards.completeness import Completeness, Hold
from diffsync_store.guards.guards import Guards, Holds, counted

__all__ = ["ChangeLimits", "Completeness", "Excess", "Guards", "Hold", "Holds", "Limit", "Limits", "counted"]
