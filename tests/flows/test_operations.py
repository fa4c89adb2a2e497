"""What happens to a sync on its way: approval, events, a killed process, a cancelled run; on real workers."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.demo.runs import Run, finish, start_run
from tests.flows.conftest import Project
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def state_of(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state_name"])


def prepared(project: Project, sync: str, source: str) -> str:
    """Both sides loaded and compared; the diff_id."""
    stores = {"source_store_id": f"{sync}-source", "target_store_id": f"{sync}-target"}
    for adapter, store_id in ((source, stores["source_store_id"]), (sync, stores["target_store_id"])):
        assert project.run(f"load/{adapter}", store_id=store_id).state == "Completed"
    assert project.run(f"diff/{sync}", **stores, diff_id=sync).state == "Completed"
    return sync


def test_a_sync_waits_for_an_approval_without_a_worker_and_goes_on_on_another_one(project: Project) -> None:
    diff_id = prepared(project, "reviewed", "seven")
    run_id = start_run(project.stack, "sync/reviewed", diff_id=diff_id)
    wait_until(lambda: state_of(project, run_id) == "Suspended", 60, "it asks")
    process = int(str(project.stack.get(f"/flow_runs/{run_id}")["infrastructure_pid"]).split(":")[-1])
    wait_until(lambda: not is_alive(process), 30, "its process has ended")
    assert lines(project.folder / "reviewed") == []
    project.stack.workers["sync"].stop()
    project.stack.start_worker("sync")
    answer = {"decision": "approve", "by": "ann", "comment": "CHG-4711"}
    answer_to(project, run_id, answer)
    run = finish(project.stack, run_id, seconds=120)
    assert (run.state, run.message) == ("Completed", "")
    assert run.name == "sync seven → reviewed · 7 create"
    assert len(lines(project.folder / "reviewed")) == 7
    with project.diffs() as diffs:
        approval = diffs.open(diff_id).journal().approval()
    assert approval is not None
    assert (approval.by, approval.reason) == ("ann", "CHG-4711")


def answer_to(project: Project, run_id: str, answer: dict[str, Any]) -> None:
    found = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=answer)
    assert found["status"] == "ACCEPT", found


def test_a_sync_that_somebody_rejects_is_not_applied_and_neither_is_the_diff_later(project: Project) -> None:
    stores = {"source_store_id": "rejected-source", "target_store_id": "rejected-target"}
    project.run("load/many", store_id="rejected-source")
    assert project.run("load/reviewed", store_id="rejected-target").state == "Completed"
    assert project.run("diff/airports", **stores, diff_id="rejected").state == "Completed"
    config = project.folder / "syncs.yaml"
    assert "approval: always" in config.read_text("utf-8")
    before = lines(project.folder / "reviewed")
    with project.diffs() as diffs:
        diffs.open("rejected").reject(by="bob", reason="not tonight")
    run = project.run("sync/airports", diff_id="rejected")
    assert run.state == "Failed"
    assert "bob has rejected this diff" in run.message
    assert "not tonight" in run.message
    assert lines(project.folder / "reviewed") == before


def test_a_load_leads_to_a_synced_target_by_events_alone(project: Project) -> None:
    assert project.run("load/chained").state == "Completed"
    assert project.run("load/seven").state == "Completed"
    wait_until(lambda: len(lines(project.folder / "chained")) == 7, 120, "the chain has come to its end")


def killed(project: Project, run_id: str) -> Run:
    process = str(project.stack.get(f"/flow_runs/{run_id}")["infrastructure_pid"]).split(":")[-1]
    os.kill(int(process), signal.SIGKILL)
    return finish(project.stack, run_id, seconds=120)


def cancelled(project: Project, run_id: str) -> Run:
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 60, "it is cancelled")
    return finish(project.stack, run_id, seconds=120)


@pytest.mark.parametrize(
    ("sync", "end", "state"), [("killed", killed, "Crashed"), ("cancelled", cancelled, "Cancelled")]
)
def test_a_sync_that_is_ended_in_the_middle_goes_on_when_it_is_started_again(
    project: Project, sync: str, end: Callable[[Project, str], Run], state: str
) -> None:
    file = project.folder / sync
    slow = file.with_suffix(".slow")
    slow.touch()
    diff_id = prepared(project, sync, "many")
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id)
    wait_until(lambda: len(lines(file)) >= 3, 60, "it is under way")
    ended = end(project, run_id)
    assert ended.state == state, ended.message
    assert len(lines(file)) < 40
    slow.unlink()
    again = project.run(f"sync/{sync}", diff_id=diff_id)
    assert (again.state, again.message) == ("Completed", "")
    assert sorted(lines(file)) == sorted(f"item {number}" for number in range(40))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
