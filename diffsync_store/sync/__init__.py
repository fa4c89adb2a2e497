"""Applying a diff under guards."""

from diffsync_store.selection import Select
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.sync import Sync

__all__ = ["Select", "Sync", "SyncOptions"]
