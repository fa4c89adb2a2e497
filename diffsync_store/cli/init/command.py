"""The command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import app, echo_error
from diffsync_store.cli.formatting import one_line
from diffsync_store.cli.init.pairs import choose_pairs, left_out
from diffsync_store.cli.init.project_files import FILE, write_files
from diffsync_store.cli.init.questions import CannotDraft, Questions
from diffsync_store.cli.init.report import Report
from diffsync_store.cli.init.side import draft_side
from diffsync_store.cli.init.system import open_system
from diffsync_store.project import ConfigError
from diffsync_store.project.draft import Draft, draft_models
from diffsync_store.redaction import redact_url_passwords


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; it is created if needed.")] = Path(),
    source: Annotated[
        str,
        typer.Option(
            help="System of the source of truth: a folder, a file, a database URL, a web address, or module:function."
        ),
    ] = "",
    target: Annotated[str, typer.Option(help="System to change, named in the same way.")] = "",
    records: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE[=TARGET]", help="Records to sync, such as devices.csv=dcim/devices. Repeat the option."
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and accept what the command proposes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Ask for two systems, inspect them, and write a syncs.yaml that matches them. No file is overwritten.

    The variables SOURCE_TOKEN and TARGET_TOKEN may hold API tokens; without them, the command asks. No file contains a token.
    """
    try:
        _init(folder, source, target, records or [], Questions(is_silent=yes), as_json=as_json)
    except typer.Abort:
        echo_error("Nobody answers. Nothing was written. Name the systems by --source and --target, and add --yes.")
        raise typer.Exit(2) from None
    except (CannotDraft, ConfigError, ImportError, ValueError, OSError) as error:
        echo_error(_without_secrets(error))
        raise typer.Exit(1) from None


def _init(folder: Path, source: str, target: str, records: Sequence[str], ask: Questions, *, as_json: bool) -> None:
    file = folder.absolute() / FILE
    if os.path.lexists(file):
        raise CannotDraft(
            f"{file} exists already. Nothing was written. Name an empty folder: diffsync-store init FOLDER"
        )
    with open_system("source", source, ask) as here, open_system("target", target, ask) as there:
        pairs = choose_pairs(here, there, records, ask)
        models = draft_models(pairs, here.describe, there.describe)
        if there.address.type == "files" and not there.names():
            for model in models:
                model.write_to_new_file()
        ask.for_constants(models)
        draft = Draft(
            draft_side("source", here, there, file.parent),
            draft_side("target", there, here, file.parent),
            models,
            [] if records else left_out(here, pairs),
        )
    report = Report.of(draft, folder, write_files(file, draft))
    report.print_json() if as_json else report.print()


def _without_secrets(error: Exception) -> str:
    return redact_url_passwords(one_line(str(error) or type(error).__name__))
