"""`diffsync-store undo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import EXIT_DIFFERENCES, echo, echo_error, project_command
from diffsync_store.cli.connection import Context, open_context
from diffsync_store.cli.documents import print_plan
from diffsync_store.cli.formatting import console, while_read
from diffsync_store.cli.notifying import notify_approval
from diffsync_store.cli.plan import DEFAULT_SHOWN, Allow, Shown
from diffsync_store.cli.plan_view import show_plan, shown_note
from diffsync_store.cli.planning import drop, warn_of_running_sync
from diffsync_store.cli.progress import Bars, progress_bars
from diffsync_store.diffs import SavedDiff
from diffsync_store.runs import Plan, SyncRequest, drop_stores, load, make_plan, make_undo, new_id, open_undoable


@project_command
def undo(
    diff_id: Annotated[str, typer.Argument(metavar="DIFF_ID", help="The saved diff whose changes are taken back.")],
    *,
    out: Annotated[
        str, typer.Option(metavar="DIFF_ID", show_default=False, help="Id of the new diff; by default a new one.")
    ] = "",
    limit: Shown = DEFAULT_SHOWN,
    allow: Allow = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON document.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if there is something to apply.")] = False,
    file: Path | None = None,
) -> None:
    """Save a diff that takes back what an applied diff has changed, and show it. `apply` applies it, as any other diff.

    The target is loaded first. A record that somebody has changed since is left alone and listed; so is what cannot be undone.
    """
    with open_context(file) as context:
        saved = open_undoable(context, diff_id)
        request = SyncRequest(out or new_id("undo"), allow=tuple(allow or ()))
        with progress_bars() as bars:
            plan = _make(context, saved, request, bars)
        if not plan.saved.record.operations:
            drop(context, plan)
        with while_read():
            if as_json:
                print_plan(plan, request.diff_id if plan.saved.record.operations else None, with_changes=True)
            else:
                _show(plan, limit)
        notify_approval(context, plan)
    if exit_code and plan.has_changes:
        raise typer.Exit(EXIT_DIFFERENCES)


def _make(context: Context, saved: SavedDiff, request: SyncRequest, bars: Bars) -> Plan:
    """Load the target, save the undo, and plan it."""
    target = saved.record.target_name
    warn_of_running_sync(context, target)
    store_id = new_id(target)
    try:
        load(context, target, store_id, bars.watch_load(context))
        make_undo(context, saved, store_id, request.diff_id)
        return make_plan(context, request)
    except BaseException:
        drop_stores(context, store_id)
        raise


def _show(plan: Plan, limit: int) -> None:
    record = plan.saved.record
    show_plan(console(), plan, limit)
    if not record.operations:
        return
    if note := shown_note(record.summary, limit):
        echo(note)
    if plan.needs_approval:
        echo("The file requires an approval: `apply` asks for it.")
    echo(f"diff_id: {record.diff_id}")
    echo_error(f"Apply it with: diffsync-store apply {record.diff_id}")
