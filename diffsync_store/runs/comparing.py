"""Compare the loaded stores of a sync as the file declares it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.project import SyncContext
from diffsync_store.runs.in_sync import record_in_sync
from diffsync_store.stored_adapter import StoredAdapter


def compare_stores(
    context: SyncContext[Any],
    sync_name: str,
    store_ids: Mapping[str, str],
    diff_id: str,
    callback: Callable[[str, int, int], None],
) -> None:
    """Save the diff of a sync, with its flags, guards and field rules.

    Args:
        context: the project.
        sync_name: the sync.
        store_ids: the stores of its source and its target, by the name of the adapter.
        diff_id: the id of the diff.
        callback: called with stage, number done, total number.
    """
    declared = context.project.sync(sync_name)
    with (
        context.open_store(store_ids[declared.source]) as source,
        context.open_store(store_ids[declared.target]) as target,
    ):
        diffs = context.diffs(declared.diff_retention)
        diffs.compare(
            StoredAdapter(source),
            StoredAdapter(target),
            diff_id,
            flags=declared.combined_flags,
            guards=declared.guards,
            rules=context.project.field_rules(declared.source, declared.target),
            operation_rules=declared.operation_rules,
            callback=callback,
        )
    record_in_sync(context, diffs.open(diff_id))


def drop_stores(context: SyncContext[Any], *store_ids: str) -> None:
    """Drop stores that nothing needs."""
    for store_id in store_ids:
        with suppress(ObjectStoreException), context.open_store(store_id) as store:
            store.drop()
