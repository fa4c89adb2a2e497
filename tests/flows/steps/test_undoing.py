"""What a run of `undo` says of its result. Prefect is not needed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from airports.demo.ports import free_port
from diffsync_flows.reporting.artifacts.undo import undo_page
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.steps.undoing import _ending
from diffsync_store.diffs import Undo
from diffsync_store.project import Project, SyncContext
from diffsync_store.runs import Plan, SyncRequest, load, make_plan, make_undo, open_undoable
from tests.cli.in_process import in_process

LIMITS = "approval: always, guards: {change_limits: {per_model: {delete: {absolute: 1, floor: 0}}}}"


@pytest.fixture
def context(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncContext[Project]]:
    """A project whose diff `first` was applied, and a Prefect server that does not answer."""
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    commands = in_process(tmp_path, redis_url, LIMITS)
    commands.run("plan", "inventory", "--out", "first")
    commands.run("apply", "first", "--yes")
    with closing(sqlite3.connect(commands.database)) as connection, connection:
        connection.execute("update site set region = '<i>ap</i>', password = 'secret-9' where name = 'ams'")
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), SyncContext(Project(tmp_path / "syncs.yaml", {})) as context:
        yield context


def undone(context: SyncContext[Project], diff_id: str, undo_id: str, *allow: str) -> tuple[Plan, Undo]:
    saved = open_undoable(context, diff_id)
    load(context, "database", f"{undo_id}-target")
    undo = make_undo(context, saved, f"{undo_id}-target", undo_id)
    return make_plan(context, SyncRequest(undo_id, allow=allow)), undo


def test_the_artifact_says_what_is_not_undone_what_guards_refuse_and_how_to_allow_it(
    context: SyncContext[Project],
) -> None:
    plan, undo = undone(context, "first", "undo-1")
    page = undo_page(plan, undo, "https://table")
    assert page.startswith("# 4 delete, 1 create: undo of diff first, files → database\n")
    assert "takes back what the syncs of diff first have changed in database. Nothing is changed yet." in page
    assert "**The guards refuse this undo as a whole.**" in page
    assert (
        'allow = ["delete:2:device", "delete:2:site"]' in page or 'allow = ["delete:2:site", "delete:2:device"]' in page
    )
    assert "- apply this diff (the run asks for an approval)" in page
    assert "| conflict | update | site | ams | region: was " in page
    assert "1 deleted site record is created again" in page
    assert "<i>" not in page
    assert "secret-" not in page
    ending = _ending(plan.saved.record, undo, Ending(Outcome.PARTIAL, "37 of about 155 objects."))
    assert (ending.outcome, ending.data) == (Outcome.PARTIAL, "undo-1")
    assert ending.message == (
        "1 operation is not taken back. The artifact lists them with the reasons. database was loaded in part. 37 of about 155 "
        "objects."
    )


def test_a_second_undo_has_no_next_step(context: SyncContext[Project]) -> None:
    plan, _ = undone(context, "first", "undo-2", "delete:2:site", "delete:2:device")
    assert not plan.refusal
    plan.saved.approve(by="ann", reason="", allow=plan.allow)
    with closing(sqlite3.connect(context.project.path.parent / "inventory.db")) as connection, connection:
        connection.executescript(
            "delete from device; delete from site; insert into site values ('ams', 'us', 'old', 'secret-0'), "
            "('par', 'eu', null, null);"
        )
    again, undo = undone(context, "first", "undo-3")
    page = undo_page(again, undo, "https://table")
    assert "# no changes: undo of diff first" in page
    assert "Nothing is left to undo" in page
    assert "apply this diff" not in page
    assert _ending(again.saved.record, undo, Ending()).message.startswith("Nothing is left to undo.")
