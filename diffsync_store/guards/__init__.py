"""Guards: limits of what a sync may change, checked before it begins. Options and pure functions, no I/O."""

from diffsync_store.guards.budget import Budget, Excess, Limit, Limits
from diffsync_store.guards.completeness import Completeness, Hold
from diffsync_store.guards.guards import Guards, Holds, counted

__all__ = ["Budget", "Completeness", "Excess", "Guards", "Hold", "Holds", "Limit", "Limits", "counted"]
