"""`python -m flows approve`: what a person sees, leaves out and resumes in a terminal."""

from collections.abc import Iterator

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner, Result

from flows.__main__ import app
from flows.demo.runs import finish, start_run
from tests.flows.conftest import Project
from tests.flows.test_operations import lines, question, state_of
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def at_the_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in project.stack.variables["reconcile"].items():
        monkeypatch.setenv(name, value)
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        yield


def approve(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, ["approve", "terminal", "--by", "ann", *words], input=answer)


def test_a_diff_is_shown_then_approved_in_part_and_the_sync_that_waits_goes_on(project: Project) -> None:
    diff_id = project.compare("terminal", "terminal")
    run_id = start_run(project.stack, "sync/terminal", diff_id=diff_id, allow=["delete:9:item"])
    wait_until(lambda: question(project, run_id), 60, "it asks")

    misspelt = approve("--exclude", "itme", "--yes")
    assert misspelt.exit_code == 1
    assert misspelt.stderr.strip() == "No operation of the diff is of model itme. Its models are item."

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        unreachable = approve("--yes")
    assert unreachable.exit_code == 1
    assert unreachable.stderr.startswith("Prefect's API cannot be reached: see that PREFECT_API_URL names it")

    refused = approve(answer="n\n")
    assert refused.exit_code == 1
    for shown in ("7 operations, seven → terminal", "item 0", "The first 5 of 7 creates.", "delete:9:item"):
        assert shown in refused.output
    assert "Approve 7 operations, 0 left out?" in refused.output
    assert state_of(project, run_id) == "Suspended"

    approved = approve("--comment", "CHG-4711", "--exclude", "item:item [012]", answer="y\n")
    assert approved.exit_code == 0, approved.output
    assert "Approved: 4 operations of terminal, 3 left out." in approved.output
    assert "Resumed: sync seven → terminal · 7 create" in approved.output
    run = finish(project.stack, run_id, seconds=120)
    assert (run.state, run.message) == ("Partial", "3 operations were not applied")
    assert lines(project.folder / "terminal") == [f"item {number}" for number in range(3, 7)]

    rejected = approve("--reject", "--yes")
    assert "Rejected." in rejected.output
    with project.diffs() as diffs:
        decision = diffs.open(diff_id).journal().approval()
    assert decision is not None
    assert decision.is_rejected
