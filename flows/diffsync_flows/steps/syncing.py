"""The steps of a sync run: check, ask for approval, apply, report."""

from prefect.client.schemas import State
from prefect.states import Completed

from diffsync_flows.approval.request import has_requested_approval, request_approval
from diffsync_flows.approval.superseding import supersede_older
from diffsync_flows.reporting.events import SyncEnd, report_failure
from diffsync_flows.reporting.metrics import RunMetrics, run_metrics
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import EndState
from diffsync_flows.steps.agents import parse_place
from diffsync_flows.steps.applying import apply_as_agent, apply_diff, check_sync, read_diff, simulate_sync
from diffsync_flows.steps.outcome import SyncOutcome
from diffsync_store import SyncStopped
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import SyncRequest, find_sync

Counts = dict[str, int]


def dry_run_sync(context: SyncContext, request: SyncRequest) -> Counts:
    """Check that a sync could start, and count what it would do."""
    _begin(context, request)
    check_sync(context, request)
    return simulate_sync(context, request)


def run_agent(context: SyncContext, request: SyncRequest, agent_of: str) -> Counts:
    """Apply units of a diff together with the run that started this one. That run asks a person, and reports."""
    group, number = parse_place(agent_of)
    record = read_diff(context, request.diff_id, request.sync_name)
    rename_run("sync", f"{record.source_name} → {record.target_name}, agent {number}")
    return apply_as_agent(context, request, group, number)


def run_sync(context: SyncContext, request: SyncRequest) -> Counts | State[Counts]:
    """Apply a diff once it is approved; report the end as an event and as metrics.

    Raises:
        SyncStopped: Too many operations failed.
    """
    with run_metrics("sync", request.sync_name, context.project.declared.metrics) as metrics:
        with report_failure(request.diff_id, request.sync_name) as end:
            ended = _apply_approved(context, request, metrics, end)
            if isinstance(ended, State):
                metrics.is_published = False
                return ended
        _report(context, request, metrics, end, ended)
    if not ended.not_applied:
        return dict(ended.counts)
    message = f"{ended.not_applied} operations were not applied"
    return Completed(name=EndState.PARTIAL, message=message, data=dict(ended.counts))


def _apply_approved(
    context: SyncContext, request: SyncRequest, metrics: RunMetrics, end: SyncEnd
) -> SyncOutcome | State[Counts]:
    """Apply the diff, or return the state in which the run ends without applying it."""
    record = end.record = _begin(context, request)
    metrics.name, declared = find_sync(context.project, record)
    end.sync_name = metrics.name
    is_resumed = has_requested_approval()
    must_ask = is_resumed or declared.needs_approval(record.summary)
    if not is_resumed:
        check_sync(context, request)
    if must_ask and (ended := request_approval(context, request, metrics.name)):
        if ended.is_cancelled():
            end.emit("rejected")
        return ended
    if is_resumed:  # after the answer has been saved
        check_sync(context, request)
    return apply_diff(context, request, require_approval=must_ask)


def _report(
    context: SyncContext, request: SyncRequest, metrics: RunMetrics, end: SyncEnd, outcome: SyncOutcome
) -> None:
    metrics.add_sync(outcome.counts, is_partial=bool(outcome.not_applied), in_sync_with=outcome.in_sync_with)
    end.emit("stopped" if outcome.stop_reason else metrics.state, outcome.counts)
    if request.is_whole_diff and end.record:
        supersede_older(context, end.record, metrics.name, f"The newer diff {request.diff_id} was applied")
    if outcome.stop_reason:
        raise SyncStopped(outcome.stop_reason)


def _begin(context: SyncContext, request: SyncRequest) -> DiffRecord:
    """Read the diff's record, and name the run after it."""
    record = read_diff(context, request.diff_id, request.sync_name)
    name, _ = find_sync(context.project, record)
    rename_run("sync", f"{record.source_name} → {record.target_name}", record.summary, sync=name, diff=record.diff_id)
    return record
