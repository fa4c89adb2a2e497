"""Show what a rehearsal has found: in a terminal, and as JSON."""

from __future__ import annotations

from rich.text import Text

from diffsync_store.cli.formatting import console, one_line, table
from diffsync_store.sync.rehearsal import Rehearsed

_SHOWN = 20
"""Rejects that are shown without `--json`."""


def show_rehearsal(found: Rehearsed) -> None:
    """Print what a rehearsal has found."""
    out, result = console(), found.result
    if result.rejects:
        rows = [(each.state, each.action, each.model, each.unique_id, each.reason) for each in result.rejects[:_SHOWN]]
        out.print(table(("state", "action", "model", "unique id", "reason"), rows))
        if len(result.rejects) > _SHOWN:
            out.print(
                Text(
                    f"{_SHOWN} of {len(result.rejects):,}. See all with `diffsync-store rehearse DIFF_ID --json`.",
                    "dim",
                )
            )
        out.print()
    accepted = f"{result.applied:,} operations would be applied, {len(result.rejects):,} would not."
    out.print(Text(f"Rehearsed, nothing was changed: {accepted}", "yellow" if result.rejects else "green"))
    if not found.asks_target:
        out.print(Text("The adapter offers no rehearsal, so only the models have checked the values."))
    if found.not_rehearsed:
        out.print(Text(f"Not rehearsed: {found.not_rehearsed:,} operations on objects that move."))
    if result.stopped:
        out.print(Text(one_line(result.stopped), "yellow"))


def rehearsal_document(diff_id: str, found: Rehearsed) -> dict[str, object]:
    """Return what a rehearsal has found, for a JSON document."""
    result = found.result
    rejects = [
        {
            "state": each.state,
            "action": each.action,
            "model": each.model,
            "unique_id": each.unique_id,
            "reason": each.reason,
            "operation_id": each.operation_id,
        }
        for each in result.rejects
    ]
    return {
        "version": 1,
        "diff_id": diff_id,
        "counts": result.counts(),
        "asks_target": found.asks_target,
        "not_rehearsed": found.not_rehearsed,
        "stopped": result.stopped,
        "rejects": rejects,
    }
