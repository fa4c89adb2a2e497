"""Run deployments as steps of a reconcile, each on its own workers."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.deployments.flow_runs import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, retry_if_result, wait_exponential

from diffsync_flows.runtime.retries import MAX_RESTARTS
from diffsync_flows.runtime.states import SUSPENDED, EndState
from diffsync_store.project import UserError

MIN_POLL_SECONDS = 0.2
"""Pause between the first two polls of a run. It grows by a tenth each time."""
MAX_POLL_SECONDS = 2
RESTART_SECONDS = 60
"""How long after a crash Prefect may restart a run."""


class Step(NamedTuple):
    """A deployment to run."""

    deployment: str
    parameters: dict[str, Any]
    is_child: bool = True
    """False for a sync that asks for approval: Prefect does not suspend a child run."""


class StepFailed(UserError):
    """Runs of a step did not succeed; the message names each with its state and reason."""


async def run_steps(*steps: Step) -> list[FlowRun]:
    """Run deployments at the same time, and wait for all of them.

    The runs are created one after the other: a server on SQLite may reject one of two for seconds.

    Raises:
        StepFailed: A run did not succeed, or a deployment does not exist.
    """
    created = [await _create(step, attempt=1) for step in steps]
    runs = await asyncio.gather(*(_finish(step, run) for step, run in zip(steps, created, strict=True)))
    failed = [run for run in runs if not _has_succeeded(run)]
    if failed:
        raise StepFailed("; ".join(map(_describe, failed)))
    return runs


def is_pending(run: FlowRun) -> bool:
    """Return whether a person has to approve first, in this run or in an older one."""
    return state_name(run) == SUSPENDED or _is_pending_elsewhere(run)


def pending_message(run: FlowRun) -> str:
    """Return where a person has to decide."""
    if _is_pending_elsewhere(run) and run.state:
        return str(run.state.message)
    return f"Waiting for approval: {url_for(run) or run.id}"


def state_name(run: FlowRun) -> str:
    return run.state.name or "" if run.state else "Unknown"


async def _finish(step: Step, run: FlowRun) -> FlowRun:
    """Wait for a run; if this flow run is a retry, start a failed step again.

    A retry finds the runs of the first attempt by their keys. A sync is not started again: it may have been applied in
    part, and a new reconcile sees what is left.
    """
    attempts = 1 if step.deployment.startswith("sync/") else runtime.flow_run.run_count
    run = await _wait(run)
    for attempt in range(2, attempts + 1):
        if _has_succeeded(run):
            break
        run = await _wait(await _create(step, attempt))
    return run


async def _create(step: Step, attempt: int) -> FlowRun:
    """Create the run of this attempt, or find it.

    Raises:
        StepFailed: The deployment does not exist.
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


async def _wait(run: FlowRun) -> FlowRun:
    """Poll the run until it has ended for good, or waits for approval."""
    retrying = AsyncRetrying(
        retry=retry_if_result(_is_running) | retry_if_exception_type(httpx.HTTPError),
        wait=wait_exponential(multiplier=MIN_POLL_SECONDS, exp_base=1.1, max=MAX_POLL_SECONDS),
        before_sleep=_log_error,
    )
    async with get_client() as client:
        return await retrying(client.read_flow_run, run.id)


def _log_error(attempt: RetryCallState) -> None:
    if attempt.outcome and (error := attempt.outcome.exception()):
        get_run_logger().warning("Cannot read the run's state, trying again: %s", error)


def _is_running(run: FlowRun) -> bool:
    return not (is_pending(run) or _has_ended(run))


def _has_ended(run: FlowRun) -> bool:
    """Return whether the run's state is final: a crashed run may be restarted."""
    if run.state is None or not run.state.is_final():
        return False
    if not run.state.is_crashed() or not 0 < run.run_count <= MAX_RESTARTS:
        return True
    return datetime.now(UTC) - run.state.timestamp > timedelta(seconds=RESTART_SECONDS)


def _has_succeeded(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_completed() or is_pending(run))


def _is_pending_elsewhere(run: FlowRun) -> bool:
    return state_name(run) in {EndState.PENDING_ELSEWHERE, EndState.SUPERSEDED}


def _describe(run: FlowRun) -> str:
    reason = run.state.message if run.state else None
    return f"{run.name!r} ended {state_name(run)}: {reason or 'no reason given'} ({url_for(run) or run.id})"
