"""Notifications of the commands, which a web server gets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from diffsync_store.notify import notifier as sending
from tests.cli.conftest import CommandLine
from tests.cli.in_process import InProcess, diff_id_in, in_process
from tests.http_service import HttpService
from tests.notify.conftest import documents

PAGE = "https://diffs.example.com"
TOKEN = "T0KENT0KENT0KEN"


@pytest.fixture
def make(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, web_server: HttpService
) -> Callable[[str], InProcess]:
    """Makes a project whose sync has these keys, and which notifies the web server of everything."""
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    monkeypatch.setattr(sending, "_PAUSE", 0.0)
    monkeypatch.setenv("HOOK", f"{web_server.url}/hooks/{TOKEN}")

    def make_one(keys: str) -> InProcess:
        more = f"serve: {{base_url: '{PAGE}'}}\nnotify: {{on-call: {{webhook: '${{HOOK}}'}}}}\n"
        return in_process(tmp_path, redis_url, keys, more)

    return make_one


def execute(project: CommandLine, statement: str) -> None:
    with closing(sqlite3.connect(project.database)) as connection:
        connection.executescript(statement)


def test_a_saved_diff_that_waits_is_announced_and_one_that_is_applied_is_not(
    make: Callable[[str], InProcess], web_server: HttpService
) -> None:
    project = make("approval: always, stale_after: 1d")
    diff_id = project.plan()
    (found,) = documents(web_server)
    assert found["title"].endswith("inventory waits for approval: 1 delete, 1 update, 4 create")
    assert found["link"] == f"{PAGE}/diffs/{diff_id}"
    project.run("plan", "inventory")  # not saved: nobody can decide
    project.run("apply", diff_id, "--yes")
    assert len(documents(web_server)) == 1
    assert project.run("notify", "check").stdout == "No sync is stale.\n"


def test_a_partial_sync_and_a_failed_one_are_announced(
    make: Callable[[str], InProcess], web_server: HttpService
) -> None:
    project = make("approval: never")
    execute(project, "create trigger t before delete on site begin select raise(abort, 'in use'); end;")
    project.run("apply", "inventory", "--yes", code=1)
    (found,) = documents(web_server)
    assert (found["event"], found["counts"]) == ("partial", {"updated": 1, "created": 4, "failed": 1})
    assert found["link"] == f"{PAGE}/diffs/{found['diff_id']}"
    (project.folder / "data/sites.csv").unlink()
    project.run("apply", "inventory", "--yes", code=1)
    failed = documents(web_server)[-1]
    assert (failed["event"], failed["subject"]) == ("failed", "inventory")
    assert "sites.csv" in failed["reason"]


def test_a_sync_that_the_guards_refuse_is_announced(make: Callable[[str], InProcess], web_server: HttpService) -> None:
    project = make("guards: {change_limits: {sync: {create: {absolute: 1}}}}")
    project.run("apply", "inventory", "--yes", code=1)
    (found,) = documents(web_server)
    assert found["event"] == "failed"
    assert "change limits" in found["reason"]


def test_an_undo_that_waits_is_announced(make: Callable[[str], InProcess], web_server: HttpService) -> None:
    project = make("approval: always")
    diff_id = project.plan()
    project.run("apply", diff_id, "--yes")
    undo_id = diff_id_in(project.run("undo", diff_id).stdout)
    assert [found["diff_id"] for found in documents(web_server)] == [diff_id, undo_id]


def test_a_message_that_is_not_accepted_fails_no_sync(
    make: Callable[[str], InProcess], web_server: HttpService
) -> None:
    project = make("approval: never")
    execute(project, "create trigger t before delete on site begin select raise(abort, 'in use'); end;")
    web_server.failures[:] = [500, 500, 500]
    done = project.run("apply", "inventory", "--yes", code=1)
    assert TOKEN not in done.stderr + done.stdout
    assert "on-call was not notified that inventory is partial" in done.stderr
    assert ("ams", "eu") in project.rows()


def test_each_address_can_be_tried(make: Callable[[str], InProcess], web_server: HttpService) -> None:
    project = make("approval: never")
    assert project.run("notify", "test").stdout == "on-call: sent\n"
    assert documents(web_server)[0]["event"] == "test"
    web_server.failures[:] = [403]
    assert "on-call: " in project.run("notify", "test", "on-call", code=1).stderr
    assert (
        "No address 'nobody' in `notify`. Declared: on-call" in project.run("notify", "test", "nobody", code=1).stderr
    )


def test_the_check_needs_a_sync_that_somebody_watches(make: Callable[[str], InProcess]) -> None:
    assert "No sync has `stale_after`." in make("approval: never").run("notify", "check", code=1).stderr
