"""What computes a diff and what applies one, under diffsync's names: for programs that have a diff and no adapter's method for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from diffsync_store.diff import Diff
from diffsync_store.differ import Differ
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.syncer import Syncer

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter

Callback = Callable[[str, int, int], None]


class DiffSyncDiffer(Differ):
    """One comparison of two adapters."""

    def __init__(
        self,
        src_diffsync: Adapter,
        dst_diffsync: Adapter,
        flags: DiffSyncFlags,
        diff_class: type[Diff] = Diff,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(src_diffsync, dst_diffsync, DiffSyncFlags(flags), diff_class, callback)

    def calculate_diffs(self) -> Diff:
        """Compare, and give the diff; as `Adapter.diff_from`."""
        return self.run()


class DiffSyncSyncer(Syncer):
    """One application of a diff; the target's `sync_complete` is not called."""

    def __init__(
        self,
        diff: Diff,
        src_diffsync: Adapter,
        dst_diffsync: Adapter,
        flags: DiffSyncFlags,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(diff, src_diffsync, dst_diffsync, DiffSyncFlags(flags), callback)

    def perform_sync(self) -> bool:
        """Apply; tell whether any operation was attempted.

        Raises:
            ObjectCrudException: an operation was refused, and the flags do not ask to go on.
        """
        return self.run()
