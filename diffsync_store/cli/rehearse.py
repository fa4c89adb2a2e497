"""`diffsync-store rehearse`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from diffsync_store.cli.app import project_command
from diffsync_store.cli.connection import open_context
from diffsync_store.cli.formatting import console, escape_json, one_line, table
from diffsync_store.cli.plan import Allow, Excluded, Selected
from diffsync_store.runs import SyncRequest, parse_selection
from diffsync_store.runs import rehearse as run_rehearsal
from diffsync_store.sync.rehearsal import SECONDS, Rehearsed

_SHOWN = 20
"""Rejects that are shown without `--json`."""


@project_command
def rehearse(
    diff_id: Annotated[str, typer.Argument(metavar="DIFF_ID", help="A saved diff (`plan --out`).")],
    *,
    select: Selected = None,
    exclude: Excluded = None,
    allow: Allow = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long it may take.")] = SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    file: Path | None = None,
) -> None:
    """Find what the target would refuse if the diff were applied now. Nothing is changed.

    A database tries each operation in a transaction that is rolled back. Other adapters check the values. Exits with 1 if an operation
    would not be applied.
    """
    request = SyncRequest(
        diff_id,
        allow=tuple(allow or ()),
        select=tuple(map(parse_selection, select or ())),
        exclude=tuple(map(parse_selection, exclude or ())),
    )
    with open_context(file) as context:
        found = run_rehearsal(context, request, seconds=seconds)
    if as_json:
        typer.echo(escape_json(json.dumps(_document(diff_id, found), default=str)))
    else:
        show_rehearsal(found)
    if found.result.rejects or found.result.stopped:
        raise typer.Exit(1)


def show_rehearsal(found: Rehearsed) -> None:
    """Print what a rehearsal has found."""
    out, result = console(), found.result
    if result.rejects:
        rows = [(each.state, each.action, each.model, each.unique_id, each.reason) for each in result.rejects[:_SHOWN]]
        out.print(table(("state", "action", "model", "unique id", "reason"), rows))
        if len(result.rejects) > _SHOWN:
            out.print(
                Text(
                    f"{_SHOWN} of {len(result.rejects):,}. See all with `diffsync-store rehearse DIFF_ID --json`.",
                    "dim",
                )
            )
        out.print()
    accepted = f"{result.applied:,} operations would be applied, {len(result.rejects):,} would not."
    out.print(Text(f"Rehearsed, nothing was changed: {accepted}", "yellow" if result.rejects else "green"))
    if not found.asks_target:
        out.print(Text("The adapter offers no rehearsal, so only the models have checked the values."))
    if found.not_rehearsed:
        out.print(Text(f"Not rehearsed: {found.not_rehearsed:,} operations on objects that move."))
    if result.stopped:
        out.print(Text(one_line(result.stopped), "yellow"))


def _document(diff_id: str, found: Rehearsed) -> dict[str, object]:
    result = found.result
    rejects = [
        {
            "state": each.state,
            "action": each.action,
            "model": each.model,
            "unique_id": each.unique_id,
            "reason": each.reason,
            "operation_id": each.operation_id,
        }
        for each in result.rejects
    ]
    return {
        "version": 1,
        "diff_id": diff_id,
        "counts": result.counts(),
        "asks_target": found.asks_target,
        "not_rehearsed": found.not_rehearsed,
        "stopped": result.stopped,
        "rejects": rejects,
    }
