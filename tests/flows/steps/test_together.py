"""A reconcile that runs all steps in its own process, on a real worker."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest

from airports.demo import check
from airports.demo.runs import Run, finish, start_run
from tests.flows.conftest import PASSWORD, RUN_SECONDS, History, Project, fill
from tests.flows.runs import diff_of_reconcile, kill_process, lines, retry_run, send_answer, state_of, states_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS = ("diffsync.store.loaded", "diffsync.diff.saved", "diffsync.sync.ended")


@pytest.fixture(scope="module")
def joint(history: History) -> Run:
    """A reconcile of the same two releases as the first one of `history`, into another database."""
    fill(history.project, history.project.folder / "joint.db")
    return history.project.run("reconcile/joint")


def plain(content: Any) -> Any:
    """Return content without what differs from run to run: ids, links and the names of the targets."""
    if isinstance(content, dict):
        return {plain(key): plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [plain(each) for each in content]
    if not isinstance(content, str):
        return content
    text = re.sub(r"(Loaded|Made) by .*", "", content)
    text = re.sub(r"(?m)^- \[.*\n?", "", text)  # links, of which an adapter has one for each of its syncs
    text = re.sub(r"[a-z]+-\d{8}T\d{6}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    return re.sub(r"\b(joint|database|airports)\b", "NAME", text)


def shown(artifacts: dict[str, dict[str, Any]]) -> Any:
    kept = {key: found for key, found in artifacts.items() if not key.endswith("-progress")}
    return plain({key: [found["type"], found["description"], found["data"]] for key, found in kept.items()})


def events_of(project: Project, run_ids: list[str]) -> list[Any]:
    """Return the events that runs emitted, in a comparable order."""
    related = {"id": [f"prefect.flow-run.{run_id}" for run_id in run_ids]}
    asked: dict[str, Any] = {"filter": {"event": {"name": list(EVENTS)}, "related": related}, "limit": 50}
    wait_until(lambda: len(project.stack.post("/events/filter", **asked)["events"]) >= 4, 240, "the events are there")
    found = project.stack.post("/events/filter", **asked)["events"]
    contents = [[each["event"], each["resource"], each["payload"]] for each in found]
    return sorted((plain(each) for each in contents), key=json.dumps)


def test_one_process_does_the_same_as_a_run_for_each_step(history: History, joint: Run) -> None:
    project = history.project
    assert (joint.state, joint.message) == (history.first.state, history.first.message)
    assert project.children(joint) == []
    assert check.fingerprint(project.folder / "joint.db") == history.contents[1]
    steps = project.children(history.first)
    expected = {key: found for step in steps for key, found in project.artifacts(step).items()}
    found = project.artifacts(joint)
    ours, theirs = found.pop("reconcile-joint"), project.artifacts(history.first)["reconcile-airports"]
    assert shown(found) == shown(expected)
    assert ours["description"] == theirs["description"]
    for step in steps:
        assert plain(step.name) in plain(ours["data"])
    assert events_of(project, [joint.id]) == events_of(project, [step.id for step in steps])


def test_the_run_has_the_name_and_the_tags_of_its_steps_and_their_artifacts_link_to_it(
    history: History, joint: Run
) -> None:
    project = history.project
    assert joint.name == "reconcile joint · 20 delete, 15 create, 1,180 update"
    tags = {tag.split(":")[0] for tag in project.stack.get(f"/flow_runs/{joint.id}")["tags"]}
    assert tags >= {"sync", "diff", "store", "project"}
    for key in ("diff-registry-joint-totals", "sync-registry-joint"):
        assert f"/flow-run/{joint.id})" in project.artifacts(joint)[key]["data"]


def test_each_step_publishes_its_metrics(history: History, joint: Run) -> None:
    for run in ("load-joint", "diff-joint", "sync-joint", "reconcile-joint"):
        assert 'state="complete"} 1.0' in history.project.numbers(run)
    assert 'diffsync_sync_operations{outcome="updated",sync="joint"} 1180.0' in history.project.numbers("sync-joint")
    assert "diffsync_in_sync_timestamp_seconds" in history.project.numbers("sync-joint")


def test_the_tasks_of_the_run_are_its_steps(history: History, joint: Run) -> None:
    steps = {"load registry", "load joint", "compare the stores", "report the diff", "check the sync", "apply the diff"}

    def found() -> dict[str, set[str]]:
        states: dict[str, set[str]] = {}
        for task in history.project.stack.post("/task_runs/filter", flow_runs={"id": {"any_": [joint.id]}}):
            states.setdefault(task["state_name"], set()).add(task["name"])
        return states

    wait_until(lambda: found().keys() == {"Completed"} and steps <= found()["Completed"], 240, "its tasks have ended")


def test_a_sync_that_needs_an_approval_waits_in_a_run_of_its_own(project: Project) -> None:
    file = project.folder / "asked-jointly"
    run_id = start_run(project.stack, "reconcile/asked-jointly")
    wait_until(lambda: state_of(project, run_id) == "Suspended", RUN_SECONDS, "it waits")
    assert lines(file) == []
    (waiting,) = project.runs("sync:asked-jointly", "sync")
    assert waiting["id"] in project.stack.get(f"/flow_runs/{run_id}")["state"]["message"]
    assert waiting["parameters"]["diff_id"] == diff_of_reconcile(project, "asked-jointly")
    wait_until(lambda: state_of(project, waiting["id"]) == "Suspended", 240, "it waits")
    send_answer(project, waiting["id"], {"decision": "reject", "by": "ann"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 240, "it ends as its sync")
    assert "Rejected: ann rejected the diff: no reason given. sync " in finish(project.stack, run_id).message
    finish(project.stack, waiting["id"])  # its reconcile ends before it
    retry_run(project, waiting["id"])
    wait_until(lambda: state_of(project, waiting["id"]) == "Suspended", 240, "it asks again")
    send_answer(project, waiting["id"], {"decision": "approve", "by": "ann"})
    wait_until(lambda: state_of(project, waiting["id"]) == "Completed", 240, "it is applied")
    assert sorted(lines(file)) == sorted(f"item {number}" for number in range(7))


def kill(project: Project, run_id: str, times: int) -> None:
    """Kill the process of a run, and wait until it has been started again."""
    kill_process(project, run_id)
    wait_until(
        lambda: project.stack.get(f"/flow_runs/{run_id}")["run_count"] == times + 1, 180, "the run is started again"
    )


def test_a_run_that_is_killed_in_each_step_repeats_no_step_that_has_ended(project: Project) -> None:
    source, target = (project.folder / f"held-{side}" for side in ("source", "target"))
    target.with_suffix(".hold").touch()
    target.with_suffix(".slow").touch()
    run_id = start_run(project.stack, "reconcile/held")
    wait_until(lambda: lines(target.with_suffix(".loads")), 240, "the second load has begun")
    kill(project, run_id, 1)
    wait_until(lambda: len(lines(target.with_suffix(".loads"))) == 2, 240, "it loads again")
    target.with_suffix(".hold").unlink()
    wait_until(lambda: len(lines(target)) >= 3, 240, "it applies operations")
    diff_id = diff_of_reconcile(project, "held")
    chosen = {"resource": {"id": [f"diffsync.diff.{diff_id}"]}, "event": {"name": [EVENTS[1]]}}
    # A process sends its events some time later: those that it has not sent are lost when it is killed.
    wait_until(lambda: project.stack.post("/events/filter", filter=chosen)["events"], 240, "the event of the diff")
    kill(project, run_id, 2)
    target.with_suffix(".slow").unlink()
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message) == ("Completed", "")
    assert run.name == "reconcile held · 40 create"
    assert sorted(lines(target)) == sorted(f"item {number}" for number in range(40))
    assert [len(lines(file.with_suffix(".loads"))) for file in (source, target)] == [1, 2]
    found = {key: each["description"] for key, each in project.artifacts(run).items() if key.startswith("sync-")}
    (applied,) = (each for key, each in found.items() if not key.endswith("-progress"))
    assert re.fullmatch(r"40 of 40 applied, \d+ of them by an earlier run", applied)
    project.expect_outcomes(diff_id, "complete")
    (saved,) = project.stack.post("/events/filter", filter=chosen)["events"]
    assert saved["payload"]["create"] == 40


def test_a_cancelled_run_ends_between_two_operations(project: Project) -> None:
    target = project.folder / "stopped-target"
    target.with_suffix(".slow").touch()
    run_id = start_run(project.stack, "reconcile/stopped")
    wait_until(lambda: len(lines(target)) >= 3, 240, "it applies operations")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
    wait_until(lambda: state_of(project, run_id) == "Cancelled", 240, "it is cancelled")
    assert "Crashed" not in states_of(project, run_id)
    assert 3 <= len(lines(target)) < 40
    tags = project.stack.get(f"/flow_runs/{run_id}")["tags"]
    project.expect_outcomes(next(tag.removeprefix("diff:") for tag in tags if tag.startswith("diff:")), "cancelled")


def test_a_failed_load_fails_its_task_and_the_run_and_a_retry_repeats_only_it(project: Project) -> None:
    run = project.run("reconcile/refused-jointly")
    assert run.state == "Failed"
    assert run.message == "'load refusing-jointly' failed: RuntimeError: PermissionError: 401 for ***"
    expect_tasks(project, run, refusing_jointly=["Failed"], flaky_jointly=["Completed"])
    shown = json.dumps([project.artifacts(run), project.stack.get(f"/flow_runs/{run.id}")])
    assert PASSWORD not in shown

    (project.folder / "let-in-jointly").touch()
    retry_run(project, run.id)  # at once: the server may still have to store events and lines of the log
    again = finish(project.stack, run.id, seconds=300)
    assert (again.state, again.summary) == ("Completed", "No difference: nothing was synced")
    expect_tasks(project, run, refusing_jointly=["Completed", "Failed"], flaky_jointly=["Completed"])
    log = project.whole_log(run)
    assert "Retry 1/" in log
    assert "was loaded before this run was started again" in log
    assert PASSWORD not in log


def tasks(project: Project, run: Run) -> dict[str, list[str]]:
    """Return the states of the loads of a run by name, sorted."""
    states: dict[str, list[str]] = {}
    for task in project.stack.post("/task_runs/filter", flow_runs={"id": {"any_": [run.id]}}):
        if task["name"].startswith("load "):
            states.setdefault(task["name"], []).append(task["state_name"])
    return {name: sorted(found) for name, found in states.items()}


def expect_tasks(project: Project, run: Run, **expected: list[str]) -> None:
    """Wait until Prefect has the states of the loads of a run: it stores them later than those of the run."""
    wanted = {f"load {adapter.replace('_', '-')}": states for adapter, states in expected.items()}
    with suppress(AssertionError):
        wait_until(lambda: tasks(project, run) == wanted, 240, "the states of the tasks are there")
    assert tasks(project, run) == wanted
