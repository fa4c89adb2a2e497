"""`diffsync-store rehearse` and `apply --rehearse`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_undo import InProcess, planned, project

__all__ = ["project"]


@pytest.fixture
def refusing(project: InProcess) -> InProcess:
    """The project over a database that refuses one site and the device below it."""
    with closing(sqlite3.connect(project.database)) as connection:
        connection.executescript(
            "create trigger no_nyc before insert on site when new.name = 'nyc' begin select raise(abort, 'no room'); end;"
        )
    return project


def test_what_the_target_would_refuse_is_named_and_nothing_is_changed(refusing: InProcess) -> None:
    before, diff_id = refusing.rows("select * from site"), planned(refusing)
    done = refusing.run("rehearse", diff_id, code=1).stdout
    assert "no room" in done
    assert "4 operations would be applied, 2 would not." in done
    found = json.loads(refusing.run("rehearse", diff_id, "--json", code=1).stdout)
    assert [(each["unique_id"], each["state"]) for each in found["rejects"]] == [
        ("nyc", "failed"),
        ("nyc__sw2", "blocked"),
    ]
    refused = refusing.run("apply", diff_id, "--yes", "--rehearse", code=1)
    assert "Nothing was applied, because of the rehearsal: create of site nyc" in refused.stderr
    assert refusing.rows("select * from site") == before
    assert "secret-" not in done + refused.stdout + refused.stderr
    rest = refusing.run("rehearse", diff_id, "--exclude", "site:nyc", "--exclude", "device:nyc__*").stdout
    assert "4 operations would be applied, 0 would not." in rest


def test_a_diff_that_the_target_accepts_is_applied(project: InProcess) -> None:
    assert "Applied: 4 created" in project.run("apply", "inventory", "--yes", "--rehearse").stdout


def test_the_file_is_not_changed_by_a_rehearsal(project: InProcess, tmp_path: Path) -> None:
    diff_id = planned(project)
    before = (tmp_path / "inventory.db").read_bytes()
    project.run("rehearse", diff_id)
    assert (tmp_path / "inventory.db").read_bytes() == before
