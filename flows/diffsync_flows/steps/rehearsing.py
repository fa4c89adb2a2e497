"""The step that rehearses a diff: it finds what the target would refuse, before the approval and before anything is written."""

from dataclasses import replace

from prefect import get_run_logger, task

from diffsync_flows.reporting.artifacts import publish_rehearsal
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_flows.runtime.target_lease import take_target_lease
from diffsync_store import LeaseHeld, Reject
from diffsync_store.diffs import SavedDiff
from diffsync_store.printable import printable
from diffsync_store.runs import (
    RehearsalReport,
    Rehearsed,
    SyncRequest,
    find_refused,
    find_sync,
    must_rehearse,
    rehearse_first,
    rehearse_now,
    undecided_refusal,
)
from diffsync_store.store.redis import Lease

LOGGED = 20
"""Refused operations that the log names."""


@task(task_run_name="rehearse the sync", **IO_RETRIES)
def rehearse_sync(context: SyncContext, request: SyncRequest) -> RehearsalReport | None:
    """Rehearse a diff if its sync says so; return what a person has to decide about first, if there is something.

    What somebody has approved since it was rehearsed is not rehearsed again.
    """
    saved = context.diffs().open(request.diff_id)
    if must_rehearse(context, saved, request):
        with _lease(context, saved), library_log(context.project.secrets.redact):
            found = rehearse_first(context, request)
        if found is not None:
            _report(context, saved, request, found)
    return undecided_refusal(saved, request)


@task(task_run_name="rehearse for the dry run", **IO_RETRIES)
def rehearse_dry_run(context: SyncContext, request: SyncRequest) -> int | None:
    """Return how many operations the target would refuse; None if the sync does not rehearse, or the target is in use."""
    saved, log = context.diffs().open(request.diff_id), get_run_logger()
    _, declared = find_sync(context.project, saved.record)
    if not declared.rehearse or not saved.record.operations or saved.journal().application() is not None:
        return None
    try:
        with _lease(context, saved), library_log(context.project.secrets.redact):
            found = rehearse_now(context, request)
    except LeaseHeld as held:
        log.warning("Not rehearsed: %s", printable(str(held)))
        return None
    return len(_report(context, saved, request, found))


def _lease(context: SyncContext, saved: SavedDiff) -> Lease:
    record = saved.record
    return take_target_lease(context.leases(), record.target_name, f"rehearsal of diff {record.diff_id}")


def _report(context: SyncContext, saved: SavedDiff, request: SyncRequest, found: Rehearsed) -> list[Reject]:
    """Log and publish what a rehearsal found; return what the target would refuse."""
    redact, log = context.project.secrets.redact, get_run_logger()
    refused = [replace(each, reason=redact(each.reason)) for each in find_refused(saved, request, found)]
    accepted = f"{found.result.applied:,}"
    log.info("Rehearsed, nothing was changed: %s operations accepted, %s refused", accepted, f"{len(refused):,}")
    for each in refused[:LOGGED]:
        log.warning("%s", printable(f"Would be refused: {each.action} of {each.model} {each.unique_id}: {each.reason}"))
    publish_rehearsal(saved.record, found, refused)
    return refused
