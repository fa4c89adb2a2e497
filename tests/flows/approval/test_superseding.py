"""What becomes of a question that nobody has answered when the next diff of its sync is there."""

from pathlib import Path

import pytest

from airports.demo.runs import Run, finish, start_run
from tests.flows.conftest import Project
from tests.flows.runs import answer_to, end, lines, question, state_of, waiting_diff
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def has(file: Path, *numbers: int) -> None:
    """Change the target by hand: these are its items."""
    file.write_text("".join(f"item {number}\n" for number in numbers), "utf-8")


def asking(project: Project, sync: str, diff_id: str, **parameters: object) -> str:
    """A sync that asks; its run."""
    run_id = start_run(project.stack, f"sync/{sync}", diff_id=diff_id, **parameters)
    wait_until(lambda: question(project, run_id), 60, "it asks")
    return run_id


def reason(project: Project, run_id: str) -> str:
    return str(project.stack.get(f"/flow_runs/{run_id}")["state"]["message"])


def expect_asked_already(project: Project, reconciled: Run, waiting: str) -> None:
    """The reconcile's sync has left the question to another run."""
    assert reconciled.state == "AwaitingApproval", reconciled.message
    assert reconciled.message.startswith(
        "The same changes already wait for approval in sync seven → repeated · 7 create: "
    )
    sync = project.runs(f"diff:{waiting_diff(project, 'repeated')}", "sync")[0]
    assert sync["state_name"] == "PendingElsewhere"
    assert f"/runs/flow-run/{waiting}" in sync["state"]["message"]
    assert "diffsync-flows approve repeated-1 --by NAME" in sync["state"]["message"]
    assert f"/runs/flow-run/{sync['id']}" in project.artifacts(reconciled)["reconcile-repeated"]["data"]


def test_a_sync_asks_once_about_the_same_changes_and_about_the_newest_of_others(project: Project) -> None:
    has(project.folder / "repeated")
    first = asking(project, "repeated", project.compare("repeated", "repeated-1"))
    in_part = asking(project, "repeated", "repeated-1", exclude=[{"unique_id": "item 0"}])
    expect_asked_already(project, project.run("reconcile/repeated"), first)
    assert [state_of(project, run_id) for run_id in (first, in_part)] == ["Suspended", "Suspended"]
    has(project.folder / "repeated", 0)
    second = asking(project, "repeated", project.compare("repeated", "repeated-2"))
    assert [state_of(project, run_id) for run_id in (first, in_part)] == ["Superseded", "Suspended"]
    assert f"/runs/flow-run/{second}" in reason(project, first)
    project.expect_outcomes("repeated-1", "superseded")
    has(project.folder / "repeated", *range(7))
    assert project.run("reconcile/repeated", dry_run=True).state == "Completed"
    assert state_of(project, second) == "Suspended"
    assert project.run("reconcile/repeated").state == "Completed"
    assert [state_of(project, run_id) for run_id in (second, in_part)] == ["Superseded", "Suspended"]
    assert reason(project, second).startswith("seven and repeated no longer differ (diff repeated-")
    project.expect_outcomes("repeated-2", "superseded")
    end(project, in_part)


def test_what_needs_no_approval_ends_the_question_about_what_it_overtakes(project: Project) -> None:
    has(project.folder / "eased", *range(8))
    waiting = asking(project, "eased", project.compare("eased", "eased-1"))
    assert "| item | 0 | 0 | 1 |" in question(project, waiting)
    has(project.folder / "eased", *range(6))
    applied = project.run("sync/eased", diff_id=project.compare("eased", "eased-2"))
    assert (applied.state, applied.message) == ("Completed", "")
    assert len(lines(project.folder / "eased")) == 7
    assert state_of(project, waiting) == "Superseded"
    assert reason(project, waiting) == "The newer diff eased-2 was applied"


def test_a_question_about_what_cannot_be_applied_any_more_is_replaced(project: Project) -> None:
    has(project.folder / "repeated")
    first = asking(project, "repeated", project.compare("repeated", "gone"))
    with project.store("gone-target") as store:
        store.drop()
    second = asking(project, "repeated", project.compare("repeated", "overtaken-by-another"))
    assert state_of(project, first) == "Superseded"
    assert project.run("sync/repeated-too", diff_id=project.compare("repeated-too", "overtaking")).state == "Completed"
    has(project.folder / "repeated")
    third = asking(project, "repeated", project.compare("repeated", "same-again"))
    assert [state_of(project, run_id) for run_id in (second, third)] == ["Superseded", "Suspended"]
    end(project, third)


def test_who_was_asked_is_heard_also_where_no_approval_is_needed_any_more(project: Project) -> None:
    has(project.folder / "repeated")
    waiting = asking(project, "repeated", project.compare("repeated", "heard"))
    config = project.folder / "syncs.yaml"
    whole = config.read_text("utf-8")
    try:
        config.write_text(
            whole.replace("target: repeated, approval: always", "target: repeated, approval: never"), "utf-8"
        )
        answer_to(project, waiting, {"decision": "reject", "by": "bob", "comment": "not tonight"})
        run = finish(project.stack, waiting, seconds=120)
    finally:
        config.write_text(whole, "utf-8")
    assert (run.state, run.message) == ("Rejected", "bob rejected the diff: not tonight")
    assert lines(project.folder / "repeated") == []
