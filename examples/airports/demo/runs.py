"""Start flow runs through Prefect's API, and read their results."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airports.demo.prefect_stack import PrefectStack

SECONDS = 600.0
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(frozen=True)
class Run:
    """A flow run, with the values that its page shows."""

    id: str
    name: str
    state: str
    message: str
    outcome: str
    """Such as `partial`; empty if the run was complete or failed."""
    pool: str
    process: str
    started: datetime
    ended: datetime
    summary: str
    """The description of its last artifact."""


def start_run(stack: PrefectStack, deployment: str, **parameters: Any) -> str:
    """Start a run of a deployment, such as `load/registry`; return its ID."""
    found = stack.get(f"/deployments/name/{deployment}")
    run = stack.post(f"/deployments/{found['id']}/create_flow_run", parameters=parameters, state={"type": "SCHEDULED"})
    return str(run["id"])


def finish(stack: PrefectStack, run_id: str, seconds: float = SECONDS) -> Run:
    """Wait until the run ends.

    Raises:
        TimeoutError: The run did not end in time.
    """
    deadline = time.monotonic() + seconds
    while (run := stack.get(f"/flow_runs/{run_id}"))["state_type"] not in FINAL:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{run['name']} is still {run['state_name']} after {seconds:.0f} seconds.")
        time.sleep(0.5)
    return _describe(stack, run)


def children(stack: PrefectStack, run_id: str) -> list[Run]:
    """Return the child runs of a run, in the order of their start."""
    started = {"parent_flow_run_id": {"any_": [run_id]}}
    found = stack.post("/flow_runs/filter", flow_runs=started, sort="START_TIME_ASC")
    return [_describe(stack, run) for run in found]


def _describe(stack: PrefectStack, run: dict[str, Any]) -> Run:
    artifacts = stack.post("/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}}, sort="CREATED_DESC")
    return Run(
        id=run["id"],
        name=run["name"],
        state=run["state_name"],
        message=run["state"]["message"] or "",
        outcome=next((tag.removeprefix("outcome:") for tag in run["tags"] if tag.startswith("outcome:")), ""),
        pool=run["work_pool_name"] or "",
        process=run["infrastructure_pid"] or "",
        started=datetime.fromisoformat(run["start_time"]),
        ended=datetime.fromisoformat(run["end_time"]),
        summary=next((each["description"] for each in artifacts if each["type"] != "progress"), ""),
    )
