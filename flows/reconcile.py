import asyncio
from typing import Any

from prefect import flow, get_run_logger, runtime, task
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, State
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed
from prefect.utilities.urls import url_for

from diffsync_store.store.redis_diffs import DiffRecord
from flows.artifacts import show_reconcile
from flows.config import read_config
from flows.failures import failing_plainly
from flows.faults import Fault
from flows.ids import new_id
from flows.retries import RETRIED

POLL_SECONDS = 1
Ids = dict[str, str]
Step = tuple[str, dict[str, Any]]
"""A deployment and the parameters of its run."""


class StepFailed(Fault):
    """Runs of a step did not end well; the message names each with its state and reason."""


@flow(flow_run_name="reconcile {sync_name}")
@failing_plainly
async def reconcile(sync_name: str, dry_run: bool = False) -> Ids | State[Ids]:
    """Load source and target at the same time, diff them, sync the difference: each step on its own worker.

    A diff without changes ends it: there is nothing to sync.

    Args:
        sync_name: Name of the sync in the YAML file.
        dry_run: Change nothing in the target.
    """
    declared = read_config().sync(sync_name)
    stores = {"source_store_id": new_id(declared.source), "target_store_id": new_id(declared.target)}
    diff_id = new_id(sync_name)
    runs = await run_steps(
        (f"load/{declared.source}", {"adapter": declared.source, "store_id": stores["source_store_id"]}),
        (f"load/{declared.target}", {"adapter": declared.target, "store_id": stores["target_store_id"]}),
    )
    runs += await run_steps((f"diff/{sync_name}", {**stores, "diff_id": diff_id, "sync_name": sync_name}))
    found = read_diff_record(diff_id)
    if found.operations:
        runs += await run_steps((f"sync/{sync_name}", {"diff_id": diff_id, "dry_run": dry_run}))
    else:
        get_run_logger().info("No difference between %s and %s: nothing to sync", declared.source, declared.target)
    await show_reconcile(sync_name, found, [(run.name, state_name(run), url_for(run)) for run in runs])
    ids = {**stores, "diff_id": diff_id}
    if any(waits(run) for run in runs):
        return Completed(
            name="AwaitingApproval", message="The sync waits for somebody to approve it, on its run's page", data=ids
        )
    if any(state_name(run) == "Partial" for run in runs):
        return Completed(
            name="Partial", message="Some operations were not applied; the sync's run lists them", data=ids
        )
    return ids


async def run_steps(*steps: Step) -> list[FlowRun]:
    """Run deployments at the same time, wait for all of them, and only then complain of those that failed.

    They are created one after the other: a server on SQLite would turn one of two away, for seconds.
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
    attempts = 1 if step[0].startswith("sync/") else runtime.flow_run.run_count
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
    name, parameters = step
    try:
        return await arun_deployment(
            name,
            flow_run_name=name.replace("/", " "),
            parameters=parameters,
            idempotency_key=f"{runtime.flow_run.id}-{name}-{attempt}",
            timeout=0,
        )
    except ObjectNotFound:
        remedy = "Run `python -m flows deploy` with the file that declares it."
        raise StepFailed(f"Prefect has no deployment {name}. {remedy}") from None


async def wait(run: FlowRun) -> FlowRun:
    """Ask for the run until it has ended."""
    async with get_client() as client:
        while run.state is None or not (run.state.is_final() or waits(run)):
            await asyncio.sleep(POLL_SECONDS)
            run = await client.read_flow_run(run.id)
    return run


@task(**RETRIED)
def read_diff_record(diff_id: str) -> DiffRecord:
    with read_config().open_diffs() as diffs:
        return diffs.open(diff_id).record


def is_completed(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_completed() or waits(run))


def waits(run: FlowRun) -> bool:
    """Whether the run is suspended until somebody approves: nobody holds a worker for that."""
    return state_name(run) == "Suspended"


def state_name(run: FlowRun) -> str:
    return run.state.name or "" if run.state else "Unknown"


def describe(run: FlowRun) -> str:
    reason = run.state.message if run.state else None
    return f"{run.name!r} ended {state_name(run)}: {reason or 'no reason given'} ({url_for(run) or run.id})"
