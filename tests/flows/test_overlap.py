"""Reconciles of one target that overlap, on a real Prefect server."""

from functools import partial
from typing import Any

import pytest

from flows.demo.runs import finish, start_run
from tests.flows.conftest import Project
from tests.flows.test_operations import state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def steps(project: Project, run_id: str) -> list[dict[str, Any]]:
    """The runs that a reconcile has started; no worker takes these."""
    found: list[dict[str, Any]] = project.stack.post(
        "/flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run_id]}}
    )
    return found


def end(project: Project, run_id: str) -> None:
    """End a reconcile by what it waits for."""
    wait_until(lambda: len(steps(project, run_id)) == 2, 120, "it has begun")
    for step in steps(project, run_id):
        project.stack.post(f"/flow_runs/{step['id']}/set_state", state={"type": "CANCELLED"}, force=True)
    run = finish(project.stack, run_id, seconds=120)
    assert run.state == "Failed"
    for name in ("load waited-for", "load waited-for-too"):
        assert f"{name!r} ended Cancelled" in run.message


def test_a_reconcile_that_is_due_while_the_one_before_it_runs_is_queued_or_skipped_as_declared(
    project: Project,
) -> None:
    first = {name: start_run(project.stack, f"reconcile/{name}") for name in ("queued", "skipped")}
    for run_id in first.values():
        wait_until(partial(steps, project, run_id), 120, "it has begun")
    second = {name: start_run(project.stack, f"reconcile/{name}") for name in first}
    wait_until(lambda: state_of(project, second["skipped"]) == "Cancelled", 60, "it is skipped")
    wait_until(lambda: state_of(project, second["queued"]) == "AwaitingConcurrencySlot", 60, "it is queued")
    assert not steps(project, second["queued"])
    for run_id in (*first.values(), second["queued"]):
        end(project, run_id)
    assert not steps(project, second["skipped"])
