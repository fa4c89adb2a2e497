"""The JSON documents of `plan` and `apply`. New keys may be added; `version` changes if a key changes or goes away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import typer

from diffsync_store.cli.agents_view import round_json
from diffsync_store.cli.formatting import escape_json
from diffsync_store.cli.rehearsal_view import rehearsal_document
from diffsync_store.operation import Operation
from diffsync_store.result import Reject, SyncResult
from diffsync_store.runs import Plan, Rehearsed
from diffsync_store.store.record import StoreRecord

VERSION = 1


def print_plan(plan: Plan, diff_id: str | None, *, with_changes: bool, rehearsed: Rehearsed | None = None) -> None:
    """Print a plan as one JSON document. The changes are read piece by piece, so that the document may be large.

    Args:
        plan: the plan.
        diff_id: the id under which the diff is kept; None if it is not.
        with_changes: whether to list the operations.
        rehearsed: what a rehearsal has found.
    """
    rehearsal = None if rehearsed is None else rehearsal_document(plan.saved.record.diff_id, rehearsed)
    head = _text(_plan(plan, diff_id) | {"rehearsal": rehearsal})
    if not with_changes:
        typer.echo(head)
        return
    left_out = {each.operation_id: each for each in (*plan.result.suppressed_operations, *plan.result.rejects)}
    typer.echo(f'{head[:-1]}, "changes": [', nl=False)
    for number, operation in enumerate(plan.saved.operations()):
        separator = ",\n" if number else "\n"
        typer.echo(separator + _text(_operation(operation, left_out.get(operation.id))), nl=False)
    typer.echo("]}")


def print_result(plan: Plan, result: SyncResult | None, status: str, next_steps: list[str]) -> None:
    """Print the result of `apply` as one JSON document.

    Args:
        plan: what was applied.
        result: the result of the sync; None if nothing was applied.
        status: `applied`, `partial`, `stopped`, `no changes` or `refused`.
        next_steps: what to do about the rest.
    """
    content = _head(plan, plan.saved.record.diff_id) | {
        "status": status,
        "counts": result.counts() if result else SyncResult().counts(),
        "stopped": result.stopped if result else plan.refusal,
        "applied_before": result.applied_before if result else "",
        "outside_window": result.outside_window if result else "",
        "rejects": [_reject(each) for each in (result.rejects if result else ())],
        "suppressed": [_reject(each) for each in (result.suppressed_operations if result else ())],
        "canary": _canary(result),
        "next_steps": next_steps,
        "round": round_json(plan.saved, found) if (found := plan.saved.round()) else None,
    }
    typer.echo(_text(content))


def _head(plan: Plan, diff_id: str | None) -> dict[str, Any]:
    return {"version": VERSION, "sync": plan.sync_name, "diff_id": diff_id}


def _plan(plan: Plan, diff_id: str | None) -> dict[str, Any]:
    result = plan.result
    return _head(plan, diff_id) | {
        "source": _load(plan.source),
        "target": _load(plan.target),
        "by_model": plan.saved.record.by_model,
        "summary": {
            "create": result.created,
            "update": result.updated,
            "delete": result.deleted,
            "suppressed": result.suppressed,
            "waiting": result.waiting,
            "ignored": result.ignored,
            "done_before": result.done_before,
            "unknown": result.unknown,
            "rejected": result.failed + result.conflicts + result.blocked,
        },
        "suppressions": [
            {"model": one.model, "action": one.action, "reason": one.reason, "allowance": one.allowance}
            for one in plan.suppressions.all
        ],
        "rulings": [one.model_dump(mode="json") for one in plan.saved.record.rulings],
        "undoes": plan.saved.record.undoes or None,
        "notes": list(plan.saved.record.notes),
        "refused": plan.refusal or None,
        "allowances": list(plan.allowances),
        "approval": {
            "required": plan.needs_approval,
            "approved_by": plan.approval.by if plan.approval and plan.is_approved else None,
        },
        "canary": _canary(result),
        "applied_before": result.applied_before or None,
    }


def _canary(result: SyncResult | None) -> dict[str, Any] | None:
    return None if result is None or result.canary is None else {**asdict(result.canary), "text": result.canary.text}


def _load(record: StoreRecord) -> dict[str, Any]:
    return {
        "adapter": record.name,
        "store_id": record.store_id,
        "state": record.state.value,
        "objects": dict(record.counts),
        "gaps": {
            model: {
                "reasons": list(gap.reasons),
                "rejected": gap.rejected,
                "rejects": [each.model_dump(mode="json") for each in gap.rejects],
            }
            for model, gap in record.gaps.items()
        },
    }


def _operation(operation: Operation, left_out: Reject | None) -> dict[str, Any]:
    redacted = operation.redacted()
    return {
        "id": operation.id,
        "action": operation.action,
        "model": operation.model,
        "unique_id": redacted.unique_id or redacted.name,
        "identifiers": redacted.identifiers,
        "parents": [list(parent) for parent in operation.parents],
        "changes": operation.redacted_changes(),
        "left_out": {"state": left_out.state, "reason": left_out.reason} if left_out else None,
    }


def _reject(reject: Reject) -> dict[str, Any]:
    return {
        "operation_id": reject.operation_id,
        "state": reject.state,
        "action": reject.action,
        "model": reject.model,
        "unique_id": reject.unique_id,
        "identifiers": reject.identifiers,
        "reason": reject.reason,
    }


def _text(content: Mapping[str, Any]) -> str:
    return escape_json(json.dumps(content, ensure_ascii=False, default=str))
