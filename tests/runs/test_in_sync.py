"""When a target is known to equal its source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diffsync_store import StoreState
from diffsync_store.project import Project, SyncContext
from diffsync_store.result import Reject, SyncResult
from diffsync_store.runs import find_waiting, record_in_sync
from tests.cli.in_process import InProcess, diff_id_in, in_process


@pytest.fixture
def commands(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    return in_process(tmp_path, redis_url, "approval: never")


@pytest.fixture
def context(commands: InProcess) -> Iterator[SyncContext[Project]]:
    with SyncContext(Project(commands.folder / "syncs.yaml", {})) as context:
        yield context


def known(context: SyncContext[Project]) -> object:
    return context.in_sync().read("files", "database")


def source_loaded(context: SyncContext[Project], diff_id: str) -> object:
    return context.stores().record(context.diffs().open(diff_id).record.source_store_id).updated


def test_a_sync_that_applies_its_whole_diff_is_in_sync_with_the_load_of_its_source(
    commands: InProcess, context: SyncContext[Project]
) -> None:
    first = commands.plan()
    assert known(context) is None
    commands.run("apply", first, "--yes")
    assert known(context) == source_loaded(context, first)
    empty = commands.plan()
    assert known(context) == source_loaded(context, empty)


def test_an_undo_leaves_no_side_in_sync(commands: InProcess, context: SyncContext[Project]) -> None:
    first = commands.plan()
    commands.run("apply", first, "--yes")
    before = known(context)
    undo = diff_id_in(commands.run("undo", first).stdout)
    commands.run("apply", undo, "--yes")
    saved = context.diffs().open(undo)
    assert saved.journal().application() is not None
    assert known(context) == before
    assert record_in_sync(context, saved, SyncResult(deleted=saved.record.operations)) is None


LEFT: dict[str, SyncResult | None] = {
    "skipped": SyncResult(skipped=1),
    "waiting": SyncResult(waiting=1),
    "suppressed": SyncResult(suppressed=1),
    "stopped": SyncResult(stopped="Ctrl-C"),
    "earlier run": SyncResult(applied_before="by ann"),
    "unknown": SyncResult(unknown=1, rejects=[Reject("create", "site", "a", {}, "no", "unknown", "1", {})]),
    "not applied": None,
}


@pytest.mark.parametrize("result", LEFT.values(), ids=LEFT.keys())
def test_a_sync_that_leaves_something_proves_nothing(
    commands: InProcess, context: SyncContext[Project], result: SyncResult | None
) -> None:
    first = commands.plan()
    commands.run("apply", first, "--yes")
    saved = context.diffs().open(first)
    assert record_in_sync(context, saved, SyncResult(created=2)) is not None
    assert record_in_sync(context, saved, result) is None


def test_a_sync_that_other_agents_go_on_with_proves_nothing(commands: InProcess, context: SyncContext[Project]) -> None:
    saved = context.diffs().open(commands.plan())
    assert record_in_sync(context, saved, SyncResult(created=2)) is None


def test_a_partial_load_proves_nothing(commands: InProcess, context: SyncContext[Project]) -> None:
    commands.run("apply", "inventory", "--yes")
    before = known(context)
    sites = commands.folder / "data/sites.csv"
    text = sites.read_text("utf-8")
    sites.write_text(f"{text}{text.splitlines()[-1]}\n", "utf-8")  # twice the same site: the second is rejected
    diff_id = commands.plan()
    saved = context.diffs().open(diff_id)
    assert saved.record.operations == 0
    assert context.stores().record(saved.record.source_store_id).state is StoreState.PARTIAL
    assert known(context) == before


def test_an_undo_does_not_hide_the_newest_diff_that_waits(commands: InProcess, context: SyncContext[Project]) -> None:
    first = commands.plan()
    commands.run("apply", first, "--yes")
    sites = commands.folder / "data/sites.csv"
    sites.write_text(sites.read_text("utf-8").replace("ams", "fra"), "utf-8")
    changed = commands.plan()
    older, newer = (diff_id_in(commands.run("undo", first).stdout) for _ in range(2))
    assert [each.record.diff_id for each in find_waiting(context)] == [newer, changed]
    assert older != newer
