"""Texts and tables that several artifacts use."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from diffsync_flows.reporting.escape import escape_markdown, markdown_table, one_line
from diffsync_flows.reporting.run_metadata import format_counts
from diffsync_store import Operation
from diffsync_store.canary import CanaryReport
from diffsync_store.diffs import DiffRecord
from diffsync_store.rules import RuledCount

MAX_ROWS = 1000
MAX_REASON_LENGTH = 600
"""Characters of a reason in a row of a table."""
MAX_MESSAGE_LENGTH = 2000
"""Characters of a message that is a paragraph."""
NOT_PUBLISHED = "Cannot publish the artifact"


def sides(record: DiffRecord) -> str:
    return f"{escape_markdown(record.source_name)} → {escape_markdown(record.target_name)}"


def format_totals(record: DiffRecord) -> str:
    """Return the operations of a diff by action, deletes first, and how many of them the guards suppress."""
    suppressed = sum(each.count_in(record.by_model) for each in record.suppressions)
    return f"{format_counts(record.summary)}{f' ({suppressed:,} suppressed)' if suppressed else ''}"


def count_shown(total: int, noun: str, shown: int = MAX_ROWS) -> str:
    """Return how many of a table's rows are shown; `noun` is a plural."""
    if total == 1:
        return f"The only {noun.removesuffix('s')}."
    return f"All {total:,} {noun}." if total <= shown else f"The first {shown:,} of {total:,} {noun}."


def section(heading: str, header: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *notes: str, end: str = "") -> str:
    """Return a section with a table, capped, with notes before it and a sentence after it; empty without rows."""
    shown = list(rows)[:MAX_ROWS]
    if not shown:
        return ""
    parts = [f"## {heading}", *notes, markdown_table(header, shown, MAX_REASON_LENGTH), end]
    return "\n\n" + "\n\n".join(filter(None, parts))


def table_by_model(record: DiffRecord) -> str:
    """Return a table of the operations by model and action."""
    actions = ("create", "update", "delete")
    rows = [(model, *(f"{counts.get(action, 0):,}" for action in actions)) for model, counts in record.by_model.items()]
    return markdown_table(("model", *actions), rows)


def canary_section(canary: CanaryReport) -> str:
    """Return what became of the canary of a sync, and the objects that do not have what was written."""
    rows = [(one.action, one.model, one.unique_id, one.attribute, one.written, one.found) for one in canary.unsettled]
    header = ("action", "model", "unique id", "attribute", "written", "found")
    why = f"\n\n{escape_markdown(canary.reason, MAX_MESSAGE_LENGTH)}" if canary.state == "failed" else ""
    end = count_shown(canary.not_settled, "objects", len(rows))
    return f"\n\n## Canary\n\n{escape_markdown(canary.text)}{why}" + section("Not settled", header, rows, end=end)


def notes_section(record: DiffRecord) -> str:
    """Return what a person has to know before the diff is applied, such as what an undo cannot take back."""
    heading = f"Undo of diff {escape_markdown(record.undoes)}" if record.undoes else "Notes"
    return section(heading, ("to know before",), [(note,) for note in record.notes])


def rulings_section(record: DiffRecord) -> str:
    """Return a table of how many operations each rule decides; empty without rules."""
    rows = [
        (one.rule or "approval of the sync", _decision(one), one.model, one.action, f"{one.count:,}")
        for one in record.rulings
    ]
    note = "A sync applies what the rules let through, before the rest is approved."
    return section("Rules", ("rule", "decision", "model", "action", "operations"), rows, note)


def _decision(one: RuledCount) -> str:
    return f"{one.decision} by {one.approvers} people" if one.approvers > 1 else str(one.decision)


def suppressed_section(record: DiffRecord, allow_all: Sequence[str] = ()) -> str:
    """Return a table of the operations that the guards suppress, and how to allow them.

    Args:
        record: The record of the diff.
        allow_all: The allowances with which guards let the whole diff through.
    """
    counted = ((each, each.count_in(record.by_model)) for each in record.suppressions)
    rows = [(each.model, each.action, f"{count:,}", each.reason, each.allowance) for each, count in counted if count]
    note = "A sync leaves these out, unless it is started with `allow`."
    if allow_all:
        note += f" To apply all of them:\n\n```\nallow = {json.dumps([one_line(each) for each in allow_all])}\n```"
    return section("Suppressed", ("model", "action", "operations", "reason", "allow"), rows, note)


def operation_row(operation: Operation) -> dict[str, str]:
    """Return an operation as a row of short texts, without secrets."""
    path = [*(name for _, name in operation.parents), operation.redacted().name]
    changes = ", ".join(f"{name}: {change}" for name, change in operation.formatted_changes(_value))
    return {
        "action": str(operation.action),
        "model": one_line(operation.model),
        "name": one_line(" / ".join(one_line(part, 60) for part in path)),
        "changes": one_line(changes or "no attributes"),
    }


def _value(value: Any) -> str:
    return one_line(value, 80)
