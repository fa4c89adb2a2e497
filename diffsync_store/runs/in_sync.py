"""Remember when the two sides of a sync were equal."""

from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.project import SyncContext


def record_in_sync(context: SyncContext[Any], saved: SavedDiff) -> bool:
    """Remember that a sync is in sync, if its diff has no operations or all of them were applied; return whether it is.

    The time is that of the load of the source: of what happened in it since then, nothing is known. A partial load proves nothing.
    """
    record = saved.record
    if record.undoes or (record.operations and saved.journal().application() is None):
        return False
    try:
        with context.open_store(record.source_store_id) as store:
            source = store.require_load(record.source_generation) if record.source_generation else store.record()
    except ObjectStoreException:  # the store is gone, or was loaded again
        return False
    if source.state is not StoreState.COMPLETE:
        return False
    context.in_sync().record(record.source_name, record.target_name, source.updated)
    return True
