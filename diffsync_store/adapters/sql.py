"""SqlAdapter: tables, views and queries of a database, through SQLAlchemy Core.

`from` of a model is a table, `schema.table`, or a query that begins with `select` or `with`. A field is a column; `site.name` follows
the foreign key of the column `site` or `site_id`. A record is written to its table by its primary key; a query is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from pydantic import JsonValue, SecretStr

try:
    import sqlalchemy as sa
except ImportError as error:
    raise ImportError("SqlAdapter needs the package sqlalchemy: pip install 'diffsync-store[sql]'") from error

from diffsync_store.adapters.mapped import AdapterSettings, Answer, Change, MappedAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Getter, Record, compile_getter, is_plain
from diffsync_store.mapping.records import Mapper, RecordMapping

LOCK_SECONDS = 30
"""How long SQLite waits for another writer."""
_KEY = "$key"
"""Under which a record has its primary key."""


class SqlSettings(AdapterSettings):
    """Which database, and how it is read and written."""

    url: SecretStr
    """`sqlite:////srv/inventory.db`, `postgresql+psycopg://user:password@host/db`, `mariadb+pymysql://…`: SQLAlchemy's URLs."""
    rows_per_fetch: int = 1000
    """Rows that are in memory at a time while records are read."""
    upsert: bool = False
    """Let a create change the row that has its primary key already, instead of being refused."""


class SqlAdapter(MappedAdapter):
    """Reads and writes tables. One thread loads; several may write, each with a connection of its own."""

    Settings = SqlSettings
    settings: SqlSettings
    id_key = _KEY

    def open(self) -> None:
        """Connect, so that a database that cannot be reached is found before the first record."""
        with self.engine.connect():
            pass

    def close(self) -> None:
        """Close the connections."""
        if "_engine" in vars(self):
            self._engine.dispose()
            del self._engine

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine of the database."""
        if "_engine" not in vars(self):
            self._engine = _new_engine(self.settings.url.get_secret_value())
        return self._engine

    def make_mapper(self, model: Any, mapping: RecordMapping) -> SqlMapper:
        return SqlMapper(self, model, mapping)

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        mapper = _of_sql(mapper)
        with self._snapshot() as connection:
            if mapper.table is not None:
                count = connection.execute(sa.select(sa.func.count()).select_from(mapper.table)).scalar_one()
                self.expect(mapper.model, count)
            rows = connection.execution_options(yield_per=self.settings.rows_per_fetch).execute(mapper.statement)
            yield from map(mapper.record_of, rows)

    @contextmanager
    def _snapshot(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the database throughout."""
        options = {} if self.engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        with self.engine.execution_options(**options).begin() as connection:
            yield connection

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        mapper = _of_sql(mapper)
        found: dict[str, Record] = {}
        with self.engine.connect() as connection:
            for ids in identifiers:
                for row in connection.execute(mapper.statement_for(ids)):
                    record = mapper.record_of(row)
                    found[mapper.key_of(record)] = record
        return [found.get("__".join(str(ids[name]) for name in mapper.model._identifiers)) for ids in identifiers]

    # Writing

    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None:
        """Write a primary key into the columns of the foreign key: one column, or those with a comma between them."""
        columns = [column.strip() for column in target.split(",")]
        keys = system_id if isinstance(system_id, list) else [None] * len(columns)
        if len(columns) != len(keys):
            raise ValueError(
                f"The reference is written to {target!r}, and the key has {len(keys)} columns: name as many."
            )
        payload.update(zip(columns, keys, strict=True))

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        table = _table_of(mapper)
        keys = list(table.primary_key.columns)
        statement = self._insert(table).returning(*keys, sort_by_parameter_order=True)

        def run(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> list[Answer]:
            return [list(row) for row in connection.execute(statement, [*rows])]

        return self._in_one_transaction(run, _alike(payloads), ObjectNotCreated)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        table = _table_of(mapper)

        def run(connection: sa.Connection, rows: Sequence[Change]) -> list[Answer]:
            answers: list[Answer] = []
            for row in rows:
                statement = table.update().where(*_is_row(table, row.key)).values(**row.payload)
                is_there = bool(connection.execute(statement).rowcount) or self._is_there(connection, table, row)
                answers.append(
                    None if is_there else ObjectNotUpdated(f"The table {table.name} has no row {row.identifiers}.")
                )
            return answers

        return self._in_one_transaction(run, [*changes], ObjectNotUpdated)

    def _is_there(self, connection: sa.Connection, table: sa.Table, row: Change) -> bool:
        """MariaDB counts rows that changed, not rows that were found."""
        return (
            connection.execute(sa.select(sa.literal(1)).select_from(table).where(*_is_row(table, row.key))).first()
            is not None
        )

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        table = _table_of(mapper)

        def run(connection: sa.Connection, rows: Sequence[Change]) -> list[Answer]:
            for row in rows:
                connection.execute(table.delete().where(*_is_row(table, row.key)))
            return [None] * len(rows)

        return self._in_one_transaction(run, [*changes], ObjectNotDeleted)

    def _insert(self, table: sa.Table) -> Any:
        if not self.settings.upsert:
            return table.insert()
        keys = list(table.primary_key.columns)
        rest = [column.name for column in table.columns if column not in keys]
        dialect = self.engine.dialect.name
        if dialect in {"postgresql", "sqlite"}:
            from sqlalchemy.dialects import postgresql, sqlite

            insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
            return insert.on_conflict_do_update(
                index_elements=keys, set_={name: insert.excluded[name] for name in rest}
            )
        from sqlalchemy.dialects import mysql

        statement = mysql.insert(table)
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in rest})

    def _in_one_transaction(
        self, run: Callable[[sa.Connection, Any], list[Answer]], rows: Sequence[Any], refused: type[Exception]
    ) -> list[Answer]:
        """Write the rows of a call; those that the database refuses are found by halves, within savepoints."""
        if not rows:
            return []
        with self.engine.begin() as connection:
            return _by_halves(connection, run, rows, refused)


class SqlMapper(Mapper):
    """A mapping over a table or a query: its fields are columns, also of the tables that foreign keys lead to."""

    def __init__(self, adapter: SqlAdapter, model: type[DeclaredModel], mapping: RecordMapping) -> None:
        self._adapter = adapter
        self._source = mapping.source or model._modelname
        self._is_query = self._source.lstrip().lower().startswith(("select ", "with ", "select\n", "with\n"))
        self._columns: dict[str, Any] = {}
        """By the label of a result: what is selected."""
        self._prepared: tuple[Any, Any] | None = None
        super().__init__(model, mapping, compile_path=self._compile)

    def _compile(self, path: str) -> Getter:
        """A path into a row: a plain one is one column of the result."""
        if not is_plain(path):
            return compile_getter(path)
        self._columns.setdefault(path, None)
        return lambda record, _parent: record[path]

    @property
    def table(self) -> sa.Table | None:
        """The table; None for a query."""
        return None if self._is_query else self._prepare()[0]

    @property
    def statement(self) -> sa.Select[Any]:
        """What reads all records."""
        selected: sa.Select[Any] = self._prepare()[1]
        return selected

    def statement_for(self, identifiers: Mapping[str, Any]) -> sa.Select[Any]:
        """What reads the record with these identifiers."""
        statement = self.statement
        for name, value in identifiers.items():
            field = self.mapping.fields.get(name)
            column = statement.selected_columns[(field.path if field else "") or name]
            statement = statement.where(column == value if value is not None else column.is_(None))
        return statement

    def record_of(self, row: Any) -> Record:
        """A row of the result as a record."""
        record: dict[str, Any] = dict(row._mapping)
        keys = [record.pop(f"{_KEY}{number}") for number in range(self._key_count)]
        if keys:
            record[_KEY] = keys
        return record

    @property
    def _key_count(self) -> int:
        return 0 if self._is_query else len(list(self._prepare()[0].primary_key.columns))

    def _prepare(self) -> tuple[Any, Any]:
        if self._prepared is None:
            self._prepared = self._of_query() if self._is_query else self._of_table()
        return self._prepared

    def _of_query(self) -> tuple[None, sa.Select[Any]]:
        columns: list[Any] = [sa.column(path) for path in self._columns]
        query = sa.text(self._source.strip().rstrip(";")).columns(*columns).subquery("query")
        return None, sa.select(*query.columns)

    def _of_table(self) -> tuple[sa.Table, sa.Select[Any]]:
        schema, _, name = self._source.rpartition(".")
        metadata = sa.MetaData()
        try:
            table = sa.Table(name, metadata, schema=schema or None, autoload_with=self._adapter.engine)
        except sa.exc.NoSuchTableError as error:
            known = ", ".join(sorted(sa.inspect(self._adapter.engine).get_table_names(schema or None))) or "none"
            raise ValueError(f"The database has no table {self._source!r}. Its tables are: {known}.") from error
        joins = _Joins(table)
        columns = [joins.column(path).label(path) for path in self._columns]
        keys = [column.label(f"{_KEY}{number}") for number, column in enumerate(table.primary_key.columns)]
        return table, sa.select(*columns, *keys).select_from(joins.joined).order_by(*table.primary_key.columns)


class _Joins:
    """The tables that the paths of a mapping lead to, by foreign keys."""

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        self.joined: Any = table
        self._aliases: dict[tuple[str, ...], Any] = {(): table}

    def column(self, path: str) -> Any:
        *above, name = path.split(".")
        table = self._follow(tuple(above))
        if name not in table.c:
            raise ValueError(
                f"The table {self._table.name!r} has no column for {path!r}. Columns of {table.name!r} are: {', '.join(table.c.keys())}."
            )
        return table.c[name]

    def _follow(self, above: tuple[str, ...]) -> Any:
        if above in self._aliases:
            return self._aliases[above]
        table = self._follow(above[:-1])
        keys = [column for column in table.c if column.name in (above[-1], f"{above[-1]}_id") and column.foreign_keys]
        if not keys:
            raise ValueError(
                f"The table {table.name!r} has no foreign key {above[-1]!r} or {above[-1] + '_id'!r} to follow."
            )
        [key, *_] = keys
        [foreign, *_] = key.foreign_keys
        alias = foreign.column.table.alias("__".join(above))
        self._aliases[above] = alias
        self.joined = self.joined.outerjoin(alias, key == alias.c[foreign.column.name])
        return alias


def _new_engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
    engine = sa.create_engine(parsed, hide_parameters=True, connect_args={"timeout": LOCK_SECONDS})

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun here, and reads see one state
        connection.execute("PRAGMA foreign_keys = ON")

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _of_sql(mapper: Mapper) -> SqlMapper:
    return cast("SqlMapper", mapper)


def _table_of(mapper: Mapper) -> sa.Table:
    table = _of_sql(mapper).table
    if table is None:
        raise ValueError(f"{mapper.model._modelname} is read by a query and cannot be written. Name a table as `from`.")
    return table


def _is_row(table: sa.Table, key: Any) -> list[Any]:
    return [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]


def _alike(payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for one statement: each has the same columns."""
    names = dict.fromkeys(name for payload in payloads for name in payload)
    return [{name: payload.get(name) for name in names} for payload in payloads]


def _by_halves(
    connection: sa.Connection,
    run: Callable[[sa.Connection, Any], list[Answer]],
    rows: Sequence[Any],
    refused: type[Exception],
) -> list[Answer]:
    try:
        with connection.begin_nested():
            return run(connection, rows)
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
            raise
        if len(rows) == 1:
            return [refused(_reason(error))]
    except sa.exc.StatementError as error:  # a value that the driver cannot send
        if len(rows) == 1:
            return [refused(_reason(error))]
    half = len(rows) // 2
    return _by_halves(connection, run, rows[:half], refused) + _by_halves(connection, run, rows[half:], refused)


def _reason(error: sa.exc.StatementError) -> str:
    """What the database says, without the statement."""
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else type(error).__name__
