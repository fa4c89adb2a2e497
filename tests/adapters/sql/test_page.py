"""The page of the adapter: its file is run on each database, and its tables are complete."""

from pathlib import Path

import sqlalchemy as sa

from diffsync_store.adapters.sql import SqlSettings
from diffsync_store.project import Project
from tests.adapters.pages import blocks, fields, named_in_tables
from tests.adapters.running import applied
from tests.adapters.sql.conftest import rows, run

PAGE = "sql.md"


def test_the_file_of_the_page_runs(tmp_path: Path, engine: sa.Engine, database_url: str) -> None:
    run(engine, *filter(str.strip, tables_for(engine.dialect).split(";")))
    (tmp_path / "data").mkdir()
    for name, text in zip(("sites.csv", "devices.csv"), blocks(PAGE, "csv"), strict=True):
        (tmp_path / "data" / name).write_text(text)
    (tmp_path / "syncs.yaml").write_text(blocks(PAGE, "yaml")[0])
    project = Project(tmp_path / "syncs.yaml", environment={"DATABASE_URL": database_url})
    assert applied(project, "inventory") == (3, 1, 1, 0)
    assert applied(project, "inventory") == (0, 0, 0, 0)
    found = rows(engine, "SELECT d.name, s.name, s.region FROM devices d JOIN sites s ON s.id = d.site_id ORDER BY 1")
    assert found == [("ams-1", "ams", "eu"), ("ber-1", "ber", "eu")]


def tables_for(dialect: sa.Dialect) -> str:
    """The tables of the page, which are SQLite's, for another database."""
    [tables] = blocks(PAGE, "sql")
    number = {"postgresql": "SERIAL", "mariadb": "INTEGER AUTO_INCREMENT"}.get(dialect.name, "INTEGER")
    return tables.replace("INTEGER PRIMARY", f"{number} PRIMARY").replace(
        '"Serial No"', dialect.identifier_preparer.quote("Serial No")
    )


def test_the_tables_of_the_page_are_complete() -> None:
    assert fields(SqlSettings) <= named_in_tables(PAGE)
