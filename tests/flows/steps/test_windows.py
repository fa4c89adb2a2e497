"""Syncs with windows on real workers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled

from airports.demo.runs import finish
from diffsync_flows.approval.waiting_reconciles import follow_scheduled, settle, settle_diff
from diffsync_flows.approval.window_wait import end_scheduled
from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.steps import separate
from diffsync_flows.steps.child_runs import Step
from diffsync_store.diffs import DiffRecord
from diffsync_store.project import PROJECT
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import diff_of_reconcile, end, lines, send_answer, state_of
from tests.servers import wait_until

FILE = """
store: {url: "${REDIS_URL}"}
adapters:
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
  windowed: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/windowed"}}
syncs:
  busy: {source: seven, target: windowed, steps: together, approval: never, windows: [{allow: "0 0 29 2 *", for: 1s}]}
"""
WAITS = "Approved, waits for the window that opens at "


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_outside_of_its_windows_a_sync_is_skipped_or_waits_or_has_a_reason(project: Project, tmp_path: Path) -> None:
    file, config = tmp_path / "windowed", tmp_path / "syncs.yaml"
    config.write_text(FILE, "utf-8")
    environment = {"DIFFSYNC_CONFIG": str(config), "FOLDER": str(tmp_path)}
    skipped = project.run_with(environment, "reconcile/busy", sync_name="busy")
    assert skipped.name.startswith("SKIPPED: ")
    assert "no window of the sync busy is open. The next window opens at " in skipped.message
    diff_id = diff_of_reconcile(project, "busy")

    config.write_text(FILE.replace("approval: never", "approval: always"), "utf-8")
    reconcile = waiting_reconcile(project, diff_id)
    run_id = project.start_with(environment, "sync/busy", diff_id=diff_id)
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    wait_until(
        lambda: message_of(project, reconcile).startswith(WAITS), 240, "it and its reconcile wait for the window"
    )
    run = project.stack.get(f"/flow_runs/{run_id}")
    assert run["state_name"] == "Scheduled"
    assert run["state"]["message"].startswith(WAITS)
    assert "-02-29T00:00:00" in run["state"]["state_details"]["scheduled_time"]
    assert run["name"].startswith("WAITS FOR WINDOW: ")
    assert project.artifacts(run_id)["sync-seven-windowed"]["description"].startswith(WAITS)
    assert lines(file) == []

    config.write_text(FILE.replace("0 0 29 2 *", "* * * * *").replace("1s", "1h"), "utf-8")
    project.stack.post(f"/flow_runs/{run_id}/set_state", state={"type": "SCHEDULED"})  # the window opens
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert (run.state, run.name) == ("Completed", "sync seven → windowed · 7 create"), run.message
    assert len(lines(file)) == 7
    wait_until(lambda: state_of(project, reconcile) == "Completed", 240, "the reconcile ends as its sync")

    config.write_text(FILE, "utf-8")
    file.unlink()
    older, rejected = scheduled_sync(project, diff_id), scheduled_sync(project, "rejected")
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        end_scheduled("rejected", PROJECT, "bob rejected the diff: not tonight")
    assert message_of(project, rejected) == "Rejected: bob rejected the diff: not tonight"
    applied = project.run_with(environment, "reconcile/busy", sync_name="busy", outside_window="outage of the core")
    assert applied.state == "Completed", applied.message
    assert len(lines(file)) == 7
    assert message_of(project, older).startswith("Superseded: Another run has applied the diff ")
    with project.diffs() as diffs:
        override = diffs.open(diff_of_reconcile(project, "busy")).journal().window_override()
    assert override is not None
    assert override.reason == "outage of the core"
    assert "Outside of the windows: outage of the core" in project.artifacts(applied)["sync-seven-windowed"]["data"]


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_approved_sync_whose_window_closes_goes_on_in_the_next_one(project: Project, tmp_path: Path) -> None:
    file, config = tmp_path / "windowed", tmp_path / "syncs.yaml"
    config.write_text(FILE, "utf-8")
    environment = {"DIFFSYNC_CONFIG": str(config), "FOLDER": str(tmp_path)}
    project.run_with(environment, "reconcile/busy", sync_name="busy")
    open_windows = FILE.replace("0 0 29 2 *", "* * * * *").replace("1s", "1h").replace("Counting", "Closing")
    config.write_text(open_windows.replace("approval: never", "approval: always"), "utf-8")
    run_id = project.start_with(environment, "sync/busy", diff_id=diff_of_reconcile(project, "busy"))
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert (run.state, run.name) == ("Completed", "sync seven → windowed · 7 create"), run.message
    assert sorted(lines(file)) == [f"item {number}" for number in range(7)]
    messages = [str(state["message"]) for state in project.stack.get(f"/flow_run_states/?flow_run_id={run_id}")]
    assert [each for each in messages if each.startswith("Stopped, because the window has closed.")], messages


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_reconcile_does_not_wait_for_a_run_of_a_part_of_its_diff(project: Project) -> None:
    reconcile = waiting_reconcile(project, "parted")
    tags = "outcome:waits-for-window", "diff:parted"
    whole = scheduled_run(project, "sync/busy", "diff:parted", diff_id="parted")
    part = scheduled_run(project, "sync/busy", *tags, diff_id="parted", select=[{"model": "item"}])
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        follow_scheduled("parted")
        end(project, part)
        settle("parted", UUID(part), Cancelled())
        settle_diff("parted")
        assert (state_of(project, reconcile), message_of(project, reconcile)) == ("Suspended", "None")
        end(project, whole)
        settle_diff("parted")
    assert state_of(project, reconcile) == "Cancelled"


def message_of(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state"]["message"])


def scheduled_run(project: Project, deployment: str, *tags: str, **parameters: Any) -> str:
    """Return a run that begins on another day."""
    found = project.stack.get(f"/deployments/name/{deployment}")
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
    path, all_tags = f"/deployments/{found['id']}/create_flow_run", [*found["tags"], *tags]
    return str(project.stack.post(path, state=later, tags=all_tags, parameters=parameters)["id"])


def scheduled_sync(project: Project, diff_id: str) -> str:
    """Return a run of a sync that waits for a window."""
    return scheduled_run(project, "sync/busy", "outcome:waits-for-window", f"diff:{diff_id}", diff_id=diff_id)


def waiting_reconcile(project: Project, diff_id: str) -> str:
    """Return a run of a reconcile that is suspended until the sync of a diff ends."""
    run_id = scheduled_run(project, "reconcile/busy", f"diff:{diff_id}")
    suspended = {"type": "PAUSED", "name": "Suspended", "state_details": {"pause_timeout": "2099-01-01T00:00:00Z"}}
    project.stack.post(f"/flow_runs/{run_id}/set_state", state=suspended, force=True)
    return run_id


def test_a_reconcile_hands_its_reason_to_its_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in its own process is tried above."""
    started: list[Step] = []

    def start(*steps: Step) -> Sequence[Any]:
        started.extend(steps)
        return []

    monkeypatch.setattr(separate, "run_steps", start)
    declared = PrefectSyncEntry(source="a", target="b")
    now = datetime.now(UTC)
    record = DiffRecord(
        diff_id="d", source_name="a", target_name="b", summary={}, operations=0, elements=0, created=now, ttl=60
    )
    separate.SeparateSteps("nightly", declared, {}, "outage").sync(record, dry_run=True)
    assert started[0].parameters["outside_window"] == "outage"
