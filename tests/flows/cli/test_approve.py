"""`diffsync-flows approve` in a terminal: review, exclude and resume."""

from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner, Result

from airports.demo.runs import finish, start_run
from diffsync_flows.cli import app
from diffsync_store.cli.commands import app as library_app
from tests.flows.conftest import Project
from tests.flows.runs import end, expect_request, lines, state_of

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def use_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in project.stack.variables["reconcile"].items():
        monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        yield


def approve(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["approve", "terminal", "--by", "ann", *words], input=answer)


def test_a_diff_is_shown_and_approved_in_part_and_the_pending_sync_resumes(project: Project) -> None:
    diff_id = project.compare("terminal", "terminal")
    run_id = start_run(project.stack, "sync/terminal", diff_id=diff_id, allow=["delete:9:item"])
    expect_request(project, run_id)

    misspelt = approve("--exclude", "itme", "--yes")
    assert misspelt.exit_code == 1
    assert misspelt.stderr.strip() == "No operation of the diff matches model itme. Its models are: item."

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        unreachable = approve("--yes")
    assert unreachable.exit_code == 1
    assert unreachable.stderr.startswith("Cannot reach Prefect's API at http://127.0.0.1:1/api")

    refused = approve(answer="n\n")
    assert refused.exit_code == 1
    for shown in ("7 create: seven → terminal", "item 0", "The first 5 of 7 creates.", "delete:9:item"):
        assert shown in refused.output
    assert "Approve 7 operations, exclude 0?" in refused.output
    assert state_of(project, run_id) == "Suspended"

    approved = approve("--comment", "CHG-4711", "--exclude", "item:item [012]", answer="y\n")
    assert approved.exit_code == 0, approved.output
    assert "Approved: 4 operations of terminal, 3 excluded." in approved.output
    assert "Resumed: sync seven → terminal · 7 create" in approved.output
    run = finish(project.stack, run_id, seconds=300)
    assert (run.state, run.message) == (
        "Completed",
        "Partial: 3 operations were not applied. The artifact lists them with the reasons.",
    )
    assert lines(project.folder / "terminal") == [f"item {number}" for number in range(3, 7)]

    rejected = approve("--reject", "--yes")
    assert "Rejected." in rejected.output
    with project.diffs() as diffs:
        decision = diffs.open(diff_id).journal().approval()
    assert decision is not None
    assert decision.is_rejected


def library(project: Project, *words: str) -> Result:
    """Run the command of the library, which does not use Prefect."""
    return CliRunner().invoke(library_app, words, env={"DIFFSYNC_STORE_URL": project.redis.url})


def test_a_decision_by_the_librarys_command_resumes_the_sync(project: Project) -> None:
    (project.folder / "terminal").unlink(missing_ok=True)
    decided = {"approved": ("--allow", "delete:9:item"), "refused": ("--reject",)}
    for diff_id, words in decided.items():
        project.compare("terminal", diff_id)
        run_id = start_run(project.stack, "sync/terminal", diff_id=diff_id, allow=["delete:9:item"])
        expect_request(project, run_id)
        result = library(project, "approve", diff_id, "--by", "ann", "--reason", "CHG-1", *words)
        assert result.exit_code == 0, result.output
        assert f"A run is waiting: flow run sync {diff_id} (" in result.stdout
        assert (
            f"/runs/flow-run/{run_id}). It continues automatically where `diffsync-flows resume --every 10` runs"
            in result.stdout
        )
        run = finish(project.stack, run_id, seconds=300)
        if "--reject" in words:
            assert (run.state, run.message) == ("Cancelled", "Rejected: ann rejected the diff: CHG-1")
        else:
            assert run.state == "Completed", run.message
        assert "waiting" not in library(project, "approve", diff_id, "--by", "ann").stdout
        (project.folder / "terminal").unlink(missing_ok=True)


def test_a_new_request_after_a_rejection_waits_for_a_new_decision(project: Project) -> None:
    project.compare("terminal", "asked-again-after")
    library(project, "approve", "asked-again-after", "--by", "bob", "--reject")
    run_id = start_run(project.stack, "sync/terminal", diff_id="asked-again-after", allow=["delete:9:item"])
    try:
        expect_request(project, run_id)
        assert CliRunner().invoke(app, ["resume"]).output == ""
        assert state_of(project, run_id) == "Suspended"
    finally:
        end(project, run_id)
