"""Remember when the two sides of a sync were equal."""

from datetime import datetime
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.project import SyncContext
from diffsync_store.result import SyncResult


def record_in_sync(context: SyncContext[Any], saved: SavedDiff, result: SyncResult | None = None) -> datetime | None:
    """Remember that a sync is in sync, if its diff has no operations, or all of them were applied just now.

    The time is that of the load of the source: of what happened in it since then, nothing is known. An undo makes the target differ
    from its source, and a partial load proves nothing.

    Args:
        context: the project.
        saved: the diff.
        result: what was applied, by all agents together; None if the diff has just been made.

    Returns:
        When the source was loaded that the target equals; None if they may differ.
    """
    record = saved.record
    if record.undoes or not _leaves_nothing(saved, result):
        return None
    try:
        with context.open_store(record.source_store_id) as store:
            source = store.require_load(record.source_generation) if record.source_generation else store.record()
    except ObjectStoreException:  # the store is gone, or was loaded again
        return None
    if source.state is not StoreState.COMPLETE:
        return None
    context.in_sync().record(record.source_name, record.target_name, source.updated)
    return source.updated


def _leaves_nothing(saved: SavedDiff, result: SyncResult | None) -> bool:
    """Whether nothing of a diff is left. An earlier run proves nothing: since then, another diff may have changed the target."""
    if result is None:
        return not saved.record.operations
    if result.applied_before or result.skipped or not result.is_complete:
        return False
    return not saved.record.operations or saved.journal().application() is not None  # other agents may go on
