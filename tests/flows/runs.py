"""What the server knows of a flow run, and what a person does with it."""

import json
import os
from pathlib import Path
from typing import Any

from tests.flows.conftest import Project


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def states_of(project: Project, run_id: str) -> list[str]:
    """The names of the states that a run has been in."""
    return [str(state["name"]) for state in project.stack.get(f"/flow_run_states/?flow_run_id={run_id}")]


def state_of(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state_name"])


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def question(project: Project, run_id: str) -> str:
    """What a suspended run shows to the one who decides; empty where it is not suspended, or does not show it yet."""
    run = project.stack.get(f"/flow_runs/{run_id}")
    if run["state_name"] != "Suspended":
        return ""
    key = run["state"]["state_details"]["run_input_keyset"]["description"]
    shown = project.stack.post(f"/flow_runs/{run_id}/input/filter", prefix=key)
    return str(json.loads(shown[0]["value"])) if shown else ""


def answer_to(project: Project, run_id: str, answer: dict[str, Any]) -> None:
    found = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=answer)
    assert found["status"] == "ACCEPT", found


def tried_again(project: Project, run_id: str) -> None:
    """Press Retry on the page of a run that has ended."""
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"})


def waiting_diff(project: Project, sync: str) -> str:
    """The diff of a sync's newest reconcile."""
    tags: list[str] = project.runs(f"sync:{sync}", "reconcile")[0]["tags"]
    return next(tag.removeprefix("diff:") for tag in tags if tag.startswith("diff:"))


def end(project: Project, run_id: str) -> None:
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLED"})
