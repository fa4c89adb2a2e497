"""`diffsync-store preview`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from diffsync_store.cli.app import echo, project_command
from diffsync_store.cli.connection import open_project
from diffsync_store.cli.formatting import console, escape_json, one_line
from diffsync_store.cli.plan_values import value_lines
from diffsync_store.cli.plan_view import print_line
from diffsync_store.cli.progress import progress_bars
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.lifecycle import opened
from diffsync_store.project import Project, UserError
from diffsync_store.runs import PreviewedRecord, preview_store, previewed_models
from diffsync_store.runs import preview as preview_records


@project_command
def preview(
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="Name of the adapter in the YAML file.")],
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="Show only this model.", show_default=False)] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, help="Maximum records of each model.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    file: Path | None = None,
) -> None:
    """Show the first records of an adapter: as the system has them, as objects, or why they are rejected.

    It needs no Redis, and stops reading after these records.
    """
    project = open_project(file)
    with progress_bars():  # what an adapter prints goes to standard error
        found = list(_records(project, adapter, model, limit))
    if as_json:
        content = {"version": 1, "adapter": adapter, "records": [_json(each) for each in found]}
        typer.echo(escape_json(json.dumps(content, ensure_ascii=False, default=str)))
        return
    out = console()
    for each in found:
        _show(out, each)
    if not found:
        echo(f"{adapter} has no records{f' of {model}' if model else ''}.")


def _records(project: Project, adapter: str, model: str, limit: int) -> Iterator[PreviewedRecord]:
    known = previewed_models(project.make_adapter(adapter, preview_store()))
    if model and model not in known:
        raise UserError(f"{adapter} has no model {model!r}.{suggestion([model], known)} Models: {', '.join(known)}.")
    for name in [model] if model else known:  # an adapter is made for each, so that its load can stop early
        with project.secrets.redacted_errors():
            system = project.make_adapter(adapter, preview_store(name, limit))
            with opened(system):
                yield from preview_records(system, name, limit)


def _show(out: Console, record: PreviewedRecord) -> None:
    title = Text.assemble((one_line(record.model), ""), " ", (one_line(record.unique_id), "bold"))
    if record.reject:
        title.append("  rejected", "red")
    if record.is_left_out:
        title.append("  left out by `where`", "yellow")
    print_line(out, title, 0)
    if record.reject:
        print_line(out, Text(one_line(record.reject), "red"), 4)
    if record.raw is not None:
        raw = escape_json(json.dumps(_own_keys(record.raw), ensure_ascii=False, default=str))
        print_line(out, Text(f"raw: {raw}", "dim"), 4)
    for name, value in (record.fields or {}).items():
        for line in value_lines(name, value):
            print_line(out, line, 4)
    out.print()


def _own_keys(raw: Any) -> Any:
    """Return a record as the system has it, without what the adapter adds."""
    return {key: value for key, value in raw.items() if not str(key).startswith("$")} if isinstance(raw, dict) else raw


def _json(record: PreviewedRecord) -> dict[str, Any]:
    return {
        "model": record.model,
        "unique_id": record.unique_id,
        "raw": record.raw,
        "fields": record.fields,
        "reject": record.reject or None,
        "left_out": record.is_left_out,
    }
