"""Reconciles of ready adapters, and of adapters that are written for diffsync, through deployments and workers."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.flows.conftest import Project
from tests.project.test_written_for_diffsync import SOURCE, TARGET

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

TABLES = """
CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE devices (
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, units INTEGER NOT NULL, site_id INTEGER NOT NULL REFERENCES sites(id)
);
INSERT INTO sites (name) VALUES ('zrh'), ('old');
INSERT INTO devices (name, units, site_id) VALUES ('sw1', 2, 1), ('sw9', 1, 2);
"""


def test_files_go_to_a_database_without_a_class(project: Project) -> None:
    sheets = project.folder / "sheets"
    sheets.mkdir()
    (sheets / "sites.csv").write_text("name\nzrh\nbrn\n", "utf-8")
    (sheets / "devices.csv").write_text("name,site,height\nsw1,zrh,1\nsw2,brn,2\n", "utf-8")
    with closing(sqlite3.connect(project.folder / "tables.db")) as database:
        database.executescript(TABLES)

    first = project.run("reconcile/devices")
    assert (first.state, first.message) == ("Completed", "")
    assert rows(project.folder / "tables.db") == [("sw1", 1, "zrh"), ("sw2", 2, "brn")]
    again = project.run("reconcile/devices")
    assert again.summary == "No difference: nothing was synced"


def test_adapters_written_for_diffsync_are_loaded_compared_and_synced(project: Project) -> None:
    """The worker of the diff does not have diffsync: a diff needs the stores only."""
    source, target = project.folder / "plugin-source.json", project.folder / "plugin-target.json"
    source.write_text(json.dumps(SOURCE), "utf-8")
    target.write_text(json.dumps(TARGET), "utf-8")

    first = project.run("reconcile/plugin")
    assert (first.state, first.message) == ("Completed", "")
    assert [device["name"] for device in json.loads(target.read_text("utf-8"))["devices"]] == ["sw1", "sw8", "sw2"]


def rows(database: Path) -> list[tuple[str, int, str]]:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT d.name, d.units, s.name FROM devices d JOIN sites s ON s.id = d.site_id ORDER BY d.name"
        return list(connection.execute(query))
