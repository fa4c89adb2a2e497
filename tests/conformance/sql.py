"""Databases as systems under test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.testing import BehindTcpProxy, Record, Side, SystemUnderTest, TcpProxy
from tests.conformance.mapped import DEVICE, FULL, INVALID, MODELS, SITE

METADATA = sa.MetaData()
TEXT = sa.String(200).with_variant(sa.String(200, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
SITES = sa.Table(
    "site",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", TEXT, unique=True, nullable=False),
    sa.Column("region", TEXT),
    sa.Column("floors", sa.Integer),
    sa.CheckConstraint(f"region <> '{FULL}'"),
)
DEVICES = sa.Table(
    "device",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("site_id", sa.ForeignKey("site.id"), nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("role", TEXT),
    sa.Column("rack", sa.Integer),
    sa.Column("weight", sa.Double),
    sa.Column("active", sa.Boolean),
    sa.Column("since", sa.Date),
    sa.UniqueConstraint("site_id", "name"),
    sa.CheckConstraint(f"role <> '{FULL}'"),
)
TABLES = {"site": SITES, "device": DEVICES}
SAMPLES = (replace(SITE, refused={"region": FULL}), replace(DEVICE, refused={"role": FULL}))
RECORDS = {"site": {}, "device": {"fields": {"site": "site.name"}, "references": {"site": "site_id"}}}


class DatabaseUnderTest(SystemUnderTest):
    """Two tables, with a foreign key between them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        METADATA.create_all(self.engine)

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self.adapter_of(self.url, store)

    def adapter_of(self, url: str, store: BaseStore) -> SqlAdapter:
        return SqlAdapter({"url": url}, MODELS, RECORDS, internal_storage_engine=store)

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        statement = sa.select(SITES.c.name, SITES.c.region, SITES.c.floors)
        if model == "device":
            columns = [column for column in DEVICES.c if column.name not in {"id", "site_id"}]
            statement = sa.select(SITES.c.name.label("site"), *columns).join_from(DEVICES, SITES)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def put(self, record: Record) -> None:
        table, row = TABLES[record.model], dict(record.fields)
        with self.engine.begin() as connection:
            if record.model == "device":
                row["site_id"] = self._site_id(connection, row.pop("site"))
            if not connection.execute(table.update().where(*self._is(connection, record)), row).rowcount:
                connection.execute(table.insert(), row)

    def remove(self, record: Record) -> None:
        with self.engine.begin() as connection:
            connection.execute(TABLES[record.model].delete().where(*self._is(connection, record)))

    def _is(self, connection: sa.Connection, record: Record) -> list[sa.ColumnElement[bool]]:
        ids = dict(record.identifiers)
        if record.model == "device":
            ids["site_id"] = self._site_id(connection, ids.pop("site"))
        return [TABLES[record.model].c[name] == value for name, value in ids.items()]

    @staticmethod
    def _site_id(connection: sa.Connection, name: str) -> int:
        found: int = connection.execute(sa.select(SITES.c.id).where(SITES.c.name == name)).scalar_one()
        return found


class SqliteUnderTest(DatabaseUnderTest):
    def put_invalid(self, model: str) -> str:
        row = dict(INVALID[model])
        if model == "device":
            row = {"site_id": 1, **{name: value for name, value in row.items() if name != "site"}}
        columns = ", ".join(row)
        with self.engine.begin() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO {model} ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
            )
        return "unfit"

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        return self.adapter_of("sqlite:////missing/folder/file.db", store)


PASSWORD = "s3cret-of-app"


class ServerUnderTest(BehindTcpProxy, DatabaseUnderTest):
    """A database of a server behind a proxy. The adapter is the user `app`, whose rights may be taken away."""

    secrets = (PASSWORD,)
    grant: Sequence[str]
    """Statements that make the user and give it its rights."""
    user: str

    def __init__(self, proxy: TcpProxy, url: str) -> None:
        BehindTcpProxy.__init__(self, proxy)
        DatabaseUnderTest.__init__(self, url)
        self._run(*self.grant)

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(self.proxy.port, store)

    def make_adapter_at(self, port: int, store: BaseStore) -> Adapter:
        return self._adapter(store, port=port)

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self._adapter(store, username="nobody", password="wrong")

    def _adapter(self, store: BaseStore, **changes: Any) -> SqlAdapter:
        given = {"username": "app", "password": PASSWORD, "port": self.proxy.port, **changes}
        return self.adapter_of(sa.make_url(self.url).set(**given).render_as_string(hide_password=False), store)

    @contextmanager
    def deny(self, on: Side) -> Iterator[None]:
        rights = "SELECT" if on == "read" else "INSERT, UPDATE, DELETE"
        self._run(*(f"REVOKE {rights} ON {table} FROM {self.user}" for table in TABLES))
        try:
            yield
        finally:
            self._run(*(f"GRANT {rights} ON {table} TO {self.user}" for table in TABLES))

    def _run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


class PostgresUnderTest(ServerUnderTest):
    user = "app"
    grant = (
        f"DO $$ BEGIN CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT ALL ON site, device, site_id_seq, device_id_seq TO app",
    )


class MariaDbUnderTest(ServerUnderTest):
    user = "app@'127.0.0.1'"
    grant = (
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON site TO {user}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON device TO {user}",
    )
