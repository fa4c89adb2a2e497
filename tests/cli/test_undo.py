"""`diffsync-store undo` of a sync from files to a database."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffsync_store.cli.commands import app
from tests.cli.conftest import CommandLine, make_project

ALL = "select * from site order by name", "select * from device order by site, name"


class InProcess(CommandLine):
    """Runs its commands in this process, over the Redis of the tests."""

    def run(self, *words: str, code: int = 0, answer: str | None = None) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(app, [*words, "--file", str(self.folder / "syncs.yaml")], input=answer)
        assert done.exit_code == code, done.output
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def project(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    made = InProcess(make_project(tmp_path).folder)
    file = tmp_path / "syncs.yaml"
    file.write_text(f"project: {tmp_path.name}\nstore: {{url: '{redis_url}'}}\n{file.read_text('utf-8')}", "utf-8")
    return made


def planned(project: CommandLine) -> str:
    """Return the id of a new diff."""
    return project.run("plan", "inventory", "--out").stdout.splitlines()[-1].removeprefix("diff_id: ")


def undone(project: CommandLine, diff_id: str) -> str:
    """Make the undo of a diff; return its id."""
    lines = project.run("undo", diff_id, "--exit-code", code=3).stdout.splitlines()
    return lines[-1].removeprefix("diff_id: ")


def test_an_undo_and_its_undo_restore_every_row(project: CommandLine) -> None:
    before = [project.rows(query) for query in ALL]
    diff_id = planned(project)
    assert f"Nothing of diff {diff_id} was applied" in project.run("undo", diff_id, code=1).stderr
    project.run("apply", diff_id, "--yes")
    after = [project.rows(query) for query in ALL]
    assert after != before
    undo_id = undone(project, diff_id)
    assert [project.rows(query) for query in ALL] == after
    project.run("apply", undo_id, "--yes")
    assert [project.rows(query) for query in ALL] == before
    again = project.run("undo", diff_id, "--exit-code").stdout
    assert f"No changes: nothing is left to undo of diff {diff_id}." in again
    project.run("apply", undone(project, undo_id), "--yes")
    assert [project.rows(query) for query in ALL] == after
    project.run("drop", diff_id, "--yes", "--force")
    assert (
        "is not saved any more: it was dropped, or is past its retention" in project.run("undo", diff_id, code=1).stderr
    )


def test_what_somebody_has_changed_since_is_kept_and_listed_without_secrets(project: CommandLine) -> None:
    file, diff_id = project.folder / "syncs.yaml", planned(project)
    project.run("apply", diff_id, "--yes")
    with closing(sqlite3.connect(project.database)) as connection:
        connection.executescript(
            "update site set region = 'ap', password = 'secret-9' where name = 'ams';"
            "insert into device values ('ber', 'theirs', 'T1')"
        )
    text = file.read_text("utf-8")
    limits = "guards: {change_limits: {per_model: {delete: {absolute: 1, floor: 0}}}}"
    file.write_text(text.replace("target: database}", f"target: database, approval: always, {limits}}}"), "utf-8")
    refused = json.loads(project.run("undo", diff_id, "--json").stdout)
    assert (refused["sync"], refused["undoes"], refused["approval"]["required"]) == ("inventory", diff_id, True)
    assert "change limits" in refused["refused"]
    file.write_text(text, "utf-8")
    done = project.run("undo", diff_id)
    assert "region: was 'us' before the sync, the sync wrote 'eu', it is 'ap' now" in done.stdout
    assert "Not undone (conflict): create of site ber: It has objects below it" in done.stdout
    assert "secret-" not in done.stdout + done.stderr
    assert "1 deleted site record is created again" in done.stdout
    project.run("apply", done.stdout.splitlines()[-1].removeprefix("diff_id: "), "--yes")
    assert project.rows() == [("ams", "ap"), ("ber", "eu"), ("par", "eu")]
    assert project.rows("select site, name from device order by site") == [("ber", "theirs")]
