"""What the commands show of a store, of a saved diff, of its operations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from diffsync_store.cli.formatting import console, facts, shown, span, table
from diffsync_store.cli.suggestions import meant
from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.record import DiffRecord
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.operation import Operation
from diffsync_store.store.record import StoreRecord

ACTIONS = ("create", "update", "delete")


def show_store(record: StoreRecord, expires_in: int | None) -> None:
    """What a store says of itself, with its models."""
    told = [
        ("store", record.store_id),
        ("adapter", f"{record.name or 'without a name'} ({record.adapter or 'class not known'})"),
        ("state", f"{record.state.value}{f': {record.reason}' if record.reason else ''}"),
        ("begun", clock(record.created)),
        ("written", f"{clock(record.updated)} by {record.writer}"),
        (
            "expires",
            f"in {span(expires_in)}, unless somebody uses it: it lives for {span(record.ttl)} after its last use",
        ),
        ("digests", f"not trusted, all is read: {record.undigested}" if record.undigested else "of every object"),
    ]
    rows = [
        (
            f"{name}{' (top)' if name in record.top_level else ''}",
            record.counts.get(name, 0),
            ", ".join(schema.identifiers),
            ", ".join(schema.attributes),
            ", ".join(schema.children),
        )
        for name, schema in record.schema_.models.items()
    ]
    console().print(facts(told), "", table(("model", "objects", "identifiers", "attributes", "children"), rows))
    for model, gap in record.gaps.items():
        for reason in gap.reasons:
            console().print(shown(f"missing of {model}: {reason}"))


def show_diff(saved: SavedDiff, expires_in: int | None) -> None:
    """What a saved diff says of itself, and what became of it."""
    record = saved.record
    told = [
        ("diff", record.diff_id),
        ("source", f"{record.source_name}, store {record.source_store_id or 'in memory'}"),
        ("target", f"{record.target_name}, store {record.target_store_id or 'in memory'}"),
        ("made", clock(record.created)),
        ("flags", " ".join(flag.name for flag in DiffSyncFlags(record.flags) if flag.name) or "none"),
        (
            "expires",
            f"in {span(expires_in)}, unless somebody uses it: it lives for {span(record.ttl)} after its last use",
        ),
        *_decided(saved),
    ]
    rows = [(model, *(counts.get(action, 0) for action in ACTIONS)) for model, counts in record.by_model.items()]
    console().print(facts(told), "", table(("model", *ACTIONS), rows) if rows else "No difference.")
    for suppression in record.suppressions:
        console().print(shown(str(suppression)))


def _decided(saved: SavedDiff) -> Iterable[tuple[str, str]]:
    journal = saved.journal()
    if approval := journal.approval():
        verb = "rejected" if approval.is_rejected else "approved"
        yield verb, f"by {approval.by} at {clock(approval.at)}: {approval.reason or 'no reason given'}"
        yield from (("left out", str(excluded)) for excluded in approval.excluded)
    if applied := journal.application():
        yield "applied", f"by {applied.by} at {clock(applied.at)}, {applied.operations:,} operations"
    elif last := journal.last_written():
        begun = f"by {journal.last_writer()}, at work at {clock(last)}"
        yield "in part", f"{begun}; `diffsync-store changes {saved} --state pending` shows what is left"


def outcome_of(saved: SavedDiff) -> str:
    """What became of a diff, in a word."""
    journal = saved.journal()
    if journal.application() is not None:
        return "applied"
    if not journal.is_empty():
        return "applied in part"
    approval = journal.approval()
    return "-" if approval is None else "rejected" if approval.is_rejected else "approved"


def show_changes(operations: Iterable[Operation]) -> None:
    """Operations with their old and new values."""
    rows = []
    for operation in operations:
        found = operation.shown()
        rows.append((found.action, found.model, found.unique_id or found.name, _told(operation)))
    console().print(table(("action", "model", "unique id", "changes"), rows))


def show_past(found: Iterable[OperationHistory]) -> None:
    """What became of one object, diff by diff."""
    rows = [
        (
            clock(past.record.created),
            past.record.diff_id,
            past.operation.action,
            past.outcome,
            clock(past.at) if past.at else "-",
            past.by or "-",
            past.reason or "-",
            _told(past.operation),
        )
        for past in found
    ]
    console().print(table(("made", "diff_id", "action", "became", "at", "by", "reason", "changes"), rows))


def told_without_past(records: Iterable[DiffRecord], model: str, unique_id: str) -> str:
    """Why nothing is found of an object, as far as it can be told."""
    models = sorted({name for record in records for name in record.by_model})
    if not models:
        return "There is no saved diff that changes anything, so nothing is known of any object."
    if model not in models:
        guess = meant([model], models).replace(";", ".", 1)
        return f"No saved diff that is still there changes a {model!r}; models that they change: {', '.join(models)}{guess}."
    return (
        f"No saved diff that is still there changes the {model} {unique_id!r}: it was alike on both sides, or its diffs have "
        f"expired. Unique ids are written as `diffsync-store changes DIFF_ID --model {model}` shows them."
    )


def json_of(past: OperationHistory) -> str:
    """The same as JSON."""
    record = past.record
    told = {
        "diff_id": record.diff_id,
        "source": record.source_name,
        "target": record.target_name,
        "made": record.created.isoformat(),
        "action": past.operation.action,
        "became": past.outcome,
        "at": past.at.isoformat() if past.at else None,
        "by": past.by,
        "reason": past.reason,
        "changes": past.operation.shown_changes(),
    }
    return json.dumps(told, ensure_ascii=False)


def clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def json_of_operation(operation: Operation) -> str:
    """An operation as JSON, with what changes; secret values are `***`."""
    told = operation.shown().model_dump(mode="json") | {"changes": operation.shown_changes()}
    return json.dumps(told, ensure_ascii=False)


def _told(operation: Operation) -> str:
    return ", ".join(f"{name}: {change}" for name, change in operation.described_changes(_json))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
