"""The tables of a database."""

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from diffsync_store.adapters.discovery.sql import SqlDiscovery

TABLES = """
create table site (id {serial} primary key, name varchar(50) not null unique);
create table device (
    id {serial} primary key,
    name varchar(50) not null,
    site_id integer not null references site (id),
    position numeric(4, 1),
    is_active boolean not null default true,
    installed date,
    unique (site_id, name)
);
create table vlan (vid integer not null, site varchar(50) not null, name varchar(50), primary key (site, vid));
create view active as select name from device where is_active;
"""


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'inventory.db'}"


def create(url: str, serial: str) -> str:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in TABLES.format(serial=serial).split(";"):
            if statement.strip():
                connection.execute(sa.text(statement))
    engine.dispose()
    return url


def check(url: str) -> None:
    with closing(SqlDiscovery(url)) as discovery:
        assert set(discovery.names()) == {"site", "device", "vlan", "active"}
        device = discovery.describe("device")
        assert device.keys == (("site", "name"), ("id",))
        fields = {field.name: field for field in device.fields}
        assert [name for name, field in fields.items() if field.is_read_only] == ["id"]
        assert [name for name, field in fields.items() if field.is_required] == ["name", "site"]
        assert (fields["site"].refers_to, fields["site"].path) == ("site", "site_id")
        types = [fields[name].type for name in ("name", "position", "is_active", "installed")]
        assert types == ["str", "decimal", "bool", "date"]
        assert discovery.describe("vlan").keys == (("site", "vid"),)
        assert [field.name for field in discovery.describe("active").fields] == ["name"]


def test_tables_of_sqlite(sqlite: str) -> None:
    check(create(sqlite, "integer"))


@pytest.mark.server
def test_tables_of_postgresql(postgres_url: str) -> None:
    check(create(postgres_url, "serial"))


@pytest.mark.server
def test_tables_of_mariadb(mariadb_url: str) -> None:
    check(create(mariadb_url, "integer auto_increment"))


@pytest.mark.parametrize(
    "columns",
    ["name VARCHAR(50) NOT NULL UNIQUE", "name DECIMAL(5, 2) UNIQUE", "name TEXT, UNIQUE (name)", "name TEXT"],
)
def test_a_unique_key_of_sqlite_is_found_however_it_is_declared(sqlite: str, columns: str) -> None:
    engine = sa.create_engine(sqlite)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE site (id INTEGER PRIMARY KEY, note TEXT, {columns})"))
        if "UNIQUE" not in columns:
            connection.execute(sa.text("CREATE UNIQUE INDEX by_name ON site (name)"))
        connection.execute(sa.text("CREATE UNIQUE INDEX by_small_note ON site (lower(note))"))
        connection.execute(sa.text("CREATE UNIQUE INDEX by_note ON site (note) WHERE note > ''"))
    engine.dispose()
    with closing(SqlDiscovery(sqlite)) as discovery:
        assert discovery.describe("site").keys == (("name",), ("id",))
