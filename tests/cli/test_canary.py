"""A sync with a canary: what `plan`, `apply` and `check` say of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from diffsync_store.canary import read_canary
from diffsync_store.project import Project, SyncContext
from diffsync_store.serve.api.views import diff_view
from diffsync_store.serve.running import LibraryRunner, Start
from diffsync_store.sync.canary.first_wave import FirstWave
from tests.cli.in_process import InProcess, in_process
from tests.servers import wait_until

CANARY = "canary: {model: site, where: {name: ams}}"
KEEP = "update site set region = 'us' where name = 'ams'"
"""Puts back what is written to a site."""


@pytest.fixture
def project(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    return in_process(tmp_path, redis_url, CANARY)


@pytest.fixture
def meanwhile(project: InProcess, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Statements that somebody runs after each canary, before it is checked."""
    statements = list[str]()

    def wait(_wave: FirstWave) -> None:
        for statement in statements:
            run_sql(project, statement)

    monkeypatch.setattr(FirstWave, "_wait", wait)
    return statements


def run_sql(project: InProcess, statement: str) -> None:
    with closing(sqlite3.connect(project.database)) as connection:
        connection.execute(statement)
        connection.commit()


def declare(project: InProcess, canary: str) -> None:
    file = project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace(CANARY, canary), "utf-8")


def test_plan_and_apply_say_what_comes_first_and_what_became_of_it(project: InProcess) -> None:
    done = project.run("plan", "inventory")
    assert "Canary: 1 applied and checked first: update site ams" in done.stdout
    done = project.run("apply", "inventory", "--yes")
    assert "Canary: 1 of 1 applied, settled" in done.stdout
    assert "Applied:" in done.stdout
    assert ("ams", "eu") in project.rows()


def test_a_canary_that_fails_stops_the_rest_and_says_how_to_go_on(project: InProcess, meanwhile: list[str]) -> None:
    meanwhile.append(KEEP)
    diff_id = project.plan()
    done = project.run("apply", diff_id, "--yes", code=1)
    assert "Canary: 1 of 1 applied, 1 not settled" in done.stdout
    assert "Stopped after the canary" in done.stdout
    assert "site ams: region is 'us', and 'eu' was written" in done.stdout
    assert [name for name, _ in project.rows()] == ["ams", "par"]
    again = json.loads(project.run("apply", diff_id, "--yes", "--json", code=1).stdout)
    assert again["status"] == "stopped"
    assert again["canary"]["unsettled"][0]["found"] == "us"
    meanwhile.clear()
    run_sql(project, "update site set region = 'eu' where name = 'ams'")
    assert "Canary: 1 of 1 applied, settled" in project.run("apply", diff_id, "--yes").stdout
    assert ("nyc", "\x1b[31mred") in project.rows("select name, note from site")


def test_a_reason_skips_the_canary_and_is_kept_in_the_journal(project: InProcess, meanwhile: list[str]) -> None:
    meanwhile.append(KEEP)
    diff_id = project.plan()
    project.run("apply", diff_id, "--yes", code=1)
    done = project.run("apply", diff_id, "--yes", "--by", "ann", "--skip-canary", "looked\nat it\u202e" + "x" * 1000)
    assert "Canary: skipped by ann: looked at it\\u202exxx" in done.stdout
    with SyncContext(Project(project.folder / "syncs.yaml", {})) as context:
        journal = context.diffs().open(diff_id).journal()
        application, record = journal.application(), read_canary(journal)
    assert application is not None
    assert application.by == "ann"
    assert record is not None
    [skip] = record.skips
    assert skip.by == "ann"
    assert len(skip.reason) == 300


def test_secrets_of_a_canary_are_not_shown(project: InProcess, meanwhile: list[str]) -> None:
    meanwhile.append(KEEP.replace("region = 'us'", "password = 'secret-9'"))
    done = project.run("apply", project.plan(), "--yes", code=1)
    assert "site ams: password has another value than was written" in done.stdout
    assert "secret-" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("canary", "says"),
    [
        ("canary: {first: 0}", "canary.first"),
        ("canary: {}", "it names no operations"),
        ("canary: {first: 1, failures: 7}", "write a ratio from 0 to 1, or a percent"),
        ("canary: {first: 1, settle: soon}", "expected a duration"),
        ("canary: {model: site, where: {colour: red}}", "site has no field 'colour'"),
        ("canary: {model: vlan}", "no model has the name 'vlan'"),
        ("canary: {last: 1}", "unknown key"),
    ],
)
def test_check_names_what_is_wrong(project: InProcess, canary: str, says: str) -> None:
    declare(project, canary)
    done = project.run("check", code=1)
    assert says in done.stdout + done.stderr
    assert "syncs.inventory.canary" in done.stdout + done.stderr


def test_a_run_of_the_review_page_stops_too_and_the_page_shows_the_canary(
    project: InProcess, meanwhile: list[str]
) -> None:
    meanwhile.append(KEEP)
    diff_id = project.plan()
    with SyncContext(Project(project.folder / "syncs.yaml", {})) as context:
        runner = LibraryRunner(context)
        try:
            for _ in range(2):
                runner.start(Start("apply", "", diff_id), by="ann")
                wait_until(lambda: all(run.has_ended for run in runner.runs()), 120, "the run has ended")
            first, again = runner.runs()
        finally:
            runner.close()
        shown = diff_view(context, context.diffs().open(diff_id)).canary
    assert (first.state, again.state) == ("stopped", "stopped")
    assert "Stopped after the canary" in first.message
    assert shown is not None
    assert (shown.state, shown.not_settled) == ("failed", 1)
    assert (shown.unsettled[0].written, shown.unsettled[0].found) == ("eu", "us")
    assert "canary" in project.run("show", diff_id).stdout
