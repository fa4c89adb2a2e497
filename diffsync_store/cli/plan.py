"""`diffsync-store plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from diffsync_store.cli.app import EXIT_DIFFERENCES, echo, echo_error, project_command
from diffsync_store.cli.connection import Context, open_context
from diffsync_store.cli.documents import print_plan
from diffsync_store.cli.formatting import console, while_read
from diffsync_store.cli.notifying import notified_failure, notify_approval
from diffsync_store.cli.plan_view import show_plan, shown_note
from diffsync_store.cli.planning import compare, drop
from diffsync_store.cli.progress import progress_bars
from diffsync_store.cli.rehearsal_view import show_rehearsal
from diffsync_store.cli.rehearsing import rehearse_plan
from diffsync_store.project import UserError
from diffsync_store.runs import Plan, Rehearsed, SyncRequest, new_id, parse_selection
from diffsync_store.store.redis.keys import DiffKeys

Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="ALLOWANCE", help="Allow once what a guard suppresses; the plan shows the value. Repeatable."),
]
Selected = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="MODEL[:UNIQUE_ID]",
        help="Only these operations and those that they depend on; *, ? and \\[abc] are wildcards. Repeatable.",
    ),
]
Excluded = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="MODEL[:UNIQUE_ID]", help="Leave out these operations. Repeatable."),
]
Shown = Annotated[int, typer.Option("--limit", min=1, help="Maximum operations of each action to show.")]
DEFAULT_SHOWN = 30


class _PlanCommand(TyperCommand):
    """Lets `--out` have no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for number, word in enumerate(args):
            if word == "--out" and (number + 1 == len(args) or args[number + 1].startswith("-")):
                args[number] = "--out="
        return super().parse_args(ctx, args)


def plan(
    sync: Annotated[str, typer.Argument(metavar="SYNC", help="Name of the sync in the YAML file.")],
    *,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="[DIFF_ID]",
            help="Save the diff for `apply DIFF_ID`. Without an id, a new one is created and printed.",
        ),
    ] = None,
    limit: Shown = DEFAULT_SHOWN,
    summary: Annotated[bool, typer.Option("--summary", help="Show only the number of operations by model.")] = False,
    select: Selected = None,
    exclude: Excluded = None,
    allow: Allow = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON document.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 if there is something to apply.")] = False,
    file: Path | None = None,
) -> None:
    """Load both sides of a sync and show what `apply` would change. Neither system is changed."""
    request = SyncRequest(
        out or new_id(sync),
        sync,
        tuple(allow or ()),
        select=tuple(map(parse_selection, select or ())),
        exclude=tuple(map(parse_selection, exclude or ())),
    )
    with open_context(file) as context:
        _require_free(context, request, is_named=bool(out))
        with progress_bars() as bars, notified_failure(context, sync, request.diff_id):
            found = compare(context, request, bars)
        try:
            rehearsed = rehearse_plan(context, found, request)
            with while_read():
                if as_json:
                    print_plan(
                        found, None if out is None else request.diff_id, with_changes=not summary, rehearsed=rehearsed
                    )
                else:
                    _show(found, 0 if summary else limit, rehearsed, is_saved=out is not None)
        finally:
            if out is None:
                drop(context, found)
            else:
                notify_approval(context, found)
    if exit_code and found.has_changes:
        raise typer.Exit(EXIT_DIFFERENCES)


project_command(plan, cls=_PlanCommand)


def _require_free(context: Context, request: SyncRequest, *, is_named: bool) -> None:
    """Refuse a diff_id that `apply` would take for something else, before the loads."""
    context.project.sync(request.sync_name)
    if is_named:
        DiffKeys(request.diff_id)
        if request.diff_id in context.project.syncs:
            raise UserError(f"{request.diff_id} is the name of a sync. Give another diff_id.")


def _show(found: Plan, limit: int, rehearsed: Rehearsed | None, *, is_saved: bool) -> None:
    show_plan(console(), found, limit)
    if note := shown_note(found.saved.record.summary, limit):
        echo(note)
    if rehearsed is not None:
        show_rehearsal(rehearsed)
    if found.needs_approval and found.has_changes:
        echo("The file requires an approval: `apply` asks for it.")
    if is_saved:
        echo(f"diff_id: {found.saved.record.diff_id}")
        if found.has_changes:
            echo_error(f"Apply it with: diffsync-store apply {found.saved.record.diff_id}")
