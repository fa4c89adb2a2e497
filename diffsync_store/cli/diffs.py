"""Commands for saved diffs: `diffs`, `changes`, `rejects`, `history`, `approve`, `resolve`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from diffsync_store.cli.app import (
    Limit,
    command,
    echo,
    echo_error,
    echo_omitted,
    open_diffs,
)
from diffsync_store.cli.formatting import console, escape_json, format_age, table
from diffsync_store.cli.render import (
    ACTIONS,
    diff_outcome,
    history_json,
    no_history,
    operation_json,
    show_changes,
    show_history,
    show_rejects,
)
from diffsync_store.enum import OperationState
from diffsync_store.operation import OperationFilter
from diffsync_store.printable import printable_lines
from diffsync_store.runs import find_whole_rehearsal, more_people, refused_operations
from diffsync_store.sync.reject_export import to_csv, to_json

_RESUMES = (
    "It continues automatically where `diffsync-flows resume --every 10` runs. Otherwise run `diffsync-flows resume` once, "
    "with the YAML file of the project and PREFECT_API_URL."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@command
def diffs(limit: Limit = 50) -> None:
    """List the saved diffs, the newest first."""
    with open_diffs() as saved_diffs:
        records = list(saved_diffs.list())
        rows = [
            (
                record.diff_id,
                f"{record.source_name} → {record.target_name}",
                *(record.summary.get(action, 0) for action in ACTIONS),
                diff_outcome(saved_diffs.from_record(record)),
                format_age(record.created),
            )
            for record in records[:limit]
        ]
    if not rows:
        echo_error("No saved diffs.")
        return
    console().print(table(("diff_id", "source → target", *ACTIONS, "outcome", "created"), rows))
    echo_omitted(len(records), limit)


@command
def changes(
    diff_id: str,
    *,
    start: Annotated[int, typer.Option(min=0, help="Number of the first operation, from 0.")] = 0,
    limit: Limit = 50,
    model: Annotated[str, typer.Option(help="Show only this model.")] = "",
    action: Annotated[Literal["", "create", "update", "delete"], typer.Option(help="Show only this action.")] = "",
    unique_id: Annotated[str, typer.Option("--id", help="Show only this unique id. Requires --model.")] = "",
    state: Annotated[OperationState | None, typer.Option(help="Show only operations in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the operations of a saved diff, page by page."""
    if unique_id and not model:
        raise typer.BadParameter("--id requires --model, because objects of two models may have the same unique id.")
    matching = OperationFilter(model, action, unique_id)
    with open_diffs() as saved_diffs:
        saved = saved_diffs.open(diff_id)
        found = list(saved.operations(start, limit + 1, matching=matching, state=state))
    page = found[:limit]
    if as_json:
        for operation in page:
            echo(escape_json(operation_json(operation)))
        return
    if not page:
        echo_error(f"None of the {saved.record.operations:,} operations matches.")
        return
    show_changes(page)
    if len(found) > limit:
        total = "" if state or matching != OperationFilter() else f" of {saved.record.operations:,}"
        echo(f"Rows {start} to {start + limit - 1}{total}. Show the next with --start {start + limit}.")


@command
def rejects(
    diff_id: str,
    *,
    limit: Limit = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print all rejects as a JSON list.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rejects as CSV.")] = False,
) -> None:
    """List the operations of a saved diff that were not applied, with the reasons: failed, conflict, blocked, unknown."""
    with open_diffs() as saved_diffs:
        found = list(saved_diffs.open(diff_id).rejects())
    if as_json:
        typer.echo(printable_lines(to_json(found)))
    elif as_csv:
        typer.echo(printable_lines(to_csv(found)), nl=False)
    elif not found:
        echo_error("No rejects.")
    else:
        show_rejects(found[:limit])
        echo_omitted(len(found), limit)


@command
def history(
    model: Annotated[str, typer.Argument(help="Name of the model, as in `show` and `changes`.")],
    unique_id: Annotated[str, typer.Argument(help="Unique id of the object, as in `changes`.")],
    *,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show the operations on one object in all saved diffs, the newest first."""
    with open_diffs() as saved_diffs:
        found = list(islice(saved_diffs.history(model, unique_id), limit))
        message = "" if found else no_history(saved_diffs.list(), model, unique_id)
    if message:
        echo_error(message)
    elif as_json:
        for entry in found:
            echo(escape_json(history_json(entry)))
    else:
        show_history(found)


@command
def approve(
    diff_id: str,
    *,
    by: Annotated[str, typer.Option(help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Reason, such as the number of a change request.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="Reject the diff instead.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ALLOWANCE", help="Approve also what a sync with this allowance applies. Repeat it for more."
        ),
    ] = None,
    exclude_refused: Annotated[
        bool, typer.Option("--exclude-refused", help="Leave out what a rehearsal found that the target would refuse.")
    ] = False,
) -> None:
    """Approve a saved diff in its current form. `diffsync-flows resume` resumes the runs that wait for it."""
    with open_diffs() as saved_diffs:
        saved = saved_diffs.open(diff_id)
        leaves_out = exclude_refused and not reject
        exclude = refused_operations(saved, find_whole_rehearsal(saved, tuple(allow or ()))) if leaves_out else ()
        if reject:
            saved.reject(by=by, reason=reason)
        else:
            saved.approve(by=by, reason=reason, allow=allow or (), exclude=exclude)
        journal = saved.journal()
        pending, rehearsal = [*journal.approval_requests().values()], journal.rehearsal()
        more = more_people(journal.approval(), saved.record)
    echo(f"{'Rejected' if reject else 'Approved'}: {saved.record.operations - len(exclude):,} operations.")
    if more and not reject:
        echo(more)
    if rehearsal is not None and rehearsal.refused and not reject:
        what = "left out" if exclude else "approved too: it fails in a sync. To leave it out, add --exclude-refused"
        echo(f"What the target would refuse, {rehearsal.refused:,} operations, is {what}.")
    for request in pending:
        link = f" ({request.link})" if request.link else ""
        echo(f"A run is waiting: {request.by}{link}. {_RESUMES}")


@command
def resolve(
    diff_id: str,
    operation_id: Annotated[str, typer.Argument(help="Id of the operation, as in `changes --state sent --json`.")],
    is_done: Annotated[bool, typer.Option("--done/--not-done", help="Whether the target has the change.")],
) -> None:
    """Record whether a sent operation was applied, after you checked the target."""
    with open_diffs() as saved_diffs:
        saved_diffs.open(diff_id).resolve(operation_id, is_done=is_done)
    echo(f"{operation_id} is {'done' if is_done else 'pending'}.")
