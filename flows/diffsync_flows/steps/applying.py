"""Prefect tasks that check, dry-run and apply a saved diff."""

from prefect import get_run_logger, runtime, task

from diffsync_flows.reporting.artifacts import dry_run_heading, publish_dry_run, publish_sync
from diffsync_flows.reporting.progress import progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.runtime.cancellation import defer_termination
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import IO_RETRIES, NO_RETRIES, classify_errors
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_flows.runtime.target_lease import take_target_lease
from diffsync_flows.steps.agents import more_agents, new_agent
from diffsync_flows.steps.outcome import SyncOutcome, count_applied, outcome_of
from diffsync_store import Agent, SyncResult
from diffsync_store.diffs import DiffRecord
from diffsync_store.lifecycle import opened
from diffsync_store.runs import (
    SyncRequest,
    apply_saved,
    count_matching,
    find_suppressions,
    find_sync,
    group_of,
    needs_approval,
    open_source,
    open_target,
)


@task(task_run_name="read the diff", **IO_RETRIES)
def read_diff(context: SyncContext, diff_id: str, sync_name: str = "") -> DiffRecord:
    """Return the record of a diff; refuse a diff of another sync than `sync_name`."""
    record = context.diffs().open(diff_id).record
    if sync_name:
        context.project.require_pair(sync_name, record.source_name, record.target_name, f"Diff {diff_id} is")
    return record


@task(task_run_name="check the sync", **IO_RETRIES)
def check_sync(context: SyncContext, request: SyncRequest) -> None:
    """Check the two stores, the target's system, the guards and the rules; change nothing."""
    warn_of_other_servers(context)
    with (
        open_target(context, request.diff_id) as (saved, target),
        context.project.secrets.redacted_errors(),
        classify_errors(target),
        opened(target),
        open_source(context, saved.record),
    ):
        find_suppressions(context, saved, target.store.record(), request.allow)
        count_matching(saved, request.rules)
        get_run_logger().info(
            "Diff %s can be applied to %s: %s", saved.record.diff_id, target.name, saved.record.summary
        )


@task(task_run_name="simulate the sync", **IO_RETRIES)
def simulate_sync(context: SyncContext, request: SyncRequest, refused: int | None = None) -> tuple[str, dict[str, int]]:
    """Count what a sync would do, in words and by outcome; change nothing.

    Args:
        context: The project.
        request: What it would apply.
        refused: Number of operations that a rehearsal found the target to refuse; None if there was no rehearsal.
    """
    with open_target(context, request.diff_id) as (saved, target):
        _, declared = find_sync(context.project, saved.record)
        options = declared.options(
            suppress=find_suppressions(context, saved, target.store.record(), request.allow),
            require_approval=needs_approval(declared, saved.record, request.allow),
            **request.options,
        )
        result = saved.dry_run(options, flags=declared.combined_flags)
    counts = result.counts()
    get_run_logger().info("Dry run of diff %s: %s", request.diff_id, result.applied_before or counts)
    publish_dry_run(saved.record, result, refused)
    return dry_run_heading(saved.record, result, refused), counts


@task(task_run_name="apply the diff", **NO_RETRIES)
def apply_diff(context: SyncContext, request: SyncRequest, *, require_approval: bool) -> SyncOutcome:
    """Apply a diff to its target. It is not retried: a person must look at a failure first."""
    saved = context.diffs().open(request.diff_id)
    name, declared = find_sync(context.project, saved.record)
    agent = new_agent(declared.agents) if declared.agents > 1 else None
    key = artifact_key("sync-agents", saved.record.source_name, saved.record.target_name)
    with more_agents(saved, request, name, agent, key):
        own = _apply(context, request, agent, require_approval=require_approval)
    result = saved.result_of_all(own, agent) if agent else own
    outcome = outcome_of(context, saved, result)
    applied = count_applied(saved, result, outcome)
    publish_sync(saved.record, result, applied, outcome.to_ending().outcome, name)
    return outcome


@task(task_run_name="apply the diff as agent {number}", **NO_RETRIES)
def apply_as_agent(context: SyncContext, request: SyncRequest, group: str, number: int) -> dict[str, int]:
    """Apply units of a diff together with the run that started this one; return what this run has done."""
    saved = context.diffs().open(request.diff_id)
    _, declared = find_sync(context.project, saved.record)
    must_approve = needs_approval(declared, saved.record, request.allow)
    own = _apply(context, request, new_agent(declared.agents, group, number), require_approval=must_approve)
    return own.counts()


def _apply(context: SyncContext, request: SyncRequest, agent: Agent | None, *, require_approval: bool) -> SyncResult:
    """Return what this run has done."""
    config, log = context.project, get_run_logger()
    group = group_of(request.diff_id) if agent else ""
    with (
        open_target(context, request.diff_id) as (saved, target),
        take_target_lease(context.leases(), target.name, f"sync of diff {request.diff_id}", group) as lease,
        open_source(context, saved.record) as source,
        library_log(config.secrets.redact),
        config.secrets.redacted_errors(),
        opened(target),
        defer_termination() as is_stopped,
        progress(artifact_key("sync", saved.record.source_name, target.name)) as callback,
    ):
        result = apply_saved(
            context,
            request,
            saved,
            source,
            target,
            lease=lease,
            by=f"flow run {runtime.flow_run.name}",
            require_approval=require_approval,
            should_stop=is_stopped,
            callback=callback,
            agent=agent,
        )
        log.info("Applied diff %s to %s: %s", request.diff_id, target.name, result.applied_before or result.counts())
        return result
