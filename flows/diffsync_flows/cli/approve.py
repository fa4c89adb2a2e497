"""`diffsync-flows approve`."""

from typing import Annotated

import typer
from rich.markdown import Markdown

from diffsync_flows.approval.answers import decide
from diffsync_flows.approval.pending import pending_runs, run_options
from diffsync_flows.cli.config_file import DEFAULT_FILE, File, open_config
from diffsync_flows.cli.output import console, pages, using_prefect
from diffsync_flows.prefect_api import require_prefect
from diffsync_flows.reporting.artifacts import review
from diffsync_flows.runtime.context import SyncContext
from diffsync_store.cli.asking import confirm
from diffsync_store.runs import (
    count_matching,
    more_people,
    parse_selection,
    refused_operations,
    require_last_rehearsal,
)

EXCLUDE = (
    "Operations to exclude: a pattern of a model and a unique id (*, ?, \\[abc]), or a filter as in the form: "
    '\'{"action": "delete"}\'. Repeatable.'
)


def approve(
    diff_id: Annotated[str, typer.Argument(metavar="DIFF_ID", help="Id of the saved diff.")],
    *,
    by: Annotated[str, typer.Option(help="Name of the person who decides; it is kept with the diff.")],
    reason: Annotated[
        str, typer.Option("--reason", "--comment", help="Reason or change number; it is kept with the diff.")
    ] = "",
    exclude: Annotated[list[str] | None, typer.Option(metavar="MODEL[:UNIQUE_ID]", help=EXCLUDE)] = None,
    exclude_refused: Annotated[
        bool, typer.Option("--exclude-refused", help="Exclude what a rehearsal found that the target would refuse.")
    ] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject the diff instead.")] = False,
    file: File = DEFAULT_FILE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Show a saved diff, approve exactly what is shown, and resume the sync that waits for it."""
    config = open_config(file)
    with using_prefect():
        require_prefect()
        filters = tuple(map(parse_selection, exclude or ()))
        project = config.declared.project
        with SyncContext(config) as context:
            saved = context.diffs().open(diff_id)
            rehearsal = saved.journal().rehearsal()
            if exclude_refused:
                filters = (*filters, *refused_operations(saved, rehearsal))
            checksum, excluded = saved.checksum(), count_matching(saved, filters)
            options = run_options(pending_runs(saved.record, project))
            pages.print(Markdown(review(saved, options, rehearsal=rehearsal)))
            approved = saved.record.operations - excluded
            if not yes:
                question = f"Approve {approved:,} operations, exclude {excluded:,}?"
                confirm("Reject the diff?" if reject else question)
            if not reject:
                require_last_rehearsal(saved, rehearsal.at if rehearsal is not None else None)
            resumed = decide(
                saved,
                project,
                by=by,
                reason=reason,
                is_approved=not reject,
                checksum=checksum,
                exclude=() if reject else filters,
            )
            more = more_people(saved.journal().approval(), saved.record)
    result = "Rejected." if reject else f"Approved: {approved:,} operations of {diff_id}, {excluded:,} excluded."
    console.print(result, markup=False)
    for name in resumed:
        console.print(f"Resumed: {name}", markup=False)
    if more and not reject:
        console.print(more, markup=False)
    elif not resumed and not reject:
        console.print("No flow run waits for this diff. Start a run of the sync with this diff_id.")
