"""`diffsync-store report`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from diffsync_store.cli.app import command, open_diffs
from diffsync_store.cli.formatting import while_read
from diffsync_store.project import UserError
from diffsync_store.report import html_report, markdown_report

_LIMIT = 1000


@command
def report(
    diff_id: Annotated[str, typer.Argument(metavar="DIFF_ID", help="The saved diff.")],
    *,
    form: Annotated[
        Literal["html", "markdown"], typer.Option("--format", help="One HTML file, or Markdown for a comment.")
    ] = "html",
    out: Annotated[Path | None, typer.Option("--out", "-o", show_default=False, help="File to write.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of operations; the others are counted.")] = _LIMIT,
) -> None:
    """Write a saved diff as one document, for a mail or a pull request. Secrets are `***`.

    Markdown has at most 65,536 characters, as much as GitHub accepts in a comment.
    """
    with open_diffs() as saved_diffs:
        saved = saved_diffs.open(diff_id)
        if form == "html":
            _write(html_report(saved, limit), out)
        else:
            _write((f"{line}\n" for line in markdown_report(saved, limit)), out)


def _write(pieces: Iterable[str], out: Path | None) -> None:
    if out is not None:
        try:
            with out.open("w", encoding="utf-8") as file:
                file.writelines(pieces)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}. Name another file with --out.") from None
        return
    with while_read():
        for piece in pieces:
            typer.echo(piece, nl=False)
