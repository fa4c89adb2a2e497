"""A sync with windows: commands, the review page, and a window that closes while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from diffsync_store.cli import window_wait
from diffsync_store.project import Project, SyncContext, Window, closing
from diffsync_store.runs import (
    OpenWindow,
    SyncRequest,
    WindowClosed,
    apply_saved,
    open_source,
    open_target,
    renew_diff,
    wait_for_lease,
    windows,
)
from diffsync_store.serve.pages.status import status_of
from diffsync_store.serve.running import LibraryRunner, Start
from tests.cli.in_process import InProcess, in_process
from tests.waiting_diffs import SHORT, lives, shorten_lives

CLOSED = 'windows: [{allow: "0 0 29 2 *", for: 1s, timezone: Europe/Zurich}]'
OPEN = 'windows: [{allow: "* * * * *", for: 1d}]'


@pytest.fixture
def closed(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    return in_process(tmp_path, redis_url, CLOSED)


def reopen(project: InProcess) -> None:
    file = project.folder / "syncs.yaml"
    file.write_text(file.read_text("utf-8").replace(CLOSED, OPEN), "utf-8")


def test_outside_of_its_windows_a_sync_saves_its_diff_and_writes_nothing(closed: InProcess) -> None:
    before = closed.rows()
    done = closed.run("apply", "inventory", "--yes", code=3)
    assert "Nothing was applied: no window of the sync inventory is open." in done.stderr
    assert "The next window opens at " in done.stderr
    assert "-02-29 00:00 Europe/Zurich (in " in done.stderr
    assert closed.rows() == before
    diff_id = done.stderr.split("Apply the diff ")[1].split(" then")[0]
    assert closed.run("apply", diff_id, "--yes", code=3).returncode == 3
    reopen(closed)
    closed.run("apply", diff_id, "--yes")
    assert closed.rows() != before


def test_a_reason_lets_a_sync_write_and_is_kept_in_the_journal(closed: InProcess, redis_url: str) -> None:
    diff_id = closed.plan()
    reason = "outage of\nthe core\u202e" + "x" * 1000
    done = closed.run("apply", diff_id, "--yes", "--by", "ann", "--outside-window", reason)
    assert "Outside of the windows: outage of the core" in done.stdout
    with SyncContext(Project(closed.folder / "syncs.yaml", {})) as context:
        journal = context.diffs().open(diff_id).journal()
        application, override = journal.application(), journal.window_override()
        shown = status_of(context.diffs().open(diff_id), context.project.sync("inventory")).text
        assert shown.startswith("applied by ann, outside of the windows: outage of the core")
    assert application is not None
    assert application.by == "ann"
    assert override is not None
    assert override.by == "ann"
    assert override.at <= application.at
    assert override.reason.startswith("outage of the core\\u202exxx")
    assert len(override.reason) <= 300
    assert "outside of the windows, by ann at " in closed.run("show", diff_id).stdout
    history = json.loads(closed.run("history", "site", "ams", "--json").stdout.splitlines()[0])
    assert history["by"].startswith("ann:")
    assert history["outside_window"]["reason"] == override.reason
    assert "outside of the windows" in closed.run("report", diff_id, "--format", "markdown").stdout
    again = json.loads(closed.run("apply", diff_id, "-y", "--json").stdout)
    assert (again["applied_before"].split(" applied")[0], again["outside_window"]) == ("Nothing was done: ann", "")


def test_a_command_waits_for_the_window(closed: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    before, looks = closed.rows(), list[datetime]()

    def opens_late(_: Sequence[Window], now: datetime) -> datetime | None:
        looks.append(now)
        return now + timedelta(hours=1) if len(looks) > 3 else None

    monkeypatch.setattr(windows, "closing", opens_late)
    monkeypatch.setattr(windows, "next_opening", lambda _, now: now + timedelta(seconds=0.1))
    done = closed.run("apply", "inventory", "--yes", "--wait-for-window")
    assert "Approved, waits for the window that opens at " in done.stderr
    assert closed.rows() != before


def test_what_a_command_needs_that_waits_is_kept(closed: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    diff_id, kept = closed.plan(), list[int]()
    with SyncContext(Project(closed.folder / "syncs.yaml", {})) as context:

        def pause(_: float) -> None:
            kept.append(min(lives(context, diff_id)))
            shorten_lives(context, diff_id)

        monkeypatch.setattr(window_wait, "sleep", pause)
        monkeypatch.setattr(windows, "closing", lambda _, now: now + timedelta(hours=1) if len(kept) == 3 else None)
        closed.run("apply", diff_id, "--yes", "--wait-for-window")
    assert len(kept) == 3
    assert min(kept) > SHORT


def test_a_wait_for_a_diff_that_is_gone_goes_on_until_the_run_says_so(closed: InProcess) -> None:
    with SyncContext(Project(closed.folder / "syncs.yaml", {})) as context:
        renew_diff(context, "gone")
        diff_id = closed.plan()
        with context.open_store(context.diffs().record(diff_id).source_store_id) as store:
            store.drop()
        renew_diff(context, diff_id)


def test_ctrl_c_ends_the_wait_for_a_window_and_keeps_the_diff(
    closed: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    before = closed.rows()
    monkeypatch.setattr(window_wait, "sleep", interrupt)
    ended = closed.run("apply", "inventory", "--yes", "--wait-for-window", code=3)
    assert closed.rows() == before
    diff_id = ended.stderr.rsplit("diffsync-store apply ", 1)[1].split()[0]
    reopen(closed)
    closed.run("apply", diff_id, "--yes")
    assert closed.rows() != before


def test_without_changes_no_window_is_needed(closed: InProcess) -> None:
    closed.run("apply", "inventory", "--yes", "--outside-window", "first load")
    assert closed.run("apply", "inventory", "--yes").returncode == 0


def test_a_sync_stops_when_its_window_closes_and_goes_on_in_the_next_one(
    closed: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    reopen(closed)
    looks: list[datetime] = []

    def closes_soon(_: Sequence[Window], now: datetime) -> datetime | None:
        looks.append(now)
        return now + timedelta(microseconds=1) if len(looks) < 5 else None

    monkeypatch.setattr(windows, "closing", closes_soon)
    diff_id = closed.plan()
    stopped = closed.run("apply", diff_id, "--yes", code=1)
    assert "Stopped, because the window has closed." in stopped.stdout + stopped.stderr
    monkeypatch.setattr(windows, "closing", closing)
    closed.run("apply", diff_id, "--yes")
    assert ("ams", "eu") in closed.rows()


@pytest.mark.parametrize("agents", ["1", "2"])
def test_a_command_that_waits_goes_on_in_the_next_window(
    closed: InProcess, monkeypatch: pytest.MonkeyPatch, agents: str
) -> None:
    reopen(closed)
    before, paused, diff_id = closed.rows(), list[float](), closed.plan()

    def closes_after_a_write(_: Sequence[Window], now: datetime) -> datetime | None:
        return now + timedelta(microseconds=1) if paused or closed.rows() == before else None

    monkeypatch.setattr(windows, "closing", closes_after_a_write)
    monkeypatch.setattr(window_wait, "sleep", paused.append)
    done = closed.run("apply", diff_id, "--yes", "--wait-for-window", "--agents", agents)
    assert len(paused) == 1
    assert "Stopped, because the window has closed." in done.stderr
    assert "They wait for the window that opens at " in done.stderr
    monkeypatch.undo()
    again = closed.run("apply", diff_id, "--yes")
    assert "Nothing was done: " in again.stdout + again.stderr


def test_ctrl_c_in_a_sync_is_no_closed_window(closed: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    reopen(closed)
    with SyncContext(Project(closed.folder / "syncs.yaml", {})) as context:
        diff_id = closed.plan()
        with (
            open_target(context, diff_id) as (saved, target),
            open_source(context, saved.record) as source,
            wait_for_lease(context.leases(), target.name, "test", seconds=0, ttl=30) as lease,
        ):
            request = SyncRequest(diff_id)
            looks: list[int] = []

            def is_interrupted() -> bool:
                looks.append(1)
                if len(looks) > 1:
                    monkeypatch.setattr(windows, "closing", lambda *_: None)
                return len(looks) > 1

            result = apply_saved(
                context,
                request,
                saved,
                source,
                target,
                lease=lease,
                by="ann",
                require_approval=False,
                should_stop=is_interrupted,
            )
    assert result.stopped.startswith("Stopped on request")
    assert not result.window_closed


def test_the_review_page_does_not_write_outside_of_the_windows(closed: InProcess) -> None:
    before, diff_id = closed.rows(), closed.plan()
    with SyncContext(Project(closed.folder / "syncs.yaml", {})) as context:
        runner = LibraryRunner(context)
        with pytest.raises(WindowClosed, match="no window of the sync inventory is open"):
            runner.start(Start("apply", "inventory", diff_id), by="ann")
        runner.close()
    assert closed.rows() == before


def test_the_windows_are_looked_at_only_when_the_known_one_has_closed(tmp_path: Path) -> None:
    """It is asked before each operation of a sync."""
    file = tmp_path / "syncs.yaml"
    file.write_text(
        "adapters:\n  a: {type: files, settings: {folder: .}}\n  b: {type: files, settings: {folder: .}}\n"
        'syncs: {nightly: {source: a, target: b, windows: [{allow: "0 22 * * *", for: 6h}, {allow: "0 3 * * *", for: 2h}]}}\n',
        "utf-8",
    )
    declared = Project(file, {}).sync("nightly")
    now = datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
    window = OpenWindow("nightly", declared, SyncRequest("d"), clock=lambda: now)
    started = monotonic()
    assert not any(window.is_closed for _ in range(100_000))
    assert monotonic() - started < 30
    now += timedelta(hours=5)  # the second window is open
    assert window.refusal == ""
    now += timedelta(hours=1)
    assert "opens at 2026-11-28 22:00 UTC (in 17h)" in window.refusal
    assert not OpenWindow("nightly", declared, SyncRequest("d", outside_window="x"), clock=lambda: now).is_closed
