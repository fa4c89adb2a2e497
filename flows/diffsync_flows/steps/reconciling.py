"""The steps of a reconcile: load both sides, compare them, sync the difference."""

from prefect import get_run_logger
from prefect.client.schemas import FlowRun, State
from prefect.states import Completed
from prefect.utilities.urls import url_for

from diffsync_flows.approval.superseding import supersede_older
from diffsync_flows.reporting.artifacts import publish_reconcile
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.states import EndState
from diffsync_flows.steps.applying import read_diff
from diffsync_flows.steps.child_runs import Step, is_pending, pending_message, run_steps, state_name
from diffsync_store.diffs import DiffRecord

Ids = dict[str, str]


def run_reconcile(context: SyncContext, sync_name: str, *, dry_run: bool) -> State[Ids]:
    """Run the steps one after the other, and return the state in which the reconcile ends."""
    declared = context.project.sync(sync_name)
    stores = {"source_store_id": new_id(declared.source), "target_store_id": new_id(declared.target)}
    ids = {**stores, "diff_id": new_id(sync_name)}
    runs = run_steps(
        Step(f"load/{declared.source}", {"adapter": declared.source, "store_id": stores["source_store_id"]}),
        Step(f"load/{declared.target}", {"adapter": declared.target, "store_id": stores["target_store_id"]}),
    )
    runs += run_steps(Step(f"diff/{sync_name}", {**ids, "sync_name": sync_name}))
    record = read_diff(context, ids["diff_id"])
    if record.operations:
        is_child = dry_run or not declared.needs_approval(record.summary)
        parameters = {"diff_id": record.diff_id, "dry_run": dry_run}
        runs += run_steps(Step(f"sync/{sync_name}", parameters, is_child))
    else:
        _end_without_changes(context, record, sync_name, dry_run=dry_run)
    publish_reconcile(sync_name, record, [(run.name, state_name(run), url_for(run)) for run in runs])
    loaded = tuple(stores.values())
    rename_run("reconcile", sync_name, record.summary, sync=sync_name, diff=record.diff_id, store=loaded)
    return _end_state(runs, ids)


def _end_without_changes(context: SyncContext, record: DiffRecord, sync_name: str, *, dry_run: bool) -> None:
    """End older requests for approval, because nothing is left to decide."""
    sides = f"{record.source_name} and {record.target_name}"
    get_run_logger().info("%s do not differ: nothing to sync", sides)
    if not dry_run:
        supersede_older(context, record, sync_name, f"{sides} no longer differ (diff {record.diff_id})")


def _end_state(runs: list[FlowRun], ids: Ids) -> State[Ids]:
    if pending := next(filter(is_pending, runs), None):
        return Completed(name=EndState.AWAITING_APPROVAL, message=pending_message(pending), data=ids)
    if any(state_name(run) == EndState.PARTIAL for run in runs):
        message = "Some operations were not applied. The run of the sync lists them."
        return Completed(name=EndState.PARTIAL, message=message, data=ids)
    return Completed(data=ids)
