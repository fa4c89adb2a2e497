"""Saved diffs: the exact list of operations that a sync applies, in another process, at another time."""

from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.record import DiffRecord
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.diffs.saved_diff import SavedDiff

__all__ = ["DiffRecord", "OperationHistory", "RedisDiffs", "SavedDiff"]
