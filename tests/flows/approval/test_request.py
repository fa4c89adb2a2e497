"""A sync waits for an approval without a worker, and the answer is about the diff that was shown."""

import pytest

from airports.demo.runs import finish, start_run
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import (
    diff_of_reconcile,
    expect_request,
    is_alive,
    lines,
    process_of,
    retry_run,
    send_answer,
    state_of,
    states_of,
)
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_suspended_sync_has_no_process_and_resumes_on_another_worker(project: Project) -> None:
    diff_id = project.compare("reviewed", "reviewed")
    run_id = start_run(project.stack, "sync/reviewed", diff_id=diff_id)
    expect_request(project, run_id)
    process = process_of(project, run_id)
    wait_until(lambda: not is_alive(process), 240, "its process has ended")
    assert lines(project.folder / "reviewed") == []
    project.stack.workers["sync"].stop()
    project.stack.start_worker("sync")
    answer = {"decision": "approve", "by": "ann", "comment": "CHG-4711"}
    misspelt = ({"exclude_models": ["itme"]}, {"exclude_actions": ["delete"]})
    for wrong in (*(answer | each for each in misspelt), {}, {"by": "ann", "comment": "no decision"}):
        refused = project.stack.post(f"/flow_runs/{run_id}/resume", run_input=wrong)
        assert refused["status"] == "REJECT", refused
    assert state_of(project, run_id) == "Suspended"
    send_answer(project, run_id, answer)
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message) == ("Completed", "")
    assert run.name == "sync seven → reviewed · 7 create"
    assert len(lines(project.folder / "reviewed")) == 7
    with project.diffs() as diffs:
        approval = diffs.open(diff_id).journal().approval()
    assert approval is not None
    assert (approval.by, approval.reason, approval.excluded) == ("ann", "CHG-4711", ())


def test_a_decision_that_excludes_what_the_diff_lacks_is_asked_for_again(project: Project) -> None:
    (project.folder / "reviewed").write_text("\n".join(f"item {number}" for number in range(7)) + "\n", "utf-8")
    project.compare("reviewed", "even")
    run_id = start_run(project.stack, "sync/reviewed", diff_id="even")
    first = expect_request(project, run_id)
    send_answer(project, run_id, {"decision": "approve", "by": "ann", "exclude_models": ["rack"]})
    again = expect_request(project, run_id, after=first)
    assert "**Your decision was not accepted.** No operation of the diff matches model rack." in again
    with project.diffs() as diffs:
        assert diffs.open("even").journal().approval() is None
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    assert finish(project.stack, run_id, seconds=300).state == "Completed"


def test_a_diff_that_changed_before_its_approval_is_asked_for_again(project: Project) -> None:
    diff_id = project.compare("asked", "asked")
    run_id = start_run(project.stack, "sync/asked", diff_id=diff_id, allow=["delete:9:item"])
    first = expect_request(project, run_id)
    assert "| item | 7 | 0 | 0 |" in first
    assert "| allow | delete:9:item |" in first
    (project.folder / "asked").write_text("item 0\n", "utf-8")
    project.load({"asked-again": "asked"})
    stores = {"source_store_id": "asked-source", "target_store_id": "asked-again"}
    assert project.run("diff/asked", **stores, diff_id=diff_id).state == "Completed"
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    assert "| item | 6 | 0 | 0 |" in expect_request(project, run_id, after=first)
    send_answer(project, run_id, {"decision": "reject", "by": "bob", "comment": "not tonight"})
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message) == ("Cancelled", "Rejected: bob rejected the diff: not tonight")
    assert lines(project.folder / "asked") == ["item 0"]
    with project.diffs() as diffs:
        rejection = diffs.open(diff_id).journal().approval()
    assert rejection is not None
    assert rejection.is_rejected
    retry_run(project, run_id)
    send_answer(project, run_id, {"decision": "approve", "by": "bob", "comment": "the morning after"})
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message) == ("Completed", "")
    assert len(lines(project.folder / "asked")) == 7
    project.expect_outcomes(diff_id, "rejected", "complete")


def test_a_sync_with_rules_applies_what_they_let_through_and_asks_two_people_about_the_rest(project: Project) -> None:
    """With several agents: each application of the run is one of its own."""
    diff_id = project.compare("ruled", "ruled")
    run_id = start_run(project.stack, "sync/ruled", diff_id=diff_id)
    first = expect_request(project, run_id)
    assert "**2 different people must approve.**" in first
    assert sorted(lines(project.folder / "ruled")) == [f"item {number}" for number in range(4)]
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    assert "Approved by: ann." in expect_request(project, run_id, after=first)
    assert len(lines(project.folder / "ruled")) == 4
    send_answer(project, run_id, {"decision": "approve", "by": "bob"})
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message, run.summary) == ("Completed", "", "7 of 7 applied, 4 of them by an earlier run")
    assert len(lines(project.folder / "ruled")) == 7
    project.expect_outcomes(diff_id, "complete")


def test_a_rejected_diff_is_not_applied_by_a_sync_that_needs_no_approval(project: Project) -> None:
    project.compare("cleared", "rejected")
    with project.diffs() as diffs:
        diffs.open("rejected").reject(by="bob", reason="not tonight")
    for dry_run in (True, False):
        run = project.run("sync/cleared", diff_id="rejected", dry_run=dry_run)
        assert run.state == "Failed"
        assert "bob rejected this diff" in run.message
        assert "not tonight" in run.message
    assert lines(project.folder / "cleared") == []
    project.expect_outcomes("rejected", "failed")


def test_a_reconcile_waits_without_a_process_and_ends_as_its_sync(project: Project) -> None:
    run_id = start_run(project.stack, "reconcile/decided")
    wait_until(lambda: state_of(project, run_id) == "Suspended", RUN_SECONDS, "it waits")
    sync = project.runs(f"diff:{diff_of_reconcile(project, 'decided')}", "sync")[0]
    assert sync["state_name"] == "Suspended"
    shown = project.artifacts(run_id)["reconcile-decided"]
    assert shown["description"] == "waits for approval: 7 create"
    assert f"/runs/flow-run/{sync['id']}" in shown["data"]
    project.stack.post(f"/flow_runs/{run_id}/resume")
    wait_until(lambda: states_of(project, run_id).count("Suspended") == 2, 240, "resumed by hand, it waits again")
    send_answer(project, sync["id"], {"decision": "approve", "by": "ann"})
    reconciled = finish(project.stack, run_id, seconds=300)
    assert (reconciled.state, reconciled.outcome) == ("Completed", ""), reconciled.message
    assert reconciled.name == "reconcile decided · 7 create"
    assert sync["id"] in reconciled.message
    wait_until(
        lambda: project.artifacts(run_id)["reconcile-decided"]["description"] == "Complete: 7 create",
        240,
        "the artifact follows the state",
    )
    shown = project.artifacts(run_id)["reconcile-decided"]
    assert "waits for approval" not in shown["data"]
    assert "| Complete | [open](" in shown["data"]
    assert len(lines(project.folder / "decided")) == 7
