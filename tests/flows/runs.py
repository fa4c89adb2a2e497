"""Read a flow run from the server, and act on it as a person does."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.flows.conftest import Project
from tests.servers import wait_until


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def states_of(project: Project, run_id: str) -> list[str]:
    """Return the names of the states of a run."""
    return [str(state["name"]) for state in project.stack.get(f"/flow_run_states/?flow_run_id={run_id}")]


def state_of(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state_name"])


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def process_of(project: Project, run_id: str) -> int:
    """Return the newest process of a run, which may have ended; its worker tells it some time after it has started it."""

    def told() -> str:
        return str(project.stack.get(f"/flow_runs/{run_id}")["infrastructure_pid"] or "")

    wait_until(told, 240, "the worker has told the process")
    return int(told().split(":")[-1])


def kill_process(project: Project, run_id: str) -> None:
    """Kill the process of a run; if the run was started again, the worker may still have to tell the newest."""
    wait_until(lambda: is_alive(process_of(project, run_id)), 240, "the run has a process")
    os.kill(process_of(project, run_id), signal.SIGKILL)


def _shown_request(project: Project, run_id: str) -> str:
    """Return the description in the form of a suspended run; empty if the run is not suspended or its form is not saved."""
    run = project.stack.get(f"/flow_runs/{run_id}")
    if run["state_name"] != "Suspended":
        return ""
    key = run["state"]["state_details"]["run_input_keyset"]["description"]
    shown = project.stack.post(f"/flow_runs/{run_id}/input/filter", prefix=key)
    return str(json.loads(shown[0]["value"])) if shown else ""


def expect_request(project: Project, run_id: str, after: str = "") -> str:
    """Wait until a run asks a person, and return the description in its form. Prefect saves the form after the state.

    Args:
        project: The project.
        run_id: The run.
        after: What the run asked before, if it has to ask something else.
    """
    wait_until(lambda: _shown_request(project, run_id) not in {"", after}, 240, "it asks")
    return _shown_request(project, run_id)


def send_answer(project: Project, run_id: str, answer: dict[str, Any]) -> None:
    """Answer a run that is suspended or will be."""
    expect_request(project, run_id)
    found = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=answer)
    assert found["status"] == "ACCEPT", found


def retry_run(project: Project, run_id: str) -> None:
    """Retry an ended run, as its page does."""
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "SCHEDULED", "name": "AwaitingRetry"})


def diff_of_reconcile(project: Project, sync: str) -> str:
    """Return the id of the diff of a sync's newest reconcile."""
    tags: list[str] = project.runs(f"sync:{sync}", "reconcile")[0]["tags"]
    return next(tag.removeprefix("diff:") for tag in tags if tag.startswith("diff:"))


def end(project: Project, run_id: str) -> None:
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLED"})
