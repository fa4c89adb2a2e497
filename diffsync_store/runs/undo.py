"""Make a saved diff that takes back what the syncs of another one have done."""

from typing import Any

from diffsync_store.diffs import SavedDiff, Undo
from diffsync_store.exceptions import DiffNotFound
from diffsync_store.project import SyncContext, UserError
from diffsync_store.runs.target import find_sync
from diffsync_store.store.redis import target_lease


def open_undoable(context: SyncContext[Any], diff_id: str, sync_name: str = "") -> SavedDiff:
    """Open a diff to undo.

    Args:
        context: the project.
        diff_id: the diff.
        sync_name: the sync that the diff must belong to; empty for any.

    Raises:
        UserError: it is gone, belongs to another sync, is being applied, or nothing of it was applied.
    """
    try:
        saved = context.diffs().open(diff_id)
    except DiffNotFound as error:
        raise UserError(
            f"Diff {diff_id} cannot be undone, because it is not saved any more: it was dropped, or is past its retention. What a "
            "sync did is known only as long as its diff is kept. To keep diffs longer, set `diff_retention` of the sync."
        ) from error
    record = saved.record
    if sync_name:
        context.project.require_pair(sync_name, record.source_name, record.target_name, f"Diff {diff_id} is")
    find_sync(context.project, record)
    journal = saved.journal()
    if journal.is_running() and (holder := context.leases().holder(target_lease(record.target_name))) is not None:
        raise UserError(
            f"Diff {diff_id} is being applied: {record.target_name} is in use by {holder}. Wait until its sync has ended, or stop "
            "it, and undo it then."
        )
    if journal.is_empty():
        raise UserError(f"Nothing of diff {diff_id} was applied, so there is nothing to undo.")
    return saved


def make_undo(context: SyncContext[Any], saved: SavedDiff, target_store_id: str, undo_id: str) -> Undo:
    """Save the undo of a diff, and return what it cannot take back.

    Args:
        context: the project.
        saved: the diff to undo, from `open_undoable`.
        target_store_id: the store of its target, loaded after the last sync of the diff.
        undo_id: the id of the new diff.

    Raises:
        UserError: the store is of another adapter.
        StoreNotFound, StoreNotComplete: the store cannot be compared.
    """
    record = saved.record
    _, declared = find_sync(context.project, record)
    with context.open_store(target_store_id) as store:
        name = store.record().name
        if name != record.target_name:
            raise UserError(
                f"Store {target_store_id} has the records of {name}, and diff {record.diff_id} has changed "
                f"{record.target_name}. Load {record.target_name} and give that store."
            )
        target = context.project.make_adapter(record.target_name, store)
        diffs, rules = context.diffs(declared.diff_retention), declared.operation_rules
        return diffs.undo(saved, target, undo_id, guards=declared.guards, operation_rules=rules)
