"""`diffsync-store rehearse`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import project_command
from diffsync_store.cli.connection import open_context
from diffsync_store.cli.formatting import escape_json
from diffsync_store.cli.plan import Allow, Excluded, Selected
from diffsync_store.cli.rehearsal_view import rehearsal_document, show_rehearsal
from diffsync_store.runs import SyncRequest, parse_selection
from diffsync_store.runs import rehearse as run_rehearsal
from diffsync_store.sync.rehearsal import SECONDS


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

    A database tries each operation in a transaction that is rolled back. An API is asked which fields it takes and which records it has.
    Other adapters check the values. Exits with 1 if an operation would not be applied.
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
        typer.echo(escape_json(json.dumps(rehearsal_document(diff_id, found), default=str)))
    else:
        show_rehearsal(found)
    if found.result.rejects or found.result.stopped:
        raise typer.Exit(1)
