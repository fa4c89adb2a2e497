"""Pending approvals when the next diff of their sync is made."""

from pathlib import Path

import pytest

from airports.demo.runs import Run, finish, start_run
from tests.flows.conftest import Project
from tests.flows.runs import diff_of_reconcile, end, expect_request, lines, send_answer, state_of

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def write_items(file: Path, *numbers: int) -> None:
    """Change the target by hand: write its items."""
    file.write_text("".join(f"item {number}\n" for number in numbers), "utf-8")


def start_pending(project: Project, sync: str, diff_id: str, **parameters: object) -> str:
    """Start a sync, and return its run once it waits for approval."""
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id, **parameters)
    expect_request(project, run_id)
    return run_id


def reason(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state"]["message"])


def expect_pending_elsewhere(project: Project, reconciled: Run, waiting: str) -> None:
    """The reconcile's sync ended without applying anything, and links to the pending run."""
    assert (reconciled.state, reconciled.outcome) == ("Completed", "already-pending"), reconciled.message
    assert reconciled.message.startswith(
        "Already pending: The same changes already wait for approval in sync seven → repeated · 7 create: "
    )
    sync = project.runs(f"diff:{diff_of_reconcile(project, 'repeated')}", "sync")[0]
    assert "outcome:already-pending" in sync["tags"]
    assert f"/runs/flow-run/{waiting}" in sync["state"]["message"]
    assert "diffsync-flows approve repeated-1 --by NAME" in sync["state"]["message"]
    assert f"/runs/flow-run/{sync['id']}" in project.artifacts(reconciled)["reconcile-repeated"]["data"]


def test_one_request_stays_pending_for_the_same_changes_and_the_newest_for_others(project: Project) -> None:
    write_items(project.folder / "repeated")
    first = start_pending(project, "repeated", project.compare("repeated", "repeated-1"))
    in_part = start_pending(project, "repeated", "repeated-1", exclude=[{"unique_id": "item 0"}])
    expect_pending_elsewhere(project, project.run("reconcile/repeated"), first)
    assert [state_of(project, run_id) for run_id in (first, in_part)] == ["Suspended", "Suspended"]
    write_items(project.folder / "repeated", 0)
    second = start_pending(project, "repeated", project.compare("repeated", "repeated-2"))
    assert [state_of(project, run_id) for run_id in (first, in_part)] == ["Cancelled", "Suspended"]
    assert f"/runs/flow-run/{second}" in reason(project, first)
    project.expect_outcomes("repeated-1", "superseded")
    write_items(project.folder / "repeated", *range(7))
    assert project.run("reconcile/repeated", dry_run=True).state == "Completed"
    assert state_of(project, second) == "Suspended"
    assert project.run("reconcile/repeated").state == "Completed"
    assert [state_of(project, run_id) for run_id in (second, in_part)] == ["Cancelled", "Suspended"]
    assert reason(project, second).startswith("Superseded: seven and repeated no longer differ (diff repeated-")
    project.expect_outcomes("repeated-2", "superseded")
    end(project, in_part)


def test_a_sync_without_approval_supersedes_older_requests(project: Project) -> None:
    write_items(project.folder / "eased", *range(8))
    waiting = start_pending(project, "eased", project.compare("eased", "eased-1"))
    assert "| item | 0 | 0 | 1 |" in expect_request(project, waiting)
    write_items(project.folder / "eased", *range(6))
    applied = project.run("sync/eased", diff_id=project.compare("eased", "eased-2"))
    assert (applied.state, applied.message) == ("Completed", "")
    assert len(lines(project.folder / "eased")) == 7
    assert state_of(project, waiting) == "Cancelled"
    assert reason(project, waiting) == "Superseded: Another run has applied the diff eased-2"


def test_a_request_for_a_diff_that_can_no_longer_be_applied_is_superseded(project: Project) -> None:
    write_items(project.folder / "repeated")
    first = start_pending(project, "repeated", project.compare("repeated", "gone"))
    with project.store("gone-target") as store:
        store.drop()
    second = start_pending(project, "repeated", project.compare("repeated", "overtaken-by-another"))
    assert state_of(project, first) == "Cancelled"
    assert project.run("sync/repeated-too", diff_id=project.compare("repeated-too", "overtaking")).state == "Completed"
    write_items(project.folder / "repeated")
    third = start_pending(project, "repeated", project.compare("repeated", "same-again"))
    assert [state_of(project, run_id) for run_id in (second, third)] == ["Cancelled", "Suspended"]
    end(project, third)


def test_a_pending_run_honours_its_answer_even_if_approval_is_never_by_then(project: Project) -> None:
    write_items(project.folder / "repeated")
    waiting = start_pending(project, "repeated", project.compare("repeated", "heard"))
    config = project.folder / "syncs.yaml"
    whole = config.read_text("utf-8")
    try:
        config.write_text(
            whole.replace("target: repeated, approval: always", "target: repeated, approval: never"), "utf-8"
        )
        send_answer(project, waiting, {"decision": "reject", "by": "bob", "comment": "not tonight"})
        run = finish(project.stack, waiting, seconds=300)
    finally:
        config.write_text(whole, "utf-8")
    assert (run.state, run.message) == ("Cancelled", "Rejected: bob rejected the diff: not tonight")
    assert lines(project.folder / "repeated") == []
