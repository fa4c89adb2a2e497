"""The steps of a sync run: check, ask for approval, apply, report."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from prefect import get_run_logger

from diffsync_flows.approval.request import ApprovalRequest, has_requested_approval
from diffsync_flows.approval.superseding import supersede_older, supersede_scheduled
from diffsync_flows.approval.window_wait import has_waited_for_window, wait_for_window
from diffsync_flows.reporting.events import SyncEnd, report_failure
from diffsync_flows.reporting.metrics import RunMetrics, run_metrics
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.steps.agents import parse_place
from diffsync_flows.steps.applying import apply_as_agent, apply_diff, check_sync, read_diff, simulate_sync
from diffsync_flows.steps.outcome import SyncOutcome
from diffsync_flows.steps.rehearsing import rehearse_dry_run, rehearse_sync
from diffsync_store import LeaseHeld, SyncStopped
from diffsync_store.diffs import DiffRecord
from diffsync_store.printable import printable
from diffsync_store.runs import (
    OpenWindow,
    RehearsalReport,
    SyncRequest,
    applies_unasked,
    asks_nobody,
    find_sync,
    may_ask,
    needs_approval,
    refusal_text,
)
from diffsync_store.store.redis import Holder

Counts = dict[str, int]
Ask = Callable[[], SyncOutcome | Ending]
"""Asks for an approval and applies what it covers."""


def dry_run_sync(context: SyncContext, request: SyncRequest) -> Ending:
    """Check that a sync could start, and count what it would do."""
    _begin(context, request, Outcome.DRY_RUN)
    check_sync(context, request)
    refused = rehearse_dry_run(context, request)
    heading, counts = simulate_sync(context, request, refused)
    return Ending(Outcome.DRY_RUN, f"{heading}.", counts)


def run_agent(context: SyncContext, request: SyncRequest, agent_of: str) -> Counts:
    """Apply units of a diff together with the run that started this one. That run asks a person, and reports."""
    group, number = parse_place(agent_of)
    record = read_diff(context, request.diff_id, request.sync_name)
    rename_run("sync", f"{record.source_name} → {record.target_name}, agent {number}")
    return apply_as_agent(context, request, group, number)


def run_sync(context: SyncContext, request: SyncRequest, *, asks: bool = True) -> Ending:
    """Apply a diff once it is approved; report the end as an event and as metrics.

    Args:
        context: The project.
        request: What to apply.
        asks: Whether this run asks a person because of a rehearsal; otherwise it ends with `must_ask` then.

    Raises:
        SyncStopped: Too many operations failed.
    """
    with run_metrics("sync", request.sync_name, context.project.declared.metrics) as metrics:
        failure = RunNotifications(context).sync_failure(request.sync_name, request.diff_id)
        with report_failure(request.diff_id, request.sync_name) as end, failure:
            ended = _apply_approved(context, request, metrics, end, asks=asks)
            if isinstance(ended, Ending):
                metrics.is_published = False
                return ended
        _report(context, request, metrics, end, ended)
    return ended.to_ending()


def _apply_approved(
    context: SyncContext, request: SyncRequest, metrics: RunMetrics, end: SyncEnd, *, asks: bool
) -> SyncOutcome | Ending:
    """Apply the diff, or return how the run ends without applying it."""
    has_waited = has_waited_for_window()
    record = end.record = _begin(context, request)
    metrics.name, declared = find_sync(context.project, record)
    end.sync_name = metrics.name
    is_resumed = has_requested_approval()
    must_ask = is_resumed or needs_approval(declared, record, request.allow)
    if not is_resumed:
        check_sync(context, request)
    window = OpenWindow(metrics.name, declared, request)
    if not must_ask and window.refusal:
        return _closed(window, end)
    try:
        ask = partial(_apply_when_approved, context, request, window, end, has_waited=has_waited)
        report = None if is_resumed else _rehearsed(context, request, must_ask=must_ask)
        if report is not None:
            return _apply_without_refused(context, end, report, ask if asks else None)
        if must_ask:
            is_begun = is_resumed or window.is_closed or not applies_unasked(record, request.allow)
            return ask() if is_begun else _apply_and_ask(context, request, ask)
        outcome = apply_diff(context, request, require_approval=False)
        return replace(outcome, asks_nobody=asks_nobody(declared, record, request.allow))
    except LeaseHeld as held:
        if not isinstance(held.holder, Holder) or held.holder.until is not None:
            raise
        end.emit("skipped")
        return _locked(record, held.holder)


def _rehearsed(context: SyncContext, request: SyncRequest, *, must_ask: bool) -> RehearsalReport | None:
    """Rehearse the diff. While another sync changes the target, a run that has to ask anyway asks first: it rehearses before it applies."""
    try:
        return rehearse_sync(context, request)
    except LeaseHeld as held:
        is_locked = isinstance(held.holder, Holder) and held.holder.until is None
        if is_locked or not must_ask:
            raise
        get_run_logger().warning("Not rehearsed before the question: %s", printable(str(held)))
        return None


def _apply_without_refused(
    context: SyncContext, end: SyncEnd, report: RehearsalReport, ask: Ask | None
) -> SyncOutcome | Ending:
    """Ask what to do about the operations that the target would refuse; stop before anything is written if nobody is asked.

    Args:
        context: The project.
        end: The end of the sync.
        report: What a rehearsal found.
        ask: Asks; None if this run cannot.
    """
    if end.record and not may_ask(context.project.sync(end.sync_name), end.record):
        text = refusal_text(report, asks=False)
        return SyncOutcome({}, f"{text} The artifact of this run lists all that was refused.")
    return ask() if ask else Ending(must_ask=True)


def _apply_and_ask(context: SyncContext, request: SyncRequest, ask: Ask) -> SyncOutcome | Ending:
    """Apply what the rules let through, then ask about the rest."""
    outcome = apply_diff(context, request, require_approval=False)
    return ask() if outcome.waiting else outcome


def _apply_when_approved(
    context: SyncContext, request: SyncRequest, window: OpenWindow, end: SyncEnd, *, has_waited: bool
) -> SyncOutcome | Ending:
    """Ask for an approval and apply what it covers, until nothing waits for another one.

    Raises:
        Pause: A person has to decide, or the run waits for the next window.
    """
    approval = ApprovalRequest(context, request, end.sync_name, is_answered=has_waited)
    while True:
        if ended := approval.answer():
            if ended.outcome is Outcome.REJECTED:
                end.emit("rejected")
            return ended
        check_sync(context, request)  # after the answer has been saved
        assert end.record is not None  # noqa: S101  # for the type checker
        if window.is_closed:
            wait_for_window(context, end.record, end.sync_name, window)
            return _closed(window, end)
        if rehearse_sync(context, request):
            continue
        outcome = apply_diff(context, request, require_approval=True)
        if outcome.window_closed:
            wait_for_window(context, end.record, end.sync_name, window, outcome.counts)
        if not outcome.waiting or approval.is_complete():
            return outcome


def _closed(window: OpenWindow, end: SyncEnd) -> Ending:
    """Return how a sync ends that no window lets write."""
    end.emit("skipped")
    return Ending(Outcome.SKIPPED, window.refusal, is_cancelled=True)


def _locked(record: DiffRecord, holder: Holder) -> Ending:
    """Return how a sync ends whose target is locked for maintenance."""
    remedy = f"Start a sync of this diff after: diffsync-store unlock {record.target_name}"
    message = f"Nothing was applied: {record.target_name} is locked by {holder}. {remedy}"
    return Ending(Outcome.SKIPPED, message, is_cancelled=True)


def _report(
    context: SyncContext, request: SyncRequest, metrics: RunMetrics, end: SyncEnd, outcome: SyncOutcome
) -> None:
    is_partial = bool(outcome.not_applied or outcome.stop_reason)
    metrics.add_sync(outcome.counts, is_partial=is_partial, in_sync_with=outcome.in_sync_with)
    end.emit("stopped" if outcome.stop_reason else metrics.state, outcome.counts)
    if end.record:
        RunNotifications(context).sync_end(metrics.name, end.record, request, outcome.counts, outcome.stop_reason)
    if request.is_whole_diff and end.record and outcome.counts:  # without counts, nothing was begun
        verb = "begun to apply" if outcome.stop_reason else "applied"
        reason = f"Another run has {verb} the diff {request.diff_id}"
        supersede_older(context, end.record, metrics.name, reason)
        supersede_scheduled(context, end.record, metrics.name, reason)
    if outcome.stop_reason:
        raise SyncStopped(outcome.stop_reason)


def _begin(context: SyncContext, request: SyncRequest, outcome: Outcome = Outcome.COMPLETE) -> DiffRecord:
    """Read the diff's record, and name the run after it."""
    record = read_diff(context, request.diff_id, request.sync_name)
    name, _ = find_sync(context.project, record)
    sides = f"{record.source_name} → {record.target_name}"
    rename_run("sync", sides, record.summary, outcome, sync=name, diff=record.diff_id)
    return record
