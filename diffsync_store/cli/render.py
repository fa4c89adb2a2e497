"""Print stores, saved diffs, operations and the history of an object."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from diffsync_store.canary import read_canary
from diffsync_store.cli.agents_view import agents_table, progress_of
from diffsync_store.cli.formatting import console, format_duration, format_time, one_line, properties, table
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.operation import Operation
from diffsync_store.result import Reject
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.shards.record import ShardRecord

ACTIONS = ("create", "update", "delete")


def show_store(record: StoreRecord, expires_in: int | None) -> None:
    """Print the record of a store and its models."""
    lines = [
        ("store", record.store_id),
        ("adapter", f"{record.name or '(no name)'} ({record.adapter or 'unknown class'})"),
        ("state", f"{record.state.value}{f': {record.reason}' if record.reason else ''}"),
        *([("load", record.load)] if record.load else []),
        ("created", format_time(record.created)),
        ("updated", f"{format_time(record.updated)} by {record.writer}"),
        ("expires", _expiry(expires_in, record.ttl)),
        (
            "digests",
            f"not usable, comparisons read all objects: {record.undigested}" if record.undigested else "usable",
        ),
    ]
    rows = [
        (
            f"{name}{' (top level)' if name in record.top_level else ''}",
            record.counts.get(name, 0),
            ", ".join(schema.identifiers),
            ", ".join(schema.attributes),
            ", ".join(schema.children),
        )
        for name, schema in record.schema_.models.items()
    ]
    console().print(properties(lines), "", table(("model", "objects", "identifiers", "attributes", "children"), rows))
    if record.shards:
        console().print(
            "",
            table(
                ("shard", "state", "objects", "expected", "updated", "writer", "reason"), map(_shard_row, record.shards)
            ),
        )
    for model, gap in record.gaps.items():
        for reason in gap.reasons:
            console().print(Text(one_line(f"missing {model}: {reason}")))


def _shard_row(shard: ShardRecord) -> tuple[str | int, ...]:
    expected: str | int = sum(shard.expected.values()) if shard.expected else "-"
    updated = format_time(shard.updated) if shard.updated else "-"
    return shard.name, shard.state.value, shard.objects, expected, updated, shard.writer or "-", shard.reason or "-"


def store_json(record: StoreRecord, expires_in: int | None) -> str:
    """Return the record of a store as JSON, without the records that its load has rejected."""
    without: Any = {"gaps": {"__all__": {"rejects"}}, "shards": {"__all__": {"gaps": {"__all__": {"rejects"}}}}}
    content = record.model_dump(mode="json", by_alias=True, exclude=without) | {"expires_in": expires_in}
    return json.dumps(content, ensure_ascii=False)


def show_diff(saved: SavedDiff, expires_in: int | None) -> None:
    """Print the record of a saved diff, its approval and its application."""
    record = saved.record
    lines = [
        ("diff", record.diff_id),
        ("source", f"{record.source_name}, store {record.source_store_id or 'in memory'}"),
        ("target", f"{record.target_name}, store {record.target_store_id or 'in memory'}"),
        ("created", format_time(record.created)),
        ("flags", " ".join(flag.name for flag in DiffSyncFlags(record.flags) if flag.name) or "none"),
        ("expires", _expiry(expires_in, record.ttl)),
        *_decisions(saved),
    ]
    rows = [(model, *(counts.get(action, 0) for action in ACTIONS)) for model, counts in record.by_model.items()]
    console().print(properties(lines), "", table(("model", *ACTIONS), rows) if rows else "No differences.")
    for suppression in record.suppressions:
        console().print(Text(one_line(suppression)))
    if (found := saved.round()) and len(found.agents) > 1:
        console().print("", agents_table(saved, found))


def _expiry(expires_in: int | None, ttl: int | None) -> str:
    return f"in {format_duration(expires_in)}; {format_duration(ttl)} after the last use"


def _decisions(saved: SavedDiff) -> Iterable[tuple[str, str]]:
    journal = saved.journal()
    if approval := journal.approval():
        verb = "rejected" if approval.is_rejected else "approved"
        yield verb, f"by {approval.by} at {format_time(approval.at)}: {approval.reason or 'no reason given'}"
        yield from (("excluded", str(excluded)) for excluded in approval.excluded)
    if override := journal.window_override():
        yield "override", str(override)
    if record := read_canary(journal):
        yield "canary", record.report.text
        yield from (("override", str(skip)) for skip in record.skips)
    if applied := journal.application():
        yield "applied", f"by {applied.by} at {format_time(applied.at)}, {applied.operations:,} operations"
    elif last := journal.last_written():
        progress = f"by {journal.last_writer()}, last active at {format_time(last)}"
        yield "partly applied", f"{progress}; `diffsync-store changes {saved} --state pending` shows the rest"


def diff_outcome(saved: SavedDiff) -> str:
    """Return the outcome of a diff in a few words; `-` if nobody has decided."""
    journal = saved.journal()
    if journal.application() is not None:
        return "applied"
    if not journal.is_empty():
        found = saved.round()
        return f"partly applied: {progress_of(found)}" if found and len(found.agents) > 1 else "partly applied"
    approval = journal.approval()
    return "-" if approval is None else "rejected" if approval.is_rejected else "approved"


def show_changes(operations: Iterable[Operation]) -> None:
    """Print operations with their old and new values."""
    rows = []
    for operation in operations:
        redacted = operation.redacted()
        rows.append((redacted.action, redacted.model, redacted.unique_id or redacted.name, _changes(operation)))
    console().print(table(("action", "model", "unique id", "changes"), rows))


def show_rejects(rejects: Iterable[Reject]) -> None:
    """Print rejects as a table."""
    rows = [(each.state, each.action, each.model, each.unique_id, each.reason) for each in rejects]
    console().print(table(("state", "action", "model", "unique id", "reason"), rows))


def show_history(history: Iterable[OperationHistory]) -> None:
    """Print the operations of one object with their outcomes."""
    rows = [
        (
            format_time(entry.record.created),
            entry.record.diff_id,
            entry.operation.action,
            entry.outcome,
            format_time(entry.at) if entry.at else "-",
            entry.by or "-",
            _why(entry) or "-",
            _changes(entry.operation),
        )
        for entry in history
    ]
    console().print(table(("created", "diff_id", "action", "outcome", "at", "by", "reason", "changes"), rows))


def _why(entry: OperationHistory) -> str:
    """Return the reason of an outcome, and why its diff was applied outside of the windows."""
    return "; ".join(filter(None, (entry.reason, str(entry.window_override or ""))))


def no_history(records: Iterable[DiffRecord], model: str, unique_id: str) -> str:
    """Return a message that explains why an object has no history."""
    models = sorted({name for record in records for name in record.by_model})
    if not models:
        return "No saved diff contains a change."
    if model not in models:
        return f"No saved diff changes a {model!r}.{suggestion([model], models)} The saved diffs change: {', '.join(models)}."
    return (
        f"No saved diff changes the {model} {unique_id!r}: it was equal on both sides, or its diffs have expired. "
        f"`diffsync-store changes DIFF_ID --model {model}` shows how unique ids are written."
    )


def history_json(entry: OperationHistory) -> str:
    """Return an entry of the history of an object as JSON. Secrets are redacted."""
    record = entry.record
    content = {
        "diff_id": record.diff_id,
        "source": record.source_name,
        "target": record.target_name,
        "created": record.created.isoformat(),
        "action": entry.operation.action,
        "outcome": entry.outcome,
        "at": entry.at.isoformat() if entry.at else None,
        "by": entry.by,
        "reason": entry.reason,
        "outside_window": entry.window_override.model_dump(mode="json") if entry.window_override else None,
        "changes": entry.operation.redacted_changes(),
    }
    return json.dumps(content, ensure_ascii=False)


def operation_json(operation: Operation) -> str:
    """Return an operation and its changes as JSON. Secrets are redacted."""
    content = operation.redacted().model_dump(mode="json") | {"changes": operation.redacted_changes()}
    return json.dumps(content, ensure_ascii=False)


def _changes(operation: Operation) -> str:
    return ", ".join(f"{name}: {change}" for name, change in operation.formatted_changes(_json))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
