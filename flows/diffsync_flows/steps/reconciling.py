"""The steps of a reconcile: load both sides, compare them, sync the difference."""

from functools import partial

from prefect import get_run_logger

from diffsync_flows.approval.superseding import supersede_older
from diffsync_flows.approval.waiting_reconciles import ending_of_sync, resumed_diff, wait_for_sync
from diffsync_flows.reporting.artifacts import publish_reconcile
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.steps.applying import read_diff
from diffsync_flows.steps.separate import SeparateSteps
from diffsync_flows.steps.step_end import StepEnd, reconcile_ending
from diffsync_flows.steps.together import TogetherSteps
from diffsync_store.diffs import DiffRecord


def run_reconcile(context: SyncContext, sync_name: str, *, dry_run: bool, outside_window: str = "") -> Ending:
    """Run the steps one after the other, and return how the reconcile ends.

    Raises:
        Pause: A person has to decide. The run is suspended until its sync ends.
    """
    if ended := _resume(context, sync_name):
        return ended
    declared = context.project.sync(sync_name)
    stores = {"source_store_id": new_id(declared.source), "target_store_id": new_id(declared.target)}
    ids = {**stores, "diff_id": new_id(sync_name)}
    name_run = partial(
        rename_run, "reconcile", sync_name, sync=sync_name, diff=ids["diff_id"], store=tuple(stores.values())
    )
    begun = Outcome.DRY_RUN if dry_run else Outcome.COMPLETE
    steps: SeparateSteps | TogetherSteps = SeparateSteps(sync_name, declared, ids, outside_window)
    name_run(outcome=begun)  # also for one that fails; the artifacts of its own steps link to it by its tags
    if declared.steps == "together":
        steps = TogetherSteps(context, sync_name, ids, outside_window)
    with RunNotifications(context).sync_failure(sync_name, ids["diff_id"]):
        ended_steps = [*steps.load(), *steps.diff()]
        record = read_diff(context, ids["diff_id"])
    if record.operations:
        ended_steps += steps.sync(record, dry_run=dry_run)
    else:
        _end_without_changes(context, record, sync_name, dry_run=dry_run)
    ending = reconcile_ending(ended_steps, ids, dry_run=dry_run)
    waiting = next((step for step in ended_steps if step.is_waiting), None)
    publish_reconcile(
        sync_name,
        record,
        map(StepEnd.row, ended_steps),
        ending,
        is_waiting=waiting is not None,
        canary=context.diffs().open(record.diff_id).canary() if record.operations else None,
    )
    name_run(counts=record.summary, outcome=ending.outcome)
    if waiting is not None:
        wait_for_sync(record.diff_id, ending.message, declared.approval_timeout)
    return ending


def _resume(context: SyncContext, sync_name: str) -> Ending | None:
    """Return how a reconcile ends that somebody resumed although it waits for its sync; None if nobody did."""
    if not (diff_id := resumed_diff()):
        return None
    rename_run("reconcile", sync_name, read_diff(context, diff_id).summary)
    return ending_of_sync(diff_id)


def _end_without_changes(context: SyncContext, record: DiffRecord, sync_name: str, *, dry_run: bool) -> None:
    """End older requests for approval, because nothing is left to decide."""
    sides = f"{record.source_name} and {record.target_name}"
    get_run_logger().info("%s do not differ: nothing to sync", sides)
    if not dry_run:
        supersede_older(context, record, sync_name, f"{sides} no longer differ (diff {record.diff_id})")
