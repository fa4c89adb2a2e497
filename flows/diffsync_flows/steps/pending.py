"""Refuse a load that would make a request for an approval worthless."""

from diffsync_flows.approval.pending import pending_diff_ids
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import StoreNotFound
from diffsync_store.retention import refuse_load


def refuse_pending(context: SyncContext, store_id: str) -> None:
    """Refuse to overwrite a store whose diff waits for an approval.

    Raises:
        StoreInUse: Such a diff exists.
    """
    try:
        with context.open_store(store_id) as store:
            generation = store.record().generation
    except StoreNotFound:
        return
    refuse_load(context.diffs(), store_id, generation, pending_diff_ids())
