"""`diffsync-store adopt`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import echo, echo_error, project_command
from diffsync_store.cli.applying import person
from diffsync_store.cli.asking import confirm
from diffsync_store.cli.connection import Context, open_context
from diffsync_store.cli.formatting import console, escape_json, one_line, table
from diffsync_store.cli.progress import progress_bars
from diffsync_store.field_rules import Adoption
from diffsync_store.project import UserError
from diffsync_store.runs import Adopting, drop_stores, load_both, new_id


@project_command
def adopt(
    sync: Annotated[str, typer.Argument(metavar="SYNC", help="Name of the sync in the YAML file.")],
    *,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects", help="Adopt objects too: with `deletes: own`, the sync may delete them from then on."
        ),
    ] = False,
    diff: Annotated[
        str,
        typer.Option(metavar="DIFF_ID", help="Use the stores of this saved diff; by default both sides are loaded."),
    ] = "",
    by: Annotated[str, typer.Option(help="Who adopts. Default: the user and the host.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document. Needs --yes.")
    ] = False,
    file: Path | None = None,
) -> None:
    """Remember the values that source and target have in common as written by the sync. Neither system is changed.

    For a sync that begins to use `unless_changed` on a target that has values already. A value that a person changes later is then
    recognised, and every other one follows the source.
    """
    if as_json and not yes:
        raise UserError("`--json` asks no question. Add --yes to adopt, or leave out --json.")
    with open_context(file) as context:
        adopting = Adopting(context, sync, objects=objects)
        with adopting.lease(), _stores(context, sync, diff) as store_ids:
            found = adopting.count(store_ids).adoption(sync=sync)
            if not as_json:
                _show(found, adopting.memory.adoptions())
            if not _number(found):
                if not as_json:
                    echo("There is nothing to adopt.")
            elif not yes:
                confirm(_question(found, adopting.declared.target, adopting.declared.source))
            if _number(found):
                found = adopting.run(store_ids, by or person())
    if as_json:
        typer.echo(escape_json(json.dumps(_document(found))))
    elif _number(found):
        echo(f"Adopted {_summary(found)} as {found.by}. Nothing was changed in {adopting.declared.target}.")


@contextmanager
def _stores(context: Context, sync: str, diff_id: str) -> Iterator[dict[str, str]]:
    """Yield the stores of both sides by the name of the adapter: those of a diff, or fresh ones that are dropped at the end."""
    declared = context.project.sync(sync)
    if diff_id:
        record = context.diffs().open(diff_id).record
        context.project.require_pair(sync, record.source_name, record.target_name, f"Diff {diff_id} is")
        yield {declared.source: record.source_store_id, declared.target: record.target_store_id}
        return
    store_ids = {name: new_id(name) for name in (declared.source, declared.target)}
    try:
        with progress_bars() as bars:
            load_both(context, store_ids, bars.watch_load(context))
        yield store_ids
    finally:
        drop_stores(context, *store_ids.values())


def _show(found: Adoption, before: list[Adoption]) -> None:
    for one in before:
        at = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        echo_error(one_line(f"Adopted before, {at}, by {one.by} for {one.sync}: {_summary(one)}."))
    models = sorted({*found.values, *found.objects})
    rows = [(model, found.values.get(model, 0), found.objects.get(model, 0)) for model in models]
    if any(values or objects for _, values, objects in rows):
        console().print(table(("model", "values", "objects"), rows))
    if outdated := sum(found.outdated.values()):
        echo_error(
            f"{outdated:,} objects are left out: a sync has written them since the target was loaded. Load the target again: run the "
            "command without --diff, or with a new diff."
        )


def _question(found: Adoption, target: str, source: str) -> str:
    owned = sum(found.objects.values())
    deletes = f" {source} then owns these objects: a sync deletes those that {source} lacks later." if owned else ""
    return f"Remember {_summary(found)} of {target} as written by syncs of {source}?{deletes}"


def _summary(one: Adoption) -> str:
    return f"{sum(one.values.values()):,} values, {sum(one.objects.values()):,} objects"


def _number(found: Adoption) -> int:
    return sum(found.values.values()) + sum(found.objects.values())


def _document(found: Adoption) -> dict[str, object]:
    return {
        "version": 1,
        "sync": found.sync,
        "by": found.by,
        "values": {model: number for model, number in sorted(found.values.items()) if number},
        "objects": {model: number for model, number in sorted(found.objects.items()) if number},
        "outdated": {model: number for model, number in sorted(found.outdated.items()) if number},
    }
