"""Load both sides of a sync and save their diff."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.project import SyncContext
from diffsync_store.runs import load_both, new_id
from diffsync_store.stored_adapter import StoredAdapter


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
        load_both(context, store_ids)
        with (
            context.open_store(store_ids[declared.source]) as source,
            context.open_store(store_ids[declared.target]) as target,
        ):
            context.diffs(declared.diff_retention).compare(
                StoredAdapter(source),
                StoredAdapter(target),
                diff_id,
                flags=declared.combined_flags,
                guards=declared.guards,
                rules=context.project.field_rules(declared.source, declared.target),
                callback=callback,
            )
    except BaseException:
        for store_id in store_ids.values():
            with suppress(ObjectStoreException), context.open_store(store_id) as store:
                store.drop()
        raise
