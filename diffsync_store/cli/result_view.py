"""Show the result of a sync in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from diffsync_store.cli.agents_view import agents_table
from diffsync_store.cli.formatting import one_line, table
from diffsync_store.cli.plan_view import print_line, show_left_alone
from diffsync_store.result import SyncResult
from diffsync_store.runs import Plan

_REJECTS = 20
"""Rejects that are shown."""
_NAMES = (
    "created",
    "updated",
    "deleted",
    "moved",
    "done before",
    "skipped",
    "failed",
    "conflicts",
    "blocked",
    "unknown",
    "suppressed",
    "waiting",
    "ignored",
)


def status_of(plan: Plan, result: SyncResult | None) -> str:
    """Return the outcome in a word: `refused`, `no changes`, `stopped`, `partial`, `waiting` or `applied`."""
    if result is None:
        return "refused"
    if result is plan.result:
        return "partial" if result.rejects else "waiting" if result.waiting else "no changes"
    if result.stopped:
        return "stopped"
    if result.rejects or result.failed or result.blocked:
        return "partial"
    return "waiting" if result.waiting else "applied"


def next_steps(plan: Plan, result: SyncResult) -> list[str]:
    """Return what to do about the operations that were not applied."""
    diff_id = str(plan.saved.record.diff_id)
    steps = {
        "waiting": f"waiting for an approval. Then: diffsync-store approve {diff_id} --by NAME, diffsync-store apply {diff_id}",
        "failed": f"failed. Fix the causes, then: diffsync-store apply {diff_id} --retry-rejected",
        "blocked": "blocked, because an operation that they depend on failed. `--retry-rejected` applies them too.",
        "conflicts": "in conflict: the records have changed since the diff was made, and were not overwritten. Plan again.",
        "unknown": "unknown: their answers were lost. Check each in the target, then: diffsync-store resolve "
        f"{diff_id} OPERATION_ID --done (or --not-done); ids: diffsync-store changes {diff_id} --state sent --json",
    }
    if result.canary is not None and result.canary.state == "failed":  # `stopped` says how they are tried again
        del steps["failed"], steps["blocked"]
    found = [f"{count:,} {text}" for name, text in steps.items() if (count := getattr(result, name))]
    if result.stopped:
        found.append(f"Continue where it stopped: diffsync-store apply {diff_id}")
    return found


def show_result(console: Console, plan: Plan, result: SyncResult, steps: list[str]) -> None:
    """Print the counts, the rejects with their reasons, and the next steps."""
    if result.applied_before:
        console.print(Text(one_line(result.applied_before)))
        return
    if result.rejects:
        rows = [
            (each.state, each.action, each.model, each.unique_id, each.reason) for each in result.rejects[:_REJECTS]
        ]
        console.print(table(("state", "action", "model", "unique id", "reason"), rows))
        if len(result.rejects) > _REJECTS:
            rest = f"{_REJECTS} of {len(result.rejects):,}: diffsync-store rejects {plan.saved.record.diff_id}"
            console.print(Text(one_line(rest), "dim"))
        console.print()
    show_left_alone(console, plan.saved, result.left_alone)
    counts = [f"{count:,} {name}" for name in _NAMES if (count := getattr(result, name.replace(" ", "_")))]
    title, style = (
        ("Stopped", "yellow") if result.stopped else ("Partly applied", "yellow") if steps else ("Applied", "green")
    )
    if result.canary is not None:
        print_line(console, Text(one_line(f"Canary: {result.canary.text}")))
    console.print(Text.assemble((f"{title}: ", f"bold {style}"), f"{', '.join(counts) or 'nothing'}."))
    if result.outside_window:
        console.print(Text(one_line(f"Outside of the windows: {result.outside_window}")))
    if result.stopped:
        console.print(Text(one_line(result.stopped)))
    if (found := plan.saved.round()) and len(found.agents) > 1:
        console.print(agents_table(plan.saved, found))
    show_steps(console, steps)
    console.print(Text(f"diff_id: {plan.saved.record.diff_id}", "dim"), soft_wrap=True)


def show_steps(console: Console, steps: list[str]) -> None:
    """Print what to do about the operations that were not applied."""
    for step in steps:
        print_line(console, Text(one_line(step)))
