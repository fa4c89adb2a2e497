"""A file declares models and ready adapters, and needs no class."""

from pathlib import Path

import pytest

from diffsync_store import LocalStore
from tests.project.conftest import Problems, Read

INVENTORY = """
models:
  site:
    identifiers: {name: str}
  device:
    identifiers: {name: str}
    attributes: {site: str, units: int}
    references: {site: site}
adapters:
  files:
    type: files
    settings: {folder: data}
    records:
      site: {from: sites.csv}
      device: {from: devices.csv, fields: {units: {path: height}}}
  database:
    type: sql
    settings: {url: "sqlite:///inventory.db"}
    records:
      site: {from: sites}
      device: {from: devices, fields: {site: site.name}, references: {site: site_id}}
syncs:
  inventory: {source: files, target: database}
"""

TABLES = """
CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE devices (
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, units INTEGER NOT NULL, site_id INTEGER NOT NULL REFERENCES sites(id)
);
"""


@pytest.fixture
def inventory(path: Path) -> Path:
    """Write the data beside the file; return the folder."""
    import sqlite3

    folder = path.parent
    (folder / "data").mkdir()
    (folder / "data/sites.csv").write_text("name\nzrh\nbrn\n")
    (folder / "data/devices.csv").write_text("name,site,height\nsw1,zrh,1\nsw2,brn,2\n")
    with sqlite3.connect(folder / "inventory.db") as connection:
        connection.executescript(TABLES)
    connection.close()
    return folder


def test_a_file_without_classes_brings_a_database_in_line_with_files(read: Read, inventory: Path) -> None:
    project = read(INVENTORY)
    source, target = (project.make_adapter(name, LocalStore(name=name)) for name in ("files", "database"))
    source.load()
    target.load()
    target.sync_from(source)

    again = project.make_adapter("database", LocalStore(name="database"))
    again.load()
    assert [str(device) for device in again.get_all("device")] == ["sw1", "sw2"]
    assert not again.diff_from(source).has_diffs()


def test_both_sides_share_the_model_classes(read: Read, inventory: Path) -> None:
    project = read(INVENTORY)
    source, target = (project.make_adapter(name, LocalStore(name=name)) for name in ("files", "database"))
    assert source.device is target.device  # type: ignore[attr-defined]


def test_the_file_has_no_problem(problems: Problems, inventory: Path) -> None:
    assert problems(INVENTORY) == []
