"""A truncated source makes many deletes, which the guards suppress: none happens before a person has approved it by name."""

import os
from pathlib import Path
from unittest import mock

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from airports.demo.runs import finish, start_run
from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.serving import PrefectRunner
from diffsync_store.project import UserError
from diffsync_store.serve.deciding import Decision, record_decision
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import expect_request, lines, retry_run, send_answer, state_of

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]


def write(project: Project, *numbers: int) -> None:
    """Set the items of the target. The source has loaded the items 0 to 2, and lacks others."""
    (project.folder / "kept").write_text("".join(f"item {number}\n" for number in numbers), "utf-8")


def test_suppressed_deletes_end_in_a_question_each_time(project: Project) -> None:
    write(project, *range(9))
    project.compare("truncated", "all-suppressed")
    run = project.run("sync/truncated", diff_id="all-suppressed")
    assert (run.state, run.outcome) == ("Completed", "partial")
    assert run.message == (
        "Partial: 6 operations were not applied. The artifact lists them with the reasons. Nobody was asked for an approval, "
        "because guards suppress everything that needs one."
    )
    assert len(lines(project.folder / "kept")) == 9

    write(project, 0, *range(3, 9))
    diff_id = project.compare("truncated", "truncated")
    run_id = start_run(project.stack, "sync/truncated", diff_id=diff_id)
    shown = expect_request(project, run_id)
    assert "6 deletes" in shown or "| item | delete | 6 |" in shown
    send_answer(project, run_id, {"decision": "approve", "by": "ann"})
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert (run.state, run.outcome, run.summary) == ("Completed", "partial", "PARTIAL: 2 of 8 applied")
    assert sorted(lines(project.folder / "kept")) == [f"item {number}" for number in range(9)]

    more = {"allow": ["partial:item"], "select": [{"action": "delete"}]}
    run_id = start_run(project.stack, "sync/truncated", diff_id=diff_id, **more)
    shown = expect_request(project, run_id)
    assert "| allow | partial:item |" in shown
    assert "| select | action delete |" in shown
    send_answer(project, run_id, {"decision": "reject", "by": "ann"})
    assert (
        finish(project.stack, run_id, seconds=RUN_SECONDS).message == "Rejected: ann rejected the diff: no reason given"
    )
    retry_run(project, run_id)
    assert "| allow | partial:item |" in expect_request(project, run_id)
    assert len(lines(project.folder / "kept")) == 9
    approve_on_page(project, diff_id, run_id)
    run = finish(project.stack, run_id, seconds=RUN_SECONDS)
    assert run.state == "Completed", run.message
    assert sorted(lines(project.folder / "kept")) == ["item 0", "item 1", "item 2"]


def approve_on_page(project: Project, diff_id: str, run_id: str) -> None:
    """Approve a diff with what its run releases."""
    variables = project.stack.variables["load"]
    with (
        mock.patch.dict(os.environ, variables),
        temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}),
        SyncContext(Config(Path(variables["DIFFSYNC_CONFIG"]))) as context,
    ):
        saved = context.diffs().open(diff_id)
        record_decision(context, saved, Decision("approve", saved.checksum(), "without the deletes"), "bob")
        with pytest.raises(UserError, match=r"still waits.*\(it was started with allow partial:item, "):
            PrefectRunner(context.project).resume(diff_id, is_approved=True, by="bob", comment="")
        assert state_of(project, run_id) == "Suspended"
        decision = Decision("approve", saved.checksum(), "checked the source", allow=("partial:item",))
        record_decision(context, saved, decision, "alice")
        [resumed] = PrefectRunner(context.project).resume(diff_id, is_approved=True, by="alice", comment="")
        assert resumed.run_id == run_id
