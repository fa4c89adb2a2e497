"""`diffsync-store rules`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from diffsync_store.cli.app import app, echo, project_command
from diffsync_store.cli.connection import open_context, open_project
from diffsync_store.cli.formatting import console, table
from diffsync_store.printable import printable_lines
from diffsync_store.project import UserError
from diffsync_store.rules import Rules
from diffsync_store.runs import RuleCase, differing, find_sync, read_cases, record_cases

_SHOWN = 20
"""Differing operations that are shown."""

rules = typer.Typer(no_args_is_help=True, help="Test the `rules` of a sync on the operations of a saved diff.")
app.add_typer(rules, name="rules")


def record(
    diff_id: Annotated[str, typer.Argument(metavar="DIFF_ID", help="A saved diff (`plan --out`).")],
    *,
    file: Path | None = None,
) -> None:
    """Print the operations of a saved diff with what the rules make of them now, for `rules test`. Secrets are redacted.

    Keep the output in Git. Change `expect` where the rules are to decide otherwise.
    """
    with open_context(file) as context:
        saved = context.diffs().open(diff_id)
        name, declared = find_sync(context.project, saved.record)
        for line in record_cases(saved, name, _required(declared.operation_rules, name)):
            typer.echo(printable_lines(line))


def test(
    cases: Annotated[Path, typer.Argument(metavar="FILE", help="Output of `rules record`.")],
    *,
    file: Path | None = None,  # noqa: PT028  # a command, not a test
) -> None:
    """Decide about the operations in a file by the rules of its sync, and compare with what it expects. Needs no Redis.

    Exits with 1 if an operation is decided otherwise.
    """
    name, expected = read_cases(cases)
    found = _required(open_project(file).sync(name).operation_rules, name)
    wrong = list(differing(expected, found))
    _show_counts(expected, found)
    if not wrong:
        echo(f"{len(expected):,} operations are decided as expected.")
        return
    rows = [
        (str(one.element.action), one.element.type, one.element.uid or one.element.name, one.expected.value, ruling)
        for one, ruling in (
            (case, f"{said.decision}: {said.rule}" if said.rule else said.decision.value)
            for case, said in wrong[:_SHOWN]
        )
    ]
    console().print(table(("action", "model", "unique id", "expected", "decision"), rows))
    echo(f"{len(wrong):,} of {len(expected):,} operations are decided otherwise.")
    raise typer.Exit(1)


def _required(found: Rules, sync_name: str) -> Rules:
    if not found:
        raise UserError(f"The sync {sync_name} has no `rules`. Add some to its entry in the file.")
    return found


def _show_counts(cases: list[RuleCase], found: Rules) -> None:
    """Print how many operations each rule decides, also of rules that fit none."""
    rulings = [found.ruling(case.element) for case in cases]
    counts = Counter(each.rule for each in rulings)
    rows = [(str(rule), rule.then.value, counts[str(rule)]) for rule in found.all]
    rows.append(("approval of the sync", found.approval, counts[""]))
    console().print(table(("rule", "decision", "operations"), rows))


project_command(record, group=rules)
project_command(test, group=rules)
