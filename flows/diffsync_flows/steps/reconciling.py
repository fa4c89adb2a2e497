"""The steps of a reconcile: load both sides, compare them, sync the difference."""

from functools import partial

from prefect import get_run_logger
from prefect.client.schemas import State
from prefect.states import Completed

from diffsync_flows.approval.superseding import supersede_older
from diffsync_flows.reporting.artifacts import publish_reconcile
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.states import EndState
from diffsync_flows.steps.applying import read_diff
from diffsync_flows.steps.separate import SeparateSteps
from diffsync_flows.steps.step_end import StepEnd
from diffsync_flows.steps.together import TogetherSteps
from diffsync_store.diffs import DiffRecord

Ids = dict[str, str]


def run_reconcile(context: SyncContext, sync_name: str, *, dry_run: bool) -> State[Ids]:
    """Run the steps one after the other, and return the state in which the reconcile ends."""
    declared = context.project.sync(sync_name)
    stores = {"source_store_id": new_id(declared.source), "target_store_id": new_id(declared.target)}
    ids = {**stores, "diff_id": new_id(sync_name)}
    name_run = partial(
        rename_run, "reconcile", sync_name, sync=sync_name, diff=ids["diff_id"], store=tuple(stores.values())
    )
    steps: SeparateSteps | TogetherSteps = SeparateSteps(sync_name, declared, ids)
    if declared.steps == "together":
        name_run()  # the artifacts of the steps link to this run by its tags
        steps = TogetherSteps(context, sync_name, ids)
    ended = [*steps.load(), *steps.diff()]
    record = read_diff(context, ids["diff_id"])
    if record.operations:
        ended += steps.sync(record, dry_run=dry_run)
    else:
        _end_without_changes(context, record, sync_name, dry_run=dry_run)
    publish_reconcile(sync_name, record, ended)
    name_run(record.summary)
    return _end_state(ended, ids)


def _end_without_changes(context: SyncContext, record: DiffRecord, sync_name: str, *, dry_run: bool) -> None:
    """End older requests for approval, because nothing is left to decide."""
    sides = f"{record.source_name} and {record.target_name}"
    get_run_logger().info("%s do not differ: nothing to sync", sides)
    if not dry_run:
        supersede_older(context, record, sync_name, f"{sides} no longer differ (diff {record.diff_id})")


def _end_state(ended: list[StepEnd], ids: Ids) -> State[Ids]:
    if pending := next((step.pending for step in ended if step.pending), ""):
        return Completed(name=EndState.AWAITING_APPROVAL, message=pending, data=ids)
    if partial := [step.name for step in ended if step.state == EndState.PARTIAL]:
        return Completed(name=EndState.PARTIAL, message=_partial_text(partial), data=ids)
    return Completed(data=ids)


def _partial_text(steps: list[str]) -> str:
    loads = [name for name in steps if name.startswith("load ")]
    found = {
        "shards were not loaded": loads,
        "operations were not applied": [each for each in steps if each not in loads],
    }
    texts = [f"Some {what}: {', '.join(names)}." for what, names in found.items() if names]
    return f"{' '.join(texts)} The artifacts of {'this step' if len(steps) == 1 else 'these steps'} list them."
