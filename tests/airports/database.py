"""The registry's models in a database, in own Python: each operation of a sync is one statement and one transaction."""

from collections.abc import Generator
from contextlib import closing
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, SecretStr
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Executable,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    RowMapping,
    Select,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    make_url,
    select,
)
from sqlalchemy.pool import NullPool

from diffsync_store import Adapter, DiffSyncModel, ObjectNotDeleted, ObjectNotUpdated
from tests.airports.registry import Airport, Country, Subdivision

DEFAULT_URL = "sqlite:///airports.db"
ROWS_PER_FETCH = 1000
LOCK_SECONDS = 30
"""How long SQLite waits for another writer to finish."""

metadata = MetaData()
country = Table("country", metadata, Column("code", String, primary_key=True))
subdivision = Table(
    "subdivision",
    metadata,
    Column("country", String, ForeignKey("country.code"), primary_key=True),
    Column("name", String, primary_key=True),
)
airport = Table(
    "airport",
    metadata,
    Column("country", String, primary_key=True),
    Column("subdivision", String, primary_key=True),
    Column("icao", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("iata", "lid", "name", "city", "tz")),
    *(Column(name, Double, nullable=False) for name in ("elevation", "lat", "lon")),
    ForeignKeyConstraint(["country", "subdivision"], ["subdivision.country", "subdivision.name"]),
)


class SqlRow(DiffSyncModel):
    """A model for the rows of a table; its fields are the columns."""

    table: ClassVar[Table]

    @classmethod
    def create(cls, adapter: Adapter, ids: dict[str, Any], attrs: dict[str, Any]) -> Self | None:
        cast("SqlAdapter", adapter).execute(cls.table.insert(), ids | attrs)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: dict[str, Any]) -> Self | None:
        if self._execute(self.table.update().where(*is_row(self.table)), attrs) == 0:
            raise ObjectNotUpdated(f"the table {self.table.name} has no row {self.get_identifiers()}")
        return super().update(attrs)

    def delete(self) -> Self | None:
        if self._execute(self.table.delete().where(*is_row(self.table)), {}) == 0:
            raise ObjectNotDeleted(f"the table {self.table.name} has no row {self.get_identifiers()}")
        return super().delete()

    @classmethod
    def lookup(cls, adapter: Adapter, ids: dict[str, Any]) -> dict[str, Any] | None:
        """Return the row's attributes: a restarted sync checks whether its last statement was executed."""
        key = {f"key_{name}": value for name, value in ids.items()}
        with cast("SqlAdapter", adapter).engine.connect() as connection:
            row = connection.execute(select(cls.table).where(*is_row(cls.table)), key).mappings().one_or_none()
        return None if row is None else {name: row[name] for name in cls._attributes}

    def _execute(self, statement: Executable, values: dict[str, Any]) -> int:
        key = {f"key_{name}": value for name, value in self.get_identifiers().items()}
        return cast("SqlAdapter", self.adapter).execute(statement, values | key)


def is_row(table: Table) -> list[ColumnElement[bool]]:
    """Return the condition for the row whose key is in the parameters."""
    return [column == bindparam(f"key_{column.name}") for column in table.primary_key]


class SqlCountry(Country, SqlRow):
    """A row of `country`."""

    table = country


class SqlSubdivision(Subdivision, SqlRow):
    """A row of `subdivision`."""

    table = subdivision


class SqlAirport(Airport, SqlRow):
    """A row of `airport`."""

    table = airport


class SqlAdapter(Adapter):
    """Loads the tables, creates missing ones, and writes each operation to its row."""

    class Settings(BaseModel, extra="forbid"):
        """Settings in the YAML file."""

        url: SecretStr = SecretStr(DEFAULT_URL)

    country = SqlCountry
    subdivision = SqlSubdivision
    airport = SqlAirport
    top_level = ["country"]

    def __init__(self, *, url: SecretStr | str = DEFAULT_URL, **options: Any) -> None:
        super().__init__(**options)
        self.engine = new_engine(url.get_secret_value() if isinstance(url, SecretStr) else url)
        self._connection: Connection | None = None

    def open(self) -> None:
        """Connect, and create missing tables."""
        self._connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        metadata.create_all(self._connection)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.engine.dispose()

    def execute(self, statement: Executable, values: dict[str, Any]) -> int:
        """Execute one statement as a transaction; return the number of matched rows."""
        if self._connection is None:
            self.open()
        assert self._connection is not None
        return self._connection.execute(statement, values).rowcount

    def load(self) -> None:
        metadata.create_all(self.engine)
        parent: SqlCountry | None = None
        place: SqlSubdivision | None = None
        with closing(self._rows()) as rows:
            for row in rows:
                if parent is None or parent.code != row["code"]:
                    parent, place = SqlCountry(code=row["code"]), None
                    self.add(parent)
                if row["subdivision_name"] is None:
                    continue
                if place is None or place.name != row["subdivision_name"]:
                    place = SqlSubdivision(country=parent.code, name=row["subdivision_name"])
                    self.add(place)
                    parent.add_child(place)
                if row["icao"] is None:
                    continue
                found = SqlAirport.model_validate(_airport_of(row))
                self.add(found)
                place.add_child(found)

    def _rows(self) -> Generator[RowMapping, None, None]:
        """Read all three tables in one statement, so that they are consistent; fetch the rows in parts."""
        with self.engine.connect().execution_options(yield_per=ROWS_PER_FETCH) as connection:
            yield from connection.execute(_select_all()).mappings()


def new_engine(url: str) -> Engine:
    """Create an engine that uses psycopg for PostgreSQL and enforces foreign keys in SQLite."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, poolclass=NullPool, connect_args=_connect_args(parsed))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _connect_args(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": LOCK_SECONDS}
    if url.get_backend_name() == "postgresql":
        return {"options": "-c synchronous_commit=off"}
    return {}


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")


def _select_all() -> Select[Any]:
    """Select all countries, subdivisions and airports in the order of the keys, including countries and subdivisions without airports."""
    tables = country.outerjoin(subdivision, subdivision.c.country == country.c.code).outerjoin(
        airport, (airport.c.country == subdivision.c.country) & (airport.c.subdivision == subdivision.c.name)
    )
    columns = (country.c.code, subdivision.c.name.label("subdivision_name"), *airport.c)
    return select(*columns).select_from(tables).order_by(country.c.code, subdivision.c.name, airport.c.icao)


def _airport_of(row: RowMapping) -> dict[str, Any]:
    return {column.name: row[column.name] for column in airport.columns}
