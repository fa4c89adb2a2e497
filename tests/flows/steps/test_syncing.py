"""A sync on real workers: a stale diff, a chain of events, a killed process, a cancelled run, skipped operations."""

import re

import pytest

from airports.demo.runs import start_run
from tests.flows.conftest import Project
from tests.flows.runs import kill_process, lines, state_of, states_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_stale_diff_is_refused(project: Project) -> None:
    for name in ("first", "second"):
        project.compare("overtaken", name)
    assert project.run("sync/overtaken", diff_id="second").state == "Completed"
    refused = project.run("sync/overtaken", diff_id="first")
    assert refused.state == "Failed"
    assert refused.message.startswith("Diff first is stale: overtaken was loaded for it at ")
    assert "and diff second changed it at " in refused.message
    assert len(lines(project.folder / "overtaken")) == 7


def test_a_load_starts_the_chain_of_events_and_a_load_of_a_reconcile_does_not(project: Project) -> None:
    assert project.run("reconcile/chained").state == "Completed"
    assert len(lines(project.folder / "chained")) == 7
    (project.folder / "chained").unlink()
    assert project.run("load/chained").state == "Completed"
    assert project.run("load/seven").state == "Completed"
    wait_until(lambda: len(lines(project.folder / "chained")) == 7, 240, "the chain has ended")
    assert len(project.runs("sync:chained", "diff")) == 2
    assert len(project.runs("sync:chained", "sync")) == 2


def slow_sync(project: Project, sync: str) -> tuple[str, str]:
    """Start a slow sync of forty operations; return its run and its diff while it runs."""
    file = project.folder / sync
    file.with_suffix(".slow").touch()
    diff_id = project.compare(sync, sync)
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id)
    wait_until(lambda: len(lines(file)) >= 3, 240, "it applies operations")
    return run_id, diff_id


def expect_each_operation_once(project: Project, sync: str) -> None:
    assert sorted(lines(project.folder / sync)) == sorted(f"item {number}" for number in range(40))


def test_a_killed_sync_is_started_again_and_continues_where_it_stopped(project: Project) -> None:
    run_id, diff_id = slow_sync(project, "killed")
    kill_process(project, run_id)
    wait_until(lambda: "Crashed" in states_of(project, run_id), 240, "it is marked as crashed")
    assert len(lines(project.folder / "killed")) < 40
    (project.folder / "killed.slow").unlink()
    wait_until(lambda: state_of(project, run_id) == "Completed", 240, "it has completed without help")
    assert project.stack.get(f"/flow_runs/{run_id}")["run_count"] == 2
    expect_each_operation_once(project, "killed")
    project.expect_outcomes(diff_id, "complete")


def test_a_cancelled_sync_ends_between_two_operations_and_can_be_continued(
    project: Project,
) -> None:
    run_id, diff_id = slow_sync(project, "cancelled")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 240, "it is cancelled")
    assert len(lines(project.folder / "cancelled")) < 40
    assert "Crashed" not in states_of(project, run_id)  # a crashed run would be restarted
    (project.folder / "cancelled.slow").unlink()
    again = project.run("sync/cancelled", diff_id=diff_id)
    assert (again.state, again.message) == ("Completed", "")
    expect_each_operation_once(project, "cancelled")
    assert re.fullmatch(r"40 of 40 applied, \d+ of them by an earlier run", again.summary)
    once_more = project.run("sync/cancelled", diff_id=diff_id)
    assert (once_more.state, once_more.summary) == ("Completed", "40 of 40 applied, by an earlier run")
    project.expect_outcomes(diff_id, "cancelled", "complete", "complete")


def test_operations_that_the_adapter_skips_are_not_applied(project: Project) -> None:
    diff_id = project.compare("lazy", "lazy")
    run = project.run("sync/lazy", diff_id=diff_id)
    assert (run.state, run.message, run.summary) == (
        "Completed",
        "Partial: 5 operations were not applied. The artifact lists them with the reasons.",
        "PARTIAL: 0 of 5 applied",
    )
    again = project.run("sync/lazy", diff_id=diff_id)
    assert (again.outcome, again.summary) == ("partial", "PARTIAL: 0 of 5 applied, by an earlier run")
    for each in (run, again):
        assert "| skipped | 5 |" in project.artifacts(each)["sync-five-lazy"]["data"]
    metrics = project.numbers("sync-lazy")
    assert 'diffsync_sync_operations{outcome="skipped",sync="lazy"} 5.0' in metrics
    assert 'diffsync_run_state{flow="sync",name="lazy",state="partial"} 1.0' in metrics
    assert "diffsync_in_sync" not in metrics
    project.expect_outcomes(diff_id, "partial", "partial")
