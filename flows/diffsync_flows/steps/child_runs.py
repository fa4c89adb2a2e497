"""Run deployments as steps of a reconcile, each on its own workers."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for
from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, wait_exponential

from diffsync_flows.prefect_api import PAGE
from diffsync_flows.runtime.retries import MAX_RESTARTS
from diffsync_flows.runtime.states import SUSPENDED, Outcome, outcome_of, waits_for_window
from diffsync_flows.steps.step_end import StepEnd, StepFailed

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
    name: str = ""
    """Name of the run; needed where several steps run one deployment."""


def run_steps(*steps: Step) -> list[StepEnd]:
    """Run deployments at the same time, and wait for all of them.

    If this flow run is a retry, it finds the runs of the first attempt by their keys, and starts the failed ones again. A
    sync is not started again: it may have been applied in part, and a new reconcile sees what is left.

    Raises:
        StepFailed: A run did not succeed, or a deployment does not exist.
    """
    runs = _wait([create_run(step, 1) for step in steps])
    for attempt in range(2, runtime.flow_run.run_count + 1):
        runs = _wait(
            [
                run if _has_succeeded(run) or step.deployment.startswith("sync/") else create_run(step, attempt)
                for step, run in zip(steps, runs, strict=True)
            ]
        )
    failed = [run for run in runs if not _has_succeeded(run)]
    if failed:
        raise StepFailed("; ".join(map(describe, failed)))
    return list(map(_to_end, runs))


def try_each(steps: Sequence[Step], attempt: int, watch: Callable[[list[FlowRun]], None]) -> list[FlowRun]:
    """Start the runs of an attempt, or find them, and wait until each has ended, whatever its state.

    Args:
        steps: What to run.
        attempt: Number of the attempt.
        watch: Gets the runs each time that they are read.

    Raises:
        StepFailed: A deployment does not exist.
    """
    return _wait([create_run(step, attempt) for step in steps], watch)


def _to_end(run: FlowRun) -> StepEnd:
    outcome, url = outcome_of(run.tags), url_for(run) or ""
    if waits_for_window(run):
        return StepEnd(run.name, outcome, f"{_message(run)} {url}", url, is_waiting=True)
    is_waiting = _state_name(run) == SUSPENDED
    message = (
        f"Waiting for approval: {url or run.id}" if is_waiting else _message(run).removeprefix(f"{outcome.label}: ")
    )
    return StepEnd(run.name, outcome, message, url, is_waiting)


def _is_pending(run: FlowRun) -> bool:
    """Return whether the run waits for a person or a window, or ended because another one does or nothing may be applied."""
    return _state_name(run) == SUSPENDED or waits_for_window(run) or _ended_without_applying(run)


def _message(run: FlowRun) -> str:
    return run.state.message or "" if run.state else ""


def _state_name(run: FlowRun) -> str:
    return run.state.name or "" if run.state else "Unknown"


def create_run(step: Step, key: str | int) -> FlowRun:
    """Create a run, or find the one that this run has created with the same key.

    Raises:
        StepFailed: The deployment does not exist.
    """
    name = step.deployment
    own_key = f"-{step.name}" if step.name else ""
    try:
        run = run_deployment(
            name,
            flow_run_name=step.name or name.replace("/", " "),
            parameters=step.parameters,
            as_subflow=step.is_child,
            idempotency_key=f"{runtime.flow_run.id}-{name}{own_key}-{key}",
            timeout=0,
        )
        return cast("FlowRun", run)  # it is a coroutine only in an event loop
    except ObjectNotFound:
        remedy = "Run `diffsync-flows deploy` with the file that declares it."
        raise StepFailed(f"Prefect has no deployment {name}. {remedy}") from None


def read_runs(ids: list[UUID]) -> list[FlowRun]:
    """Read runs, in the order of their ids.

    Raises:
        StepFailed: Somebody has deleted one.
    """
    with get_client(sync_client=True) as client:
        return _read(client, ids)


def _wait(runs: list[FlowRun], watch: Callable[[list[FlowRun]], None] = lambda _: None) -> list[FlowRun]:
    """Poll the runs until each has ended for good, or waits for approval."""
    retrying = Retrying(
        retry=retry_if_result(lambda found: any(map(_is_running, found))) | retry_if_exception_type(httpx.HTTPError),
        wait=wait_exponential(multiplier=MIN_POLL_SECONDS, exp_base=1.1, max=MAX_POLL_SECONDS),
        before_sleep=_log_error,
    )

    def read() -> list[FlowRun]:
        found = _read(client, [run.id for run in runs])
        watch(found)
        return found

    with get_client(sync_client=True) as client:
        return retrying(read)


def _read(client: SyncPrefectClient, ids: list[UUID]) -> list[FlowRun]:
    """Read runs, in the order of their ids.

    Raises:
        StepFailed: Somebody has deleted one.
    """
    pages = (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))
    found = {
        run.id: run
        for page in pages
        for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=page)), limit=PAGE)
    }
    if deleted := [str(run_id) for run_id in ids if run_id not in found]:
        raise StepFailed(f"These flow runs no longer exist in Prefect: {', '.join(deleted)}. Start this run again.")
    return [found[run_id] for run_id in ids]


def _log_error(attempt: RetryCallState) -> None:
    if attempt.outcome and (error := attempt.outcome.exception()):
        get_run_logger().warning("Cannot read the run's state, trying again: %s", error)


def _is_running(run: FlowRun) -> bool:
    return not (_is_pending(run) or _has_ended(run))


def _has_ended(run: FlowRun) -> bool:
    """Return whether the run's state is final: a crashed run may be restarted."""
    if run.state is None or not run.state.is_final():
        return False
    if not run.state.is_crashed() or not 0 < run.run_count <= MAX_RESTARTS:
        return True
    return datetime.now(UTC) - run.state.timestamp > timedelta(seconds=RESTART_SECONDS)


def _has_succeeded(run: FlowRun) -> bool:
    return run.state is not None and (run.state.is_completed() or _is_pending(run))


def _ended_without_applying(run: FlowRun) -> bool:
    is_final = run.state is not None and run.state.is_final()
    return is_final and outcome_of(run.tags) in {Outcome.ALREADY_PENDING, Outcome.SUPERSEDED, Outcome.SKIPPED}


def describe(run: FlowRun) -> str:
    """Return how a run ended, with its reason and its page."""
    reason = run.state.message if run.state else None
    return f"{run.name!r} ended {_state_name(run)}: {reason or 'no reason given'} ({url_for(run) or run.id})"
