"""The steps of an undo: load the target, compare it with what the syncs of a diff have done, and save what takes that back."""

from collections.abc import Iterator

from prefect import get_run_logger, task

from diffsync_flows.reporting.artifacts import publish_undo
from diffsync_flows.reporting.events import diff_saved
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.steps.loading import run_load
from diffsync_store.diffs import DiffRecord, SavedDiff, Undo
from diffsync_store.printable import printable
from diffsync_store.runs import Plan, SyncRequest, find_sync, make_plan, make_undo, open_undoable
from diffsync_store.store.redis import target_lease


def run_undo(context: SyncContext, diff_id: str, request: SyncRequest) -> Ending:
    """Save an undo; report it as metrics, artifacts and an event.

    Args:
        context: The project.
        diff_id: The diff whose changes are taken back.
        request: The id of the undo, its sync, and what the guards are to let through.
    """
    with run_metrics("undo", request.sync_name, context.project.declared.metrics) as metrics:
        saved = find_undoable(context, diff_id, request.sync_name)
        metrics.name, declared = find_sync(context.project, saved.record)
        store_id = new_id(saved.record.target_name)
        _, loaded = run_load(context, saved.record.target_name, store_id)
        undo = save_undo(context, saved, store_id, request.diff_id)
        record = report_undo(context, request, undo)
        metrics.add_undo(record, len(undo.not_undone))
    ending = _ending(record, undo, loaded)
    sides = f"{record.source_name} → {record.target_name}"
    tags = {"sync": metrics.name, "diff": record.diff_id, "undoes": diff_id, "store": store_id}
    rename_run("undo", sides, record.summary, ending.outcome, **tags)
    diff_saved(record, metrics.name, declared)
    return ending


@task(task_run_name="find the diff to undo", **IO_RETRIES)
def find_undoable(context: SyncContext, diff_id: str, sync_name: str) -> SavedDiff:
    """Return a diff that can be undone."""
    saved, log = open_undoable(context, diff_id, sync_name), get_run_logger()
    target = saved.record.target_name
    if holder := context.leases().holder(target_lease(target)):
        text = f"{target} is locked or being changed: {holder}. The loaded records may soon be out of date."
        log.warning("%s", printable(text))
    return saved


@task(task_run_name="save the undo", **IO_RETRIES)
def save_undo(context: SyncContext, saved: SavedDiff, store_id: str, undo_id: str) -> Undo:
    """Save the undo; an attempt before this one is replaced."""
    with library_log(context.project.secrets.redact), context.project.secrets.redacted_errors():
        return make_undo(context, saved, store_id, undo_id)


@task(task_run_name="report the undo", **IO_RETRIES)
def report_undo(context: SyncContext, request: SyncRequest, undo: Undo) -> DiffRecord:
    """Publish the artifacts of the undo; return its record."""
    plan, log = make_plan(context, request), get_run_logger()
    record = plan.saved.record
    log.info("Saved the undo %s of diff %s: %s", record.diff_id, record.undoes, record.summary)
    for warning in _warnings(plan, undo):
        log.warning("%s", printable(warning))
    publish_undo(plan, undo)
    return record


def _warnings(plan: Plan, undo: Undo) -> Iterator[str]:
    yield from undo.notes()
    yield from map(str, plan.saved.record.suppressions)
    if plan.refusal:
        yield plan.refusal


def _ending(record: DiffRecord, undo: Undo, loaded: Ending) -> Ending:
    """Return how the run ends: partial if something is not taken back, or if the target was not loaded as a whole."""
    parts = [] if record.operations else ["Nothing is left to undo."]
    if count := len(undo.not_undone):
        what = "1 operation is" if count == 1 else f"{count:,} operations are"
        parts.append(f"{what} not taken back. The artifact lists them with the reasons.")
    if loaded.message:
        parts.append(f"{record.target_name} was loaded in part. {loaded.message}")
    is_partial = undo.not_undone or loaded.outcome is Outcome.PARTIAL
    return Ending(Outcome.PARTIAL if is_partial else Outcome.COMPLETE, " ".join(parts), record.diff_id)
