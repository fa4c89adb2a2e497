"""Models whose records are only looked up: references to them are written, and a sync leaves them alone."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from diffsync_store import DiffSyncFlags
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.mapping.models import ModelDefinition

MODELS = {
    "site": ModelDefinition.model_validate({"identifiers": {"name": "str"}}),
    "device": ModelDefinition.model_validate(
        {"identifiers": {"name": "str"}, "attributes": {"site": "str?"}, "references": {"site": "site"}}
    ),
}
TABLES = """
create table site (id integer primary key, name text unique not null);
create table device (id integer primary key, name text unique not null, site_id integer references site (id));
insert into site (name) values ('Oslo'), ('Bergen');
"""


def synced(source: FilesAdapter, target: SqlAdapter) -> dict[str, int]:
    for adapter in (source, target):
        with adapter.store.loading():
            adapter.load()
    diff = target.diff_from(source)
    target.sync_from(source, diff=diff, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    target.close()
    return diff.summary()


def adapters(tmp_path: Path, csv: str) -> tuple[FilesAdapter, SqlAdapter]:
    (tmp_path / "device.csv").write_text(csv)
    database = tmp_path / "inventory.db"
    if not database.exists():
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(TABLES)
    records: dict[str, Any] = {
        "site": {"lookup_only": True},
        "device": {"fields": {"site": "site.name"}, "references": {"site": "site_id"}},
    }
    source = FilesAdapter({"folder": tmp_path}, MODELS, {"device": {}})
    return source, SqlAdapter({"url": f"sqlite:///{database}"}, MODELS, records)


def rows(tmp_path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as connection:
        return connection.execute("select d.name, s.name from device d join site s on s.id = d.site_id").fetchall()


def test_references_are_written_and_the_records_are_left_alone(tmp_path: Path) -> None:
    csv = "name,site\nsw1,Oslo\nsw2,Bergen\n"
    assert synced(*adapters(tmp_path, csv))["create"] == 2
    assert rows(tmp_path) == [("sw1", "Oslo"), ("sw2", "Bergen")]
    assert synced(*adapters(tmp_path, csv)) == {"create": 0, "update": 0, "delete": 0, "no-change": 2, "skip": 0}


def test_a_record_that_does_not_exist_refuses_only_what_names_it(tmp_path: Path) -> None:
    synced(*adapters(tmp_path, "name,site\nsw1,Atlantis\nsw2,Bergen\n"))
    assert rows(tmp_path) == [("sw2", "Bergen")]
