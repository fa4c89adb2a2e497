"""Load both sides of a sync and save their diff, or load its target and save an undo."""

from collections.abc import Callable
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.notify import Notifier, loaded
from diffsync_store.project import SyncContext
from diffsync_store.runs import compare_stores, drop_stores, load, load_both, make_undo, new_id


def load_and_compare(
    context: SyncContext[Any], sync_name: str, diff_id: str, callback: Callable[[str, int, int], None]
) -> None:
    """Load source and target into new stores, and save their diff.

    Raises:
        Exception: a load failed; its stores are dropped.
    """
    declared = context.project.sync(sync_name)
    store_ids = {name: new_id(name) for name in (declared.source, declared.target)}
    try:
        records = load_both(context, store_ids)
        notifier = Notifier(context)
        for name, record in records.items():
            notifier.send(loaded(name, record, context.project.syncs_of(name), link=notifier.link_to()))
        compare_stores(context, sync_name, store_ids, diff_id, callback)
    except BaseException:
        drop_stores(context, *store_ids.values())
        raise


def load_and_undo(context: SyncContext[Any], saved: SavedDiff, undo_id: str) -> None:
    """Load the target of a diff into a new store, and save the undo of the diff.

    Raises:
        Exception: the load failed; its store is dropped.
    """
    target = saved.record.target_name
    store_id = new_id(target)
    try:
        load(context, target, store_id)
        make_undo(context, saved, store_id, undo_id)
    except BaseException:
        drop_stores(context, store_id)
        raise
