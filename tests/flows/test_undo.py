"""An undo that is started on the review page, through its deployment and a worker."""

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from airports.demo.runs import finish
from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.events import DIFF_SAVED, RECONCILE_LABEL
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.serving import prefect_runner
from diffsync_store.lifecycle import opened
from diffsync_store.runs import open_source, open_target
from diffsync_store.serve.running import Start
from diffsync_store.stored_adapter import StoredAdapter
from tests.flows.conftest import Project
from tests.flows.test_without_own_classes import TABLES, rows
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]


def applied(project: Project) -> str:
    """Apply a diff in this process; return its id."""
    diff_id = project.compare("undone", "undone")
    with (
        SyncContext(read_config()) as context,
        open_target(context, diff_id) as (saved, target),
        open_source(context, saved.record) as source,
        opened(target),
    ):
        result = saved.apply(StoredAdapter(source), target)
    assert not result.rejects
    return diff_id


def test_an_undo_from_the_page_restores_the_target_but_for_what_somebody_has_changed(project: Project) -> None:
    sheets, database = project.folder / "undone", project.folder / "undone.db"
    sheets.mkdir()
    (sheets / "sites.csv").write_text("name\nzrh\nbrn\n", "utf-8")
    (sheets / "devices.csv").write_text("name,site,height\nsw1,zrh,1\nsw2,brn,2\n", "utf-8")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(f"{TABLES}INSERT INTO devices (name, units, site_id) VALUES ('sw3', 8, 1);")
    before = rows(database)
    variables = project.stack.variables["load"]
    with (
        mock.patch.dict(os.environ, variables),
        temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}),
    ):
        diff_id = applied(project)
        after = rows(database)
        assert after != before
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE devices SET units = 7 WHERE name = 'sw1'")  # the sync had written 1
        runner = prefect_runner(Path(variables["DIFFSYNC_CONFIG"]))
        assert runner is not None
        started = runner.start(Start("undo", "", diff_id), by="bob")
        assert (started.kind, started.sync_name, started.has_ended) == ("undo", "undone", False)
        assert started.run_id in started.link
        run = finish(project.stack, started.run_id, seconds=300)
        [shown] = [each for each in runner.runs() if each.run_id == started.run_id]
    assert (run.state, run.outcome) == ("Completed", "partial"), run.message
    assert run.message == "Partial: 1 operation is not taken back. The artifact lists them with the reasons."
    assert run.name == "PARTIAL: undo books → shelves · 2 delete, 3 create"
    undo_id = shown.link.removeprefix("/diffs/")
    assert (shown.kind, shown.state, shown.diff_id) == ("undo", "done", diff_id)
    [tagged] = project.runs(f"diff:{undo_id}", "undo")
    assert {f"undoes:{diff_id}", "sync:undone"} <= set(tagged["tags"])
    check_reports(project, run.id, undo_id, diff_id)
    assert [row for row in rows(database) if row[0] != "sw1"] == [row for row in after if row[0] != "sw1"]

    synced = project.run("sync/undone", **parameters_of(project, run.id, "apply this diff"))
    assert (synced.state, synced.outcome) == ("Completed", ""), synced.message
    assert rows(database) == [(name, 7 if name == "sw1" else units, site) for name, units, site in before]


def check_reports(project: Project, run_id: str, undo_id: str, diff_id: str) -> None:
    """Check the artifact, the metrics and the event of an undo."""
    shown = project.artifacts(run_id)["diff-books-shelves-totals"]["data"]
    assert shown.startswith("# 2 delete, 3 create: undo of diff undone, books → shelves")
    assert (
        "| conflict | update | device | sw1 | units: was 2 before the sync, the sync wrote 1, it is 7 now. |" in shown
    )
    assert "2 deleted device records are created again" in shown
    assert 'diffsync_undo_not_undone{sync="undone"} 1.0' in project.numbers("undo-undone")
    chosen = {"event": {"name": [DIFF_SAVED]}, "resource": {"id": [f"diffsync.diff.{undo_id}"]}}
    wait_until(lambda: project.stack.post("/events/filter", filter=chosen)["events"], 240, "the event of the undo")
    [event] = project.stack.post("/events/filter", filter=chosen)["events"]
    assert (event["payload"]["undoes"], event["resource"][RECONCILE_LABEL]) == (diff_id, "yes")


def parameters_of(project: Project, run_id: str, link: str) -> dict[str, object]:
    """Return the parameters that a link in the artifact of a run fills in."""
    shown = project.artifacts(run_id)["diff-books-shelves-totals"]["data"]
    found = re.search(rf"\[{link}\]\((.*?)\)", shown)
    assert found is not None, shown
    parameters: dict[str, object] = json.loads(parse_qs(urlsplit(found[1]).query)["parameters"][0])
    return parameters
