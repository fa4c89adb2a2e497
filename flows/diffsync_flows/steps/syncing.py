"""The steps of a sync run: check, ask for approval, apply, report."""

from dataclasses import replace

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
from diffsync_store import LeaseHeld, SyncStopped
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import OpenWindow, SyncRequest, applies_unasked, asks_nobody, find_sync, needs_approval
from diffsync_store.store.redis import Holder

Counts = dict[str, int]


def dry_run_sync(context: SyncContext, request: SyncRequest) -> Ending:
    """Check that a sync could start, and count what it would do."""
    _begin(context, request, Outcome.DRY_RUN)
    check_sync(context, request)
    heading, counts = simulate_sync(context, request)
    return Ending(Outcome.DRY_RUN, f"{heading}.", counts)


def run_agent(context: SyncContext, request: SyncRequest, agent_of: str) -> Counts:
    """Apply units of a diff together with the run that started this one. That run asks a person, and reports."""
    group, number = parse_place(agent_of)
    record = read_diff(context, request.diff_id, request.sync_name)
    rename_run("sync", f"{record.source_name} → {record.target_name}, agent {number}")
    return apply_as_agent(context, request, group, number)


def run_sync(context: SyncContext, request: SyncRequest) -> Ending:
    """Apply a diff once it is approved; report the end as an event and as metrics.

    Raises:
        SyncStopped: Too many operations failed.
    """
    with run_metrics("sync", request.sync_name, context.project.declared.metrics) as metrics:
        failure = RunNotifications(context).sync_failure(request.sync_name, request.diff_id)
        with report_failure(request.diff_id, request.sync_name) as end, failure:
            ended = _apply_approved(context, request, metrics, end)
            if isinstance(ended, Ending):
                metrics.is_published = False
                return ended
        _report(context, request, metrics, end, ended)
    return ended.to_ending()


def _apply_approved(
    context: SyncContext, request: SyncRequest, metrics: RunMetrics, end: SyncEnd
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
        if not must_ask:
            outcome = apply_diff(context, request, require_approval=False)
            return replace(outcome, asks_nobody=asks_nobody(declared, record, request.allow))
        if not is_resumed and not window.is_closed and applies_unasked(record, request.allow):
            outcome = apply_diff(context, request, require_approval=False)
            if not outcome.waiting:
                return outcome
        approval = ApprovalRequest(context, request, end.sync_name, is_answered=has_waited)
        return _apply_when_approved(context, request, approval, window, end)
    except LeaseHeld as held:
        if not isinstance(held.holder, Holder) or held.holder.until is not None:
            raise
        end.emit("skipped")
        return _locked(record, held.holder)


def _apply_when_approved(
    context: SyncContext, request: SyncRequest, approval: ApprovalRequest, window: OpenWindow, end: SyncEnd
) -> SyncOutcome | Ending:
    """Ask for an approval and apply what it covers, until nothing waits for another one.

    Raises:
        Pause: A person has to decide, or the run waits for the next window.
    """
    while True:
        if ended := approval.answer():
            if ended.outcome is Outcome.REJECTED:
                end.emit("rejected")
            return ended
        check_sync(context, request)  # after the answer has been saved
        if window.is_closed:
            assert end.record is not None  # noqa: S101  # for the type checker
            wait_for_window(context, end.record, end.sync_name, window)
            return _closed(window, end)
        outcome = apply_diff(context, request, require_approval=True)
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
    metrics.add_sync(outcome.counts, is_partial=bool(outcome.not_applied), in_sync_with=outcome.in_sync_with)
    end.emit("stopped" if outcome.stop_reason else metrics.state, outcome.counts)
    if end.record:
        RunNotifications(context).sync_end(metrics.name, end.record, request, outcome.counts, outcome.stop_reason)
    if request.is_whole_diff and end.record:
        reason = f"The newer diff {request.diff_id} was applied"
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
