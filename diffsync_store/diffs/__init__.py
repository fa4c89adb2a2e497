"""Saved diffs: the exact list of operations that a sync applies, in another process, at another time."""

from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.diffs.undo import Undo
from diffsync_store.store.redis.diffs import DiffRecord, RedisDiff, Subtree

__all__ = ["DiffRecord", "OperationHistory", "RedisDiff", "RedisDiffs", "SavedDiff", "Subtree", "Undo"]
