"""A sync with several agents on real workers: undisturbed, with a killed agent, cancelled."""

import pytest

from airports.demo.runs import finish, start_run
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import kill_process, lines, state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]
ITEMS = sorted(f"item {number}" for number in range(40))


def start(project: Project, sync: str) -> tuple[str, str]:
    """Start a slow sync; return its run and its diff once all its agents have begun."""
    (project.folder / sync).with_suffix(".slow").touch()
    diff_id = project.compare(sync, sync)
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id)
    agents = 2 if sync == "divided-cancelled" else 3
    wait_until(lambda: working(project, diff_id) == agents, 240, "all agents work")
    return run_id, diff_id


def working(project: Project, diff_id: str) -> int:
    with project.diffs() as diffs:
        found = diffs.open(diff_id).round()
    return sum(agent.state == "working" for agent in found.agents) if found else 0


def children(project: Project, run_id: str) -> list[dict[str, str]]:
    return [
        each
        for each in project.runs("diffsync", "sync")
        if (each["parameters"].get("agent_of") or "").startswith(run_id)
    ]


def test_several_runs_apply_a_diff_and_the_page_shows_them(project: Project) -> None:
    run_id, diff_id = start(project, "divided")
    (project.folder / "divided.slow").unlink()
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert (run.state, run.summary) == ("Completed", "40 of 40 applied")
    assert sorted(lines(project.folder / "divided")) == ITEMS
    agents = children(project, run_id)
    assert sorted(each["name"] for each in agents) == [f"sync many → divided, agent {number}" for number in (2, 3)]
    wait_until(
        lambda: {state_of(project, each["id"]) for each in agents} == {"Completed"}, 240, "the agents have ended"
    )
    shown = project.artifacts(run_id)["sync-agents-many-divided"]["data"]
    assert shown.count("| ended |") == 3
    assert all(f"agent {number}, flow run sync" in shown for number in (1, 2, 3))
    assert all(f"/runs/flow-run/{page})" in shown for page in (run_id, *(each["id"] for each in agents)))
    assert '""' not in shown
    with project.diffs() as diffs:
        assert diffs.open(diff_id).journal().application() is not None
    project.expect_outcomes(diff_id, "complete")
    assert 'diffsync_sync_operations{outcome="created",sync="divided"} 40.0' in project.numbers("sync-divided")


def test_a_killed_agent_is_taken_over(project: Project) -> None:
    run_id, diff_id = start(project, "divided-killed")
    victim = children(project, run_id)[0]
    kill_process(project, victim["id"])
    (project.folder / "divided-killed.slow").unlink()
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert run.state == "Completed"
    assert sorted(lines(project.folder / "divided-killed")) == ITEMS
    with project.diffs() as diffs:
        found = diffs.open(diff_id).round()
    assert found is not None
    assert sum(agent.took_over for agent in found.agents) == 1
    project.expect_outcomes(diff_id, "complete")


def test_cancelling_the_sync_ends_all_agents(project: Project) -> None:
    run_id, diff_id = start(project, "divided-cancelled")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    agents = [run_id, *(each["id"] for each in children(project, run_id))]
    wait_until(
        lambda: {state_of(project, each) for each in agents} <= {"Cancelled", "Completed"}, 240, "all have ended"
    )
    assert state_of(project, run_id) == "Cancelled"
    assert len(lines(project.folder / "divided-cancelled")) < 40
    (project.folder / "divided-cancelled.slow").unlink()
    assert project.run("sync/divided-cancelled", diff_id=diff_id).state == "Completed"
    assert sorted(lines(project.folder / "divided-cancelled")) == ITEMS
    project.expect_outcomes(diff_id, "cancelled", "complete")
