"""Apply a diff with several runs of its sync: the run that was started, and further ones that it starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from secrets import token_hex
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.exceptions import PrefectException
from prefect.states import Cancelled
from prefect.utilities.urls import url_for

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.agents import report_agents
from diffsync_flows.steps.child_runs import Step, create_run, read_runs
from diffsync_flows.steps.step_end import StepFailed
from diffsync_store import Agent
from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import SyncRequest

Parameters = dict[str, Any]


def new_agent(of: int, group: str = "", number: int = 1) -> Agent:
    """Return this run as an agent.

    Args:
        of: How many agents there are, if all begin.
        group: The group of the run that started this one; by default this run begins one. A run applies a diff again when it is
            started again, and after each approval: an application that has ended must not count for the next one.
        number: Number of this agent.
    """
    name = f"agent {number}, flow run {runtime.flow_run.name}"
    return Agent(name=name, of=of, group=group or f"{runtime.flow_run.id}-{token_hex(4)}", leads=not group)


def parse_place(text: str) -> tuple[str, int]:
    """Return the group and the number of an agent from the parameter `agent_of`.

    Raises:
        UserError: It has another form.
    """
    group, _, number = text.rpartition(":")
    if not group or not number.isdecimal():
        raise UserError("A run of this sync sets `agent_of` in the runs that it starts. Leave it empty.")
    return group, int(number)


@contextmanager
def more_agents(
    saved: SavedDiff, request: SyncRequest, sync_name: str, agent: Agent | None, key: str
) -> Iterator[None]:
    """Start further runs of the sync while the body applies the diff, and show all agents on this run's page.

    Those that have not begun when the body ends are cancelled. The others end by themselves. If none can be started, this run
    applies the diff alone.

    Args:
        saved: The diff.
        request: What this run applies.
        sync_name: Name of the sync.
        agent: This run as an agent; None if it applies the diff alone.
        key: Key of the artifact.
    """
    if agent is None:
        yield
        return
    runs = dict(_start(request, sync_name, agent))
    ids = {1: UUID(runtime.flow_run.id), **{number: run.id for number, run in runs.items()}}
    pages = {f"agent {number}": url_for("flow-run", run_id) or "" for number, run_id in ids.items()}
    try:
        with report_agents(saved, key, agent.group, pages):
            yield
            _wait_for_end(saved, agent.lease)
    finally:
        _cancel_unstarted([*runs.values()])


def _start(request: SyncRequest, sync_name: str, agent: Agent) -> Iterator[tuple[int, FlowRun]]:
    for number in range(2, agent.of + 1):
        place = f"{agent.group}:{number}"
        step = Step(f"sync/{sync_name}", {**_parameters(request), "agent_of": place})
        try:
            yield number, create_run(step, place)
        except (StepFailed, httpx.HTTPError, PrefectException) as error:
            get_run_logger().warning("Cannot start agent %s: %s. The others apply the diff.", number, error)


def _parameters(request: SyncRequest) -> Parameters:
    return {
        "diff_id": request.diff_id,
        "allow": list(request.allow),
        "select": [asdict(each) for each in request.select],
        "exclude": [asdict(each) for each in request.exclude],
        "retry_rejected": request.retry_rejected,
        "outside_window": request.outside_window,
        "skip_canary": request.skip_canary,
    }


def _wait_for_end(saved: SavedDiff, seconds: float) -> None:
    """Wait until the other agents have said how they ended, so that the page shows it; one that is silent for longer has died."""
    until = monotonic() + seconds
    while monotonic() < until:
        found = saved.round()
        if found is None or not any(each.state in {"working", "waiting"} for each in found.agents):
            return
        sleep(0.1)


def _cancel_unstarted(runs: list[FlowRun]) -> None:
    with best_effort("Cannot end the agents that have not begun", PrefectException, StepFailed):
        for run in read_runs([run.id for run in runs]):
            if run.state is not None and run.state.is_scheduled():
                _cancel(run.id)


def _cancel(run_id: UUID) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Cancelled(message="The others have applied the diff"))
