"""Rehearse what a command plans or applies, if its sync says so."""

from __future__ import annotations

from diffsync_store.cli.app import echo_error
from diffsync_store.cli.asking import is_confirmed
from diffsync_store.cli.connection import Context
from diffsync_store.cli.rehearsal_view import show_rehearsal
from diffsync_store.diffs import SavedDiff
from diffsync_store.exceptions import LeaseHeld
from diffsync_store.runs import (
    MAX_REFUSED,
    Plan,
    RehearsalReport,
    Rehearsed,
    SyncRequest,
    must_rehearse,
    refused_operations,
    rehearse_first,
    undecided_refusal,
    wait_for_lease,
)
from diffsync_store.selection import Select

_LEASE_SECONDS = 10.0


def rehearse_before_apply(
    context: Context, plan: Plan, request: SyncRequest, *, wait: int, is_quiet: bool
) -> RehearsalReport | None:
    """Rehearse and show what is about to be applied; return what a person has to decide about first, if there is something."""
    found = _rehearse(context, plan.saved, request, wait)
    if found is not None and not is_quiet:
        show_rehearsal(found)
    return undecided_refusal(plan.saved, request)


def rehearse_plan(context: Context, plan: Plan, request: SyncRequest) -> Rehearsed | None:
    """Rehearse a plan, unless the target is in use; return what was found, if the sync rehearses."""
    if not plan.has_changes or plan.refusal:
        return None
    try:
        return _rehearse(context, plan.saved, request, wait=0)
    except LeaseHeld as held:
        echo_error(f"Not rehearsed: {held}")
        return None


def ask_to_leave_out(saved: SavedDiff, report: RehearsalReport | None) -> tuple[Select, ...]:
    """Ask whether to leave out what the target would refuse; return it if the answer is yes.

    Raises:
        typer.Abort: there is no answer.
    """
    if report is None or not 0 < report.refused <= MAX_REFUSED:
        return ()
    if not is_confirmed("Leave out what the target would refuse?", default=True):
        return ()
    return refused_operations(saved, report)


def _rehearse(context: Context, saved: SavedDiff, request: SyncRequest, wait: int) -> Rehearsed | None:
    if not must_rehearse(context, saved, request):
        return None
    target, reason = saved.record.target_name, f"rehearsal of diff {request.diff_id}"
    with wait_for_lease(context.leases(), target, reason, seconds=wait, ttl=_LEASE_SECONDS):
        return rehearse_first(context, request)
