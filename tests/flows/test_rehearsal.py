"""A sync that rehearses asks about what its target would refuse, although it would ask nobody otherwise."""

import sqlite3
from contextlib import closing

import pytest

from airports.demo.runs import finish, start_run
from tests.flows.conftest import RUN_SECONDS, Project
from tests.flows.runs import expect_request, send_answer, state_of
from tests.flows.test_without_own_classes import TABLES, rows
from tests.servers import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

REFUSES = """
DELETE FROM devices; DELETE FROM sites WHERE name = 'old';
CREATE TRIGGER full BEFORE INSERT ON devices WHEN new.name LIKE 'bad%' BEGIN SELECT RAISE(ABORT, 'no | <i>room</i>'); END;
"""


def test_what_is_refused_is_in_the_form_and_can_be_left_out(project: Project) -> None:
    crates, database = project.folder / "crates", project.folder / "stock.db"
    crates.mkdir()
    (crates / "sites.csv").write_text("name\nzrh\nbrn\n", "utf-8")
    (crates / "devices.csv").write_text("name,site,height\nsw1,zrh,1\nbad1,brn,2\nbad2,zrh,2\n", "utf-8")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(TABLES + REFUSES)

    # With approval: never, nothing is written and the run stops.
    diff_id = project.compare("strict", "strict")
    stopped = project.run("sync/strict", diff_id=diff_id)
    assert stopped.state == "Failed"
    assert "The target would refuse 2 of 4 operations: create of device bad" in stopped.message
    assert "leave them out with `exclude`, or set `rehearse: false` for the sync." in stopped.message
    project.expect_outcomes(diff_id, "stopped")
    dry_run = project.run("sync/strict", diff_id=diff_id, dry_run=True)
    assert dry_run.message == (
        "Dry run: 4 of 4 would be applied, the target would refuse 2 of them, nothing was changed."
    )
    assert rows(database) == []

    # With an approval that may be asked, a reconcile of creates only ends in a question.
    reconcile = start_run(project.stack, "reconcile/rehearsed")
    wait_until(lambda: state_of(project, reconcile) == "Suspended", RUN_SECONDS, "the reconcile waits")
    [asking] = project.runs("sync:rehearsed", "sync")
    shown = expect_request(project, asking["id"])
    assert "**Rehearsed: the target would refuse 2 of 4 operations.**" in shown
    refused = r"| failed | create | device | bad1 | no \| &lt;i&gt;room&lt;/i&gt; |"
    assert refused in shown.replace("RAISE: ", "")
    artifact = project.artifacts(asking["id"])["rehearsal-crates-stock"]
    assert artifact["description"] == "the target would refuse 2 of 4 operations: crates → stock"
    assert "bad2" in artifact["data"]
    assert rows(database) == []
    send_answer(project, asking["id"], {"decision": "approve", "by": "ann", "exclude_refused": True})
    run = finish(project.stack, asking["id"], seconds=RUN_SECONDS)
    assert (run.state, run.outcome) == ("Completed", "partial"), run.message
    assert rows(database) == [("sw1", 1, "zrh")]
    finish(project.stack, reconcile, seconds=RUN_SECONDS)
    wait_until(lambda: finish(project.stack, reconcile).outcome == "partial", 240, "its outcome follows its state")
    log = project.whole_log(asking["id"])
    assert "Sync complete" in log
    assert log.count("Rehearsed, nothing was changed") == 1
