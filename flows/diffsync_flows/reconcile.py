import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from prefect import flow, get_run_logger, runtime, task
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, State
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed
from prefect.utilities.urls import url_for

from diffsync_flows.approval.pending import supersede_older
from diffsync_flows.config.config import Config, read_config
from diffsync_flows.reporting.artifacts import publish_reconcile
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.retries import IO_RETRIES, MAX_RESTARTS
from diffsync_flows.runtime.states import SUSPENDED, EndState
from diffsync_flows.runtime.superseded_runs import abort_on_error_if_superseded
from diffsync_flows.runtime.target_lock import TargetBusy, target_lock
from diffsync_flows.runtime.threads import in_thread
from diffsync_store.diffs import DiffRecord

POLL_SECONDS = 0.2
"""Between the first two looks at a run; the longer it takes, the longer until the next."""
LONGEST_POLL_SECONDS = 2
Ids = dict[str, str]
RESTART_SECONDS = 60
"""Within which a run that has crashed is started again."""


class Step(NamedTuple):
    """A deployment to be run."""

    deployment: str
    parameters: dict[str, Any]
    is_child: bool = True
    """Whether its run is a child of this one; Prefect suspends no child, so a sync that asks for an approval is none."""


class StepFailed(UserError):
    """Runs of a step did not end well; the message names each with its state and reason."""


@flow(flow_run_name="reconcile {sync_name}")
@report_expected_errors
async def reconcile(sync_name: str, dry_run: bool = False) -> State[Ids]:
    """Load source and target at the same time, diff them, sync the difference: each step on its own worker.

    A diff without changes ends it: there is nothing to sync. A sync that needs an approval is left waiting for it, and this
    ends as AwaitingApproval. A target is reconciled by one at a time, of whichever sync.

    Args:
        sync_name: Name of the sync in the YAML file.
        dry_run: Change nothing in the target.
    """
    config = read_config()
    async with (
        in_thread(run_metrics("reconcile", sync_name, config.declared.metrics)) as run,
        abort_on_error_if_superseded(),
    ):
        try:
            async with target_lock(
                config, config.sync(sync_name), f"reconcile {sync_name}, flow run {runtime.flow_run.id}"
            ):
                ended = await reconcile_now(config, sync_name, dry_run)
        except TargetBusy as taken:
            run.is_published = False
            return Completed(name=EndState.SKIPPED, message=f"Skipped: {taken}", data={})
        run.state = "partial" if ended.name == EndState.PARTIAL else "complete"
        run.is_published = not dry_run and ended.name != EndState.AWAITING_APPROVAL
        return ended


async def reconcile_now(config: Config, sync_name: str, dry_run: bool) -> State[Ids]:
    """The steps, one after the other, and how they ended."""
    declared = config.sync(sync_name)
    stores = {"source_store_id": new_id(declared.source), "target_store_id": new_id(declared.target)}
    diff_id = new_id(sync_name)
    runs = await run_steps(
        Step(f"load/{declared.source}", {"adapter": declared.source, "store_id": stores["source_store_id"]}),
        Step(f"load/{declared.target}", {"adapter": declared.target, "store_id": stores["target_store_id"]}),
    )
    runs += await run_steps(Step(f"diff/{sync_name}", {**stores, "diff_id": diff_id, "sync_name": sync_name}))
    found = await asyncio.to_thread(read_diff_record, diff_id)
    if found.operations:
        is_child = dry_run or not declared.needs_approval(found.summary)
        runs += await run_steps(Step(f"sync/{sync_name}", {"diff_id": diff_id, "dry_run": dry_run}, is_child))
    else:
        get_run_logger().info("No difference between %s and %s: nothing to sync", declared.source, declared.target)
        if not dry_run:
            reason = f"{declared.source} and {declared.target} do not differ any more, as diff {diff_id} has found"
            await asyncio.to_thread(supersede_older, config, found, sync_name, reason)
    await publish_reconcile(sync_name, found, [(run.name, state_name(run), url_for(run)) for run in runs])
    loaded = tuple(stores.values())
    await asyncio.to_thread(
        rename_run, f"reconcile {sync_name}", found.summary, sync=sync_name, diff=diff_id, store=loaded
    )
    ids = {**stores, "diff_id": diff_id}
    if pending := next(filter(is_pending, runs), None):
        return Completed(name=EndState.AWAITING_APPROVAL, message=pending_message(pending), data=ids)
    if any(state_name(run) == EndState.PARTIAL for run in runs):
        return Completed(
            name=EndState.PARTIAL, message="Some operations were not applied; the sync's run lists them", data=ids
        )
    return Completed(data=ids)


async def run_steps(*steps: Step) -> list[FlowRun]:
    """Run deployments at the same time, wait for all of them, and only then complain of those that failed.

    They are created one after the other: a server on SQLite may turn one of two away, for seconds.
    """
    created = [await create(step, attempt=1) for step in steps]
    runs = await asyncio.gather(*(finish(step, run) for step, run in zip(steps, created, strict=True)))
    failed = [run for run in runs if not is_completed(run)]
    if failed:
        raise StepFailed("; ".join(map(describe, failed)))
    return runs


async def finish(step: Step, run: FlowRun) -> FlowRun:
    """The run, ended; or where this flow run is tried again and its first did not end well, the one that did.

    Runs that are under way or done are found by their keys; only what failed is started anew. A sync is not: it may
    have been applied in part, and a new reconcile sees what is left.
    """
    attempts = 1 if step.deployment.startswith("sync/") else runtime.flow_run.run_count
    run = await wait(run)
    for attempt in range(2, attempts + 1):
        if is_completed(run):
            break
        run = await wait(await create(step, attempt))
    return run


async def create(step: Step, attempt: int) -> FlowRun:
    """Create the run that has this key, or find it.

    Raises:
        StepFailed: there is no such deployment.
    """
    name = step.deployment
    try:
        return await arun_deployment(
            name,
            flow_run_name=name.replace("/", " "),
            parameters=step.parameters,
            as_subflow=step.is_child,
            idempotency_key=f"{runtime.flow_run.id}-{name}-{attempt}",
            timeout=0,
        )
    except ObjectNotFound:
        remedy = "Run `diffsync-flows deploy` with the file that declares it."
        raise StepFailed(f"Prefect has no deployment {name}. {remedy}") from None


async def wait(run: FlowRun) -> FlowRun:
    """Ask for the run until it has ended, and is not started again."""
    pause: float = POLL_SECONDS
    async with get_client() as client:
        while not (is_pending(run) or has_ended(run)):
            await asyncio.sleep(pause)
            pause = min(1.1 * pause, LONGEST_POLL_SECONDS)
            try:
                run = await client.read_flow_run(run.id)
            except httpx.HTTPError as error:  # the run goes on meanwhile
                get_run_logger().warning("Prefect does not answer, and is asked again: %s", error)
    return run


def has_ended(run: FlowRun) -> bool:
    """Whether nothing more becomes of it: a run that has crashed may start again."""
    if run.state is None or not run.state.is_final():
        return False
    if not run.state.is_crashed() or not 0 < run.run_count <= MAX_RESTARTS:
        return True
    return datetime.now(UTC) - run.state.timestamp > timedelta(seconds=RESTART_SECONDS)


@task(**IO_RETRIES)
def read_diff_record(diff_id: str) -> DiffRecord:
    with read_config().open_diffs() as diffs:
        return diffs.open(diff_id).record


def is_completed(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_completed() or is_pending(run))


def is_pending(run: FlowRun) -> bool:
    """Whether somebody has to approve first, in this run or an older one: nobody holds a worker for that."""
    return state_name(run) == SUSPENDED or is_pending_elsewhere(run)


def is_pending_elsewhere(run: FlowRun) -> bool:
    """Whether another run asks in its place."""
    return state_name(run) in {EndState.PENDING_ELSEWHERE, EndState.SUPERSEDED}


def pending_message(run: FlowRun) -> str:
    """Where somebody has to decide."""
    if is_pending_elsewhere(run) and run.state:
        return str(run.state.message)
    return "The sync waits for somebody to approve it, on its run's page: the artifact of this run has the link"


def state_name(run: FlowRun) -> str:
    return run.state.name or "" if run.state else "Unknown"


def describe(run: FlowRun) -> str:
    reason = run.state.message if run.state else None
    return f"{run.name!r} ended {state_name(run)}: {reason or 'no reason given'} ({url_for(run) or run.id})"
