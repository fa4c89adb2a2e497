"""Overlapping reconciles of one target, on a real Prefect server."""

from contextlib import closing
from functools import partial
from typing import Any

import pytest

from airports.demo.runs import finish, start_run
from diffsync_store.store.redis import RedisLeases, target_lease
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def steps(project: Project, run_id: str) -> list[dict[str, Any]]:
    """Return the runs that a reconcile started; no worker takes them."""
    found: list[dict[str, Any]] = project.stack.post(
        "/flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [run_id]}}
    )
    return found


def end(project: Project, run_id: str) -> str:
    """End a reconcile by cancelling its steps; return its message."""
    wait_until(lambda: len(steps(project, run_id)) == 2, 240, "it has started")
    for step in steps(project, run_id):
        project.stack.post(f"/flow_runs/{step['id']}/set_state", state={"type": "CANCELLED"}, force=True)
    run = finish(project.stack, run_id, seconds=300)
    assert run.state == "Failed"
    return run.message


def test_an_overlapping_reconcile_of_the_same_sync_is_queued_or_skipped_as_declared(
    project: Project,
) -> None:
    first = {name: start_run(project.stack, f"reconcile/{name}") for name in ("queued", "skipped")}
    for run_id in first.values():
        wait_until(partial(steps, project, run_id), 240, "it has started")
    second = {name: start_run(project.stack, f"reconcile/{name}") for name in first}
    wait_until(lambda: state_of(project, second["skipped"]) == "Cancelled", 240, "it is skipped")
    wait_until(lambda: state_of(project, second["queued"]) == "AwaitingConcurrencySlot", 240, "it is queued")
    assert not steps(project, second["queued"])
    for run_id in (*first.values(), second["queued"]):
        message = end(project, run_id)
        for name in ("load waited-for", "load waited-for-too"):
            assert f"{name!r} ended Cancelled" in message
    assert not steps(project, second["skipped"])


def test_an_overlapping_reconcile_of_another_sync_is_queued_or_skipped_as_declared(project: Project) -> None:
    first = {name: start_run(project.stack, f"reconcile/{name}") for name in ("queued", "skipped")}
    for run_id in first.values():
        wait_until(partial(steps, project, run_id), 240, "it has started")
    skipped = project.run("reconcile/skipped-too")
    assert (skipped.state, skipped.outcome) == ("Completed", "skipped")
    assert (skipped.name, skipped.message.split(" by ")[0]) == (
        "SKIPPED: reconcile skipped-too",
        "Skipped: waited-for is being reconciled",
    )
    assert f"reconcile skipped, flow run {first['skipped']}" in skipped.message
    queued = start_run(project.stack, "reconcile/queued-too")
    project.expect_log(queued, "Waiting for the reconcile of waited-for-too by ")
    assert not steps(project, queued)
    for run_id in first.values():
        end(project, run_id)
    wait_until(lambda: len(steps(project, queued)) == 2, 240, "it has started after the other one")
    assert "'load waited-for-too' ended Cancelled" in end(project, queued)


def test_maintenance_skips_reconciles_and_syncs_and_fails_none(project: Project) -> None:
    diff_id = project.compare("counted", "counted-under-lock")
    with closing(RedisLeases(url=project.redis.url)) as leases:
        leases.lock(target_lease("counted"), "upgrade, ann", owner="ann")
        try:
            started = [
                start_run(project.stack, "reconcile/counted"),
                start_run(project.stack, "sync/counted", diff_id=diff_id),
            ]
            reconcile, sync = (finish(project.stack, run_id, seconds=RUN_SECONDS) for run_id in started)
        finally:
            leases.break_lease(target_lease("counted"))
    for run, state in ((reconcile, "Completed"), (sync, "Cancelled")):
        assert (run.state, run.outcome) == (state, "skipped"), run.message
        assert run.name.startswith("SKIPPED: ")
        assert "upgrade, ann" in run.message
    assert steps(project, reconcile.id) == []
    project.expect_outcomes(diff_id, "skipped")
