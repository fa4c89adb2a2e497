"""A reconcile that runs all steps in its own process, on a real worker."""

import json
import re
from typing import Any

import pytest

from airports.demo import check
from airports.demo.runs import Run
from tests.flows.conftest import History, Project, fill
from tests.flows.runs import diff_of_reconcile, lines, send_answer, state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS = ("diffsync.store.loaded", "diffsync.diff.saved", "diffsync.sync.ended")


@pytest.fixture(scope="session")
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
    text = re.sub(r"[a-z]+-\d{8}T\d{6}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"\b(joint|database|airports)\b", "NAME", text)


def shown(artifacts: dict[str, dict[str, Any]]) -> Any:
    kept = {key: found for key, found in artifacts.items() if not key.endswith("-progress")}
    return plain({key: [found["type"], found["description"], found["data"]] for key, found in kept.items()})


def events_of(project: Project, run_ids: list[str]) -> list[Any]:
    """Return the events that runs emitted, in a comparable order."""
    related = {"id": [f"prefect.flow-run.{run_id}" for run_id in run_ids]}
    asked: dict[str, Any] = {"filter": {"event": {"name": list(EVENTS)}, "related": related}, "limit": 50}
    wait_until(lambda: len(project.stack.post("/events/filter", **asked)["events"]) >= 4, 60, "the events are there")
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
    assert joint.name == "reconcile joint · 15 create, 1,180 update, 20 delete"
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
    found = history.project.stack.post("/task_runs/filter", flow_runs={"id": {"any_": [joint.id]}})
    states = {task["name"].rsplit("-", 1)[0]: task["state_name"] for task in found}
    assert {"load registry", "load joint"} <= {task["name"] for task in found}
    assert {"save_diff", "report_diff", "check_sync", "apply_diff"} <= states.keys()
    assert {task["state_name"] for task in found} == {"Completed"}


def test_a_sync_that_needs_an_approval_waits_in_a_run_of_its_own(project: Project) -> None:
    file = project.folder / "asked-jointly"
    run = project.run("reconcile/asked-jointly")
    assert run.state == "AwaitingApproval", run.message
    assert lines(file) == []
    (waiting,) = project.runs("sync:asked-jointly", "sync")
    assert waiting["id"] in run.message
    assert waiting["parameters"]["diff_id"] == diff_of_reconcile(project, "asked-jointly")
    wait_until(lambda: state_of(project, waiting["id"]) == "Suspended", 60, "it waits")
    send_answer(project, waiting["id"], {"decision": "approve", "by": "ann"})
    wait_until(lambda: state_of(project, waiting["id"]) == "Completed", 120, "it is applied")
    assert sorted(lines(file)) == sorted(f"item {number}" for number in range(7))
