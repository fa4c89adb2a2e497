"""SqlAdapter: tables, views and queries of a database.

`from` of a model is a table, `schema.table`, or a query that begins with `select` or `with`. A field is a column; `site.name` follows
the foreign key in the column `site` or `site_id`. A record is written to its table by its primary key; a query is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Lock
from typing import Any, cast

import sqlalchemy as sa
from pydantic import Field, JsonValue, SecretStr, field_validator

from diffsync_store.adapters.mapped import AdapterSettings, Answer, Change, MappedAdapter, MappedModel
from diffsync_store.adapters.resolver import ids_by_unique_id
from diffsync_store.adapters.shards import Part, Scalar
from diffsync_store.adapters.sql import batches, shards
from diffsync_store.adapters.sql.database import Database
from diffsync_store.adapters.sql.engine import parse_url
from diffsync_store.adapters.sql.errors import DatabaseRefused, DatabaseUnavailable, reason
from diffsync_store.adapters.sql.kept import Sent, require_kept
from diffsync_store.adapters.sql.mapper import KEY, SqlMapper
from diffsync_store.adapters.sql.new_tables import is_missing, new_tables
from diffsync_store.adapters.sql.rehearsal import checking_deferred, require_transactions
from diffsync_store.adapters.sql.upsert import upsert
from diffsync_store.adapters.writing import Payload
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.hooks import RehearsedOperation
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping

IDENTIFIERS_PER_STATEMENT = 200


class SqlSettings(AdapterSettings):
    """Which database, and how it is read and written."""

    url: SecretStr
    """`sqlite:////srv/inventory.db`, `postgresql://user:password@host/database`, `mariadb://…`: SQLAlchemy's URLs."""
    rows_per_fetch: int = Field(1000, ge=1)
    """Rows that are in memory at a time while records are read."""
    upsert: bool = False
    """Let a create change the row that is there already, by the primary key or a unique one, instead of being refused."""
    create_tables: bool = False
    """Create the tables that are missing, from the models, with the first write. A table that is there is never altered."""

    @field_validator("url")
    @classmethod
    def _require_url(cls, url: SecretStr) -> SecretStr:
        parse_url(url.get_secret_value())
        return url


class SqlAdapter(MappedAdapter):
    """Reads and writes tables. One thread loads; several may write, each with a connection of its own."""

    Settings = SqlSettings
    settings: SqlSettings
    id_key = KEY
    shard_is = "a column"
    has_shard_ranges = True

    def __init__(self, settings: SqlSettings | Any, *args: Any, **options: Any) -> None:
        settings = settings if isinstance(settings, SqlSettings) else self.Settings.model_validate(settings)
        self._database = Database(settings.url.get_secret_value())
        self._creating = Lock()
        self._has_all_tables = not settings.create_tables
        self._kept_rows: set[tuple[str, str]] = set()
        """Model and primary key of the rows that are not deleted (see `_keep_rows_of`)."""
        super().__init__(settings, *args, **options)
        for parent, names in self._nested.items():
            for name in names:
                _of_sql(self.mappers[parent]).add_path(self.mappers[name].mapping.list_path)

    def open(self) -> None:
        """Connect, and compare the mapping with the tables. A table that `create_tables` is going to create counts as empty.

        Raises:
            DatabaseUnavailable, DatabaseRefused: there is no connection.
            ValueError: a table, a column or a foreign key is not there.
        """
        with self._database.looking_up():
            pass
        self._kept_rows.clear()
        if self.settings.create_tables:
            self._new_tables()
        for mapper in self._own_mappers:
            mapper.forget()
            if self._is_to_be_created(mapper):
                continue
            mapper.prepared()
            for target in mapper.written_references.values():
                mapper.reference_columns(target)

    @property
    def _own_mappers(self) -> list[SqlMapper]:
        """Return the mappers of models that have their own table or query."""
        return [_of_sql(mapper) for mapper in self.mappers.values() if not mapper.mapping.list_path]

    def _is_to_be_created(self, mapper: SqlMapper) -> bool:
        return not self._has_all_tables and is_missing(self._database.tables, mapper)

    def _new_tables(self) -> sa.MetaData:
        return new_tables(self._database.tables, self._own_mappers, self.mappers)

    def _create_missing_tables(self) -> None:
        """Create what `create_tables` asks for, before the first write of this adapter."""
        if self._has_all_tables:
            return
        with self._creating:
            if not self._has_all_tables:
                with self._database.writing() as connection:
                    self._new_tables().create_all(connection)
                self._has_all_tables = True

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    @property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine of the database."""
        return self._database.engine

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> SqlMapper:
        return SqlMapper(self._database, model, mapping)

    # Reading

    def load(self) -> None:
        with self._database.reading():  # all models from one state of the database
            super().load()

    def read(self, mapper: Mapper) -> Iterable[Record]:
        mapper = _of_sql(mapper)
        if self._is_to_be_created(mapper):
            self.expect(mapper.model, 0)
            return
        prepared = mapper.prepared()
        part = self.part_of(mapper)
        chosen = sa.true() if part is None else shards.condition(mapper.shard_column, part)
        with self._database.reading() as connection:
            if prepared.source.table is not None:
                count = shards.counting(prepared.source.table if part is None else prepared.source.selectable, chosen)
                self.expect(mapper.model, connection.execute(count).scalar_one())
            statement = prepared.statement if part is None else prepared.statement.where(chosen)
            options = {"yield_per": self.settings.rows_per_fetch}
            with connection.execute(statement, execution_options=options) as rows:
                yield from map(mapper.record_of, rows)

    def shard_is_field(self) -> bool:
        return self.engine.dialect.name in {
            "postgresql",
            "sqlite",
        }  # texts of others may be equal in spite of their case

    def shard_values(self, mapper: Mapper) -> Iterable[Scalar]:
        mapper = _of_sql(mapper)
        if self._is_to_be_created(mapper):
            return []
        with self._database.reading() as connection:
            return shards.values(connection, mapper.prepared().source, mapper.shard_column)

    def count_outside(self, mapper: Mapper, parts: Sequence[Part]) -> int | None:
        mapper = _of_sql(mapper)
        if self._is_to_be_created(mapper):
            return 0
        with self._database.reading() as connection:
            counting = shards.counting(mapper.prepared().source.selectable, shards.outside(mapper.shard_column, parts))
            return int(connection.execute(counting).scalar_one())

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        found = {mapper.unique_id_of(record): record for record in self._look_up(_of_sql(mapper), identifiers)}
        return [found.get(mapper.model.create_unique_id(**ids)) for ids in identifiers]

    def find_ids(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[JsonValue]:
        records = self._look_up(_of_sql(mapper), identifiers)
        found = ids_by_unique_id((mapper.unique_id_of(record), record.get(KEY)) for record in records)
        return [found.get(mapper.model.create_unique_id(**ids)) for ids in identifiers]

    def _look_up(self, mapper: SqlMapper, identifiers: Sequence[dict[str, Any]]) -> Iterator[Record]:
        if self._is_to_be_created(mapper):
            return
        with self._database.looking_up() as connection:
            for start in range(0, len(identifiers), IDENTIFIERS_PER_STATEMENT):
                part = identifiers[start : start + IDENTIFIERS_PER_STATEMENT]
                yield from map(mapper.record_of, connection.execute(mapper.statement_for(part)))

    # Writing

    def create_records(
        self, model: type[MappedModel], records: Sequence[tuple[dict[str, Any], dict[str, Any]]]
    ) -> list[Any]:
        self._create_missing_tables()
        return super().create_records(model, records)

    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None:
        """Write a primary key into the columns of the foreign key."""
        columns = _of_sql(mapper).reference_columns(target)
        keys = system_id if isinstance(system_id, list) else [None] * len(columns)
        if len(columns) != len(keys):
            raise ValueError(
                f"The reference is written to {target!r}, but the key has {len(keys)} columns. Name {len(keys)} columns, separated by commas."
            )
        payload.update(zip(columns, keys, strict=True))

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        mapper = _of_sql(mapper)
        table = mapper.table()
        make = self._upsert_of(table) if self.settings.upsert else lambda _names: table.insert()

        def run(connection: Any, rows: Sequence[Sent]) -> list[Answer]:
            keys = batches.insert(connection, table, [row.values for row in rows], make)
            require_kept(connection, mapper, list(zip(keys, rows, strict=True)))
            return keys

        answers = self._write(mapper, payloads, partial(Sent.of, mapper), run, ObjectNotCreated)
        refused = [
            each.fields
            for each, answer in zip(payloads, answers, strict=True)
            if isinstance(each, Payload) and isinstance(answer, Exception)
        ]
        if refused:
            self._keep_rows_of(mapper, refused)
        return answers

    def _keep_rows_of(self, mapper: SqlMapper, refused: Sequence[Mapping[str, Any]]) -> None:
        """Remember the rows that the database takes for the same as new records that it has refused.

        If `AMS` becomes `ams`, and the key of the table ignores the case, a delete of `AMS` would leave neither of them.
        """
        names = mapper.model._identifiers
        wanted = {
            mapper.model.create_unique_id(**ids): ids
            for ids in ({name: each[name] for name in names} for each in refused)
        }
        with suppress(DatabaseUnavailable, DatabaseRefused, ValueError):  # the reason of the refusal is what counts
            for record in self._look_up(mapper, list(wanted.values())):
                if mapper.unique_id_of(record) not in wanted:
                    self._kept_rows.add((mapper.model._modelname, str(record[KEY])))

    def _upsert_of(self, table: Any) -> Callable[[Iterable[str]], Any]:
        keys, dialect = self._database.tables.unique_keys(table), self._database.engine.dialect.name
        return lambda names: upsert(table, names, keys, dialect)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        mapper = _of_sql(mapper)
        table = mapper.table()

        def row_of(change: Change) -> Sent:
            return Sent.of(mapper, change.payload, change.key)

        def run(connection: Any, rows: Sequence[Sent]) -> list[Answer]:
            is_there = batches.update(connection, table, [(row.key, row.values) for row in rows])
            there = [row for row, each in zip(rows, is_there, strict=True) if each]
            require_kept(connection, mapper, [(batches.key_after(table, row.key, row.values), row) for row in there])
            return [
                None if each else ObjectNotUpdated(f"The table {table.name!r} no longer has such a row.")
                for each in is_there
            ]

        return self._write(mapper, changes, row_of, run, ObjectNotUpdated)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        mapper = _of_sql(mapper)
        table = mapper.table()

        def row_of(change: Change) -> Any:
            if (mapper.model._modelname, str(change.key)) in self._kept_rows:
                raise ValueError(
                    "The database does not tell this row from a new record, which it has refused: their keys differ only in what the "
                    "collation ignores, such as the case. The row stays, so that one of them is there. Write the identifiers as the row has "
                    "them, for example with the transform `upper`, or give the column a collation that tells them apart."
                )
            return change.key

        def run(connection: Any, keys: Sequence[Any]) -> list[Answer]:
            batches.delete(connection, table, keys)
            return [None] * len(keys)

        return self._write(mapper, changes, row_of, run, ObjectNotDeleted)

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Rehearse in one transaction, which is rolled back.

        Raises:
            CannotRehearse: the database would keep some of it.
        """
        had_all_tables, kept_rows = self._has_all_tables, set(self._kept_rows)
        new = [mapper for mapper in self._own_mappers if self._is_to_be_created(mapper)]
        found = [mapper.prepared().source.table for mapper in self._own_mappers if mapper not in new]
        there = [table for table in found if table is not None]
        with super().rehearsing(), self._database.rehearsing() as connection:
            require_transactions(connection, there, creates_tables=bool(new))
            try:
                yield
            finally:
                self._has_all_tables, self._kept_rows = had_all_tables, kept_rows
                for mapper in new:
                    mapper.forget()

    def rehearse_many(self, operations: Sequence[RehearsedOperation]) -> list[Exception | None]:
        """Write operations of one model and action in the transaction of the rehearsal."""
        model, action = operations[0].model, operations[0].action
        if action == "create":
            answers = self.create_records(model, [(each.ids, each.attrs) for each in operations])
        elif action == "update":
            answers = self.update_records(model, [(each.obj, each.attrs) for each in operations])
        else:
            answers = self.delete_records(model, [each.obj for each in operations])
        return [answer if isinstance(answer, Exception) else None for answer in answers]

    def _write(
        self,
        mapper: SqlMapper,
        items: Sequence[Any],
        row_of: Callable[[Any], Any],
        run: batches.Run,
        refused: type[Exception],
    ) -> list[Answer]:
        """Write the rows of a call in one transaction; what the database refuses is refused alone."""
        answers: list[Answer] = [None] * len(items)
        rows, numbers = [], []
        for number, item in enumerate(items):
            try:
                rows.append(row_of(item))
                numbers.append(number)
            except ValueError as error:
                answers[number] = refused(_without(mapper, item, str(error)))

        def refuse(row: Any, error: Exception) -> Exception:
            return refused(_without(mapper, row, reason(error)))

        if self._database.rehearsal is not None:
            run = checking_deferred(run, self._time_left)
        if rows:
            with self._database.writing() as connection:
                found = batches.run_by_halves(connection, run, rows, refuse)
            for number, answer in zip(numbers, found, strict=True):
                answers[number] = answer
        return answers


def _without(mapper: SqlMapper, item: Any, text: str) -> str:
    """Return a message without the secrets of a row."""
    row = item.values if isinstance(item, Sent) else item.payload if isinstance(item, Change) else item
    for secret in mapper.secrets_in(row) if isinstance(row, dict) else ():
        text = text.replace(secret, "***")
    return text


def _of_sql(mapper: Mapper) -> SqlMapper:
    return cast("SqlMapper", mapper)
