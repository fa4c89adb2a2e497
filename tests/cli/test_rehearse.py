"""`diffsync-store rehearse` and `apply --rehearse`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_apply import in_terminal
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


@pytest.fixture
def rehearsing(refusing: InProcess) -> Callable[[str], None]:
    """Return a function that sets `rehearse` and more keys of the sync."""

    def declare(keys: str) -> None:
        file = refusing.folder / "syncs.yaml"
        text = file.read_text("utf-8")
        file.write_text(text.replace("target: database}", f"target: database, rehearse: true, {keys}}}"), "utf-8")

    return declare


def test_a_sync_of_the_file_stops_before_the_first_write_if_nobody_may_be_asked(
    refusing: InProcess, rehearsing: Callable[[str], None]
) -> None:
    rehearsing("approval: never")
    before = refusing.rows("select * from site")
    stopped = refusing.run("apply", "inventory", "--yes", code=1).stdout
    assert "no room" in stopped
    assert "The target would refuse 2 of 6 operations: create of site nyc: no room" in " ".join(stopped.split())
    document = json.loads(refusing.run("apply", "inventory", "--yes", "--json", code=1).stdout)
    assert document["status"] == "stopped"
    assert "leave them out with `exclude`" in document["stopped"]
    assert refusing.rows("select * from site") == before
    rest = ("--exclude", "site:nyc", "--exclude", "device:nyc__*")
    assert "Applied: " in refusing.run("apply", "inventory", "--yes", *rest).stdout


@pytest.mark.slow
def test_a_person_who_is_asked_may_leave_out_what_would_be_refused(
    refusing: InProcess, rehearsing: Callable[[str], None]
) -> None:
    rehearsing("approval: deletes")
    diff_id = planned(refusing)
    refused = refusing.run("apply", diff_id, "--yes", code=1)
    assert "approve the diff, where you can leave them out" in " ".join(refused.stdout.split())
    assert len(refusing.rows("select * from site")) == 2
    with in_terminal(refusing, "apply", diff_id, "--by", "ann") as terminal:
        terminal.read_until("Leave out what the target would refuse? [Y/n]: ")
        terminal.press("\n")
        terminal.read_until("Approve and apply these changes as ann? [y/N]: ")
        terminal.press("y\n")
        assert terminal.wait() == 0, terminal.plain
    assert [row[0] for row in refusing.rows("select name from site order by name")] == ["ams", "ber"]
    again = refusing.run("apply", diff_id, "--yes", code=0)  # what was left out waits for another decision
    assert "excluded" in again.stdout


def test_who_approves_in_a_terminal_is_told_what_would_be_refused_and_may_leave_it_out(
    refusing: InProcess, rehearsing: Callable[[str], None]
) -> None:
    rehearsing("approval: always")
    diff_id = planned(refusing)
    done = refusing.run("approve", diff_id, "--by", "ann").stdout
    assert "What the target would refuse, 2 operations, is approved too" in done
    done = refusing.run("approve", diff_id, "--by", "ann", "--exclude-refused").stdout
    assert "Approved: 4 operations.\nWhat the target would refuse, 2 operations, is left out." in done
    assert "2 suppressed" in " ".join(refusing.run("apply", diff_id, "--yes").stdout.split())
    assert [row[0] for row in refusing.rows("select name from site order by name")] == ["ams", "ber"]


def test_a_plan_is_rehearsed_and_says_what_would_be_refused(
    refusing: InProcess, rehearsing: Callable[[str], None]
) -> None:
    rehearsing("approval: never")
    assert "4 operations would be applied, 2 would not." in refusing.run("plan", "inventory").stdout
    document = json.loads(refusing.run("plan", "inventory", "--summary", "--json").stdout)
    assert [each["unique_id"] for each in document["rehearsal"]["rejects"]] == ["nyc", "nyc__sw2"]
