"""Load both sides of a sync, compare them, and plan."""

from __future__ import annotations

import time

from diffsync_store.cli.app import echo_error
from diffsync_store.cli.connection import Context
from diffsync_store.cli.formatting import one_line
from diffsync_store.cli.notifying import notify_loads
from diffsync_store.cli.progress import Bars, error_console
from diffsync_store.runs import Plan, SyncRequest, compare_stores, drop_stores, load_both, make_plan, new_id
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import target_lease


def compare(context: Context, request: SyncRequest, bars: Bars) -> Plan:
    """Load both sides of the request's sync, save their diff under its diff_id, and plan.

    Raises:
        Exception: a load failed.
    """
    declared = context.project.sync(request.sync_name)
    warn_of_running_sync(context, declared.target)
    store_ids = {name: new_id(name) for name in (declared.source, declared.target)}
    started = time.monotonic()
    try:
        loaded = load_both(context, store_ids, bars.watch_load(context))
        notify_loads(context, loaded.values())
        for name in store_ids:
            _report_load(loaded[name], time.monotonic() - started)
        compare_stores(context, request.sync_name, store_ids, request.diff_id, bars)
        return make_plan(context, request)
    except BaseException:
        drop_stores(context, *store_ids.values())
        raise


def drop(context: Context, plan: Plan) -> None:
    """Drop the diff of a plan and its two stores."""
    plan.saved.drop()
    drop_stores(context, plan.source.store_id, plan.target.store_id)


def warn_of_running_sync(context: Context, target: str) -> None:
    """Warn if somebody changes the target while it is loaded."""
    holder = context.leases().holder(target_lease(target))
    if holder is not None:
        echo_error(
            f"Warning: {target} is locked or being changed: {holder}. The loaded records may soon be out of date."
        )


def _report_load(record: StoreRecord, seconds: float) -> None:
    objects = sum(record.counts.values())
    error_console().print(
        one_line(f"Loaded {record.name}: {objects:,} objects, {record.state.value}, {seconds:.1f} s"), markup=False
    )
