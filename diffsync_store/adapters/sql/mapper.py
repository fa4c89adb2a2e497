"""SqlMapper: the mapping of a model over a table or a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from diffsync_store.adapters.sql.source import QuerySource, Source, TableSource, find_step, is_query
from diffsync_store.adapters.sql.stored import Convert, Unreadable
from diffsync_store.adapters.sql.values import key_form, reader, writer
from diffsync_store.mapping.paths import Getter, Record, compile_getter, is_plain, keys_of
from diffsync_store.mapping.records import CannotWrite, Mapper, RecordMapping, mapped_fields

if TYPE_CHECKING:
    from diffsync_store.adapters.mapped import MappedModel
    from diffsync_store.adapters.sql.database import Database

KEY = "$key"
"""Under which a record has its primary key, as a list; an empty one where there is none."""


class _Column(NamedTuple):
    """What is selected for one path."""

    column: Any
    is_inside: bool
    """The value of the path is inside of the column's value."""
    convert: Convert | None
    """What makes the value of the path from the value of the column."""


class Prepared(NamedTuple):
    """A mapping that was compared with the database."""

    source: Source
    columns: Mapping[str, _Column]
    """By path."""
    converts: Sequence[tuple[str, Convert]]
    """Of the paths whose value is made from the column's."""
    statement: sa.Select[Any]
    """What reads all records: the columns of the paths, then those of the primary key."""
    key: tuple[sa.Column[Any], ...]
    """The primary key; empty where there is none."""
    writers: Mapping[str, Convert | None]
    """By the names of the table's own columns: what makes a value one that is sent."""
    refused: Mapping[str, str]
    """By the names of fields: why they cannot be written."""


class SqlMapper(Mapper):
    """A mapping over a table or a query. Its paths are columns, also of the tables that foreign keys lead to."""

    def __init__(self, database: Database, model: type[MappedModel], mapping: RecordMapping) -> None:
        self._database = database
        self._paths: dict[str, None] = {}
        self._takes_all = False
        """An expression may read any column."""
        self._lock = Lock()
        self._prepared: Prepared | None = None
        self.source_name = mapping.source or model._modelname
        is_inside = bool(mapping.list_path)
        super().__init__(model, mapping, compile_path=compile_getter if is_inside else self._compile)
        if mapping.shard:
            self.add_path(mapping.shard)

    def _compile(self, path: str) -> Getter:
        if not is_plain(path):
            self._takes_all = True
            return compile_getter(path)
        self._paths.setdefault(path)

        def get(record: Record, _parent: Any) -> Any:
            value = record[path]
            if type(value) is Unreadable:
                raise ValueError(value.reason)
            return value

        return get

    def add_path(self, path: str) -> None:
        """Read a path too: that of the list of another model's records."""
        self._paths.setdefault(path)

    def prepared(self) -> Prepared:
        """Compare the mapping with the database, once.

        Raises:
            ValueError: the table, or a column, is not there.
        """
        prepared = self._prepared
        if prepared is None:
            with self._lock:
                prepared = self._prepared = self._prepared or self._prepare()
        return prepared

    def forget(self) -> None:
        """Compare with the database again at next use."""
        self._prepared = None

    # Reading

    @property
    def shard_column(self) -> Any:
        """Return the column that decides the shard of a row.

        Raises:
            ValueError: `shard` leads into a value.
        """
        found = self.prepared().columns[self.mapping.shard]
        if found.is_inside:
            raise ValueError(
                f"`shard` of {self.model._modelname!r}: {self.mapping.shard!r} is inside of a value. Name a column, or read a query."
            )
        return found.column

    def record_of(self, row: Sequence[Any]) -> Record:
        """Return a row of the statement as a record."""
        prepared = self.prepared()
        record = dict(zip(prepared.columns, row, strict=False))
        for path, convert in prepared.converts:
            record[path] = convert(record[path])
        record[KEY] = [key_form(value) for value in row[len(prepared.columns) :]]
        return record

    def statement_for(self, identifiers: Sequence[Mapping[str, Any]]) -> sa.Select[Any]:
        """Return the statement that reads the records with these identifiers. It may read more: transformed fields are no condition."""
        statement = self.prepared().statement.order_by(None)
        columns = {name: column for name in self.model._identifiers if (column := self._column_of(name)) is not None}
        if not columns:
            return statement
        keys = [key for ids in identifiers if (key := self._key_of(columns, ids)) is not None]
        whole = [key for key in keys if None not in key]
        conditions = [_is_null_or_equal(columns.values(), key) for key in keys if None in key]
        if whole:
            conditions.append(_is_one_of([*columns.values()], whole))
        return statement.where(sa.or_(sa.false(), *conditions))

    def _key_of(self, columns: Mapping[str, Any], identifiers: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Identifiers as values of columns; None if a column cannot have the value, so that there is no such record."""
        try:
            return tuple(_sent(column, self._outside(name, identifiers[name])) for name, column in columns.items())
        except (ValueError, TypeError, ArithmeticError):
            return None

    def _column_of(self, name: str) -> Any:
        """Return the column that contains the value of a field; None if the value is computed."""
        field = self.mapping.fields.get(name)
        if field is not None and (field.transforms or field.default is not None or field.value is not None):
            return None
        found = self.prepared().columns.get((field.path if field else "") or name)
        return None if found is None or found.is_inside else found.column

    def _outside(self, name: str, value: Any) -> Any:
        """Return a field's value as the system has it."""
        payload: Any = self.payload_of({name: value}) if name in self._writers else {}
        return next(iter(payload.values())) if payload else value

    # Writing

    def payload_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        refused = self.prepared().refused
        for name in values:
            if name in refused and name in self._writers:
                raise CannotWrite(refused[name])
        return super().payload_of(values)

    def table(self) -> sa.Table:
        """Return the table that is written.

        Raises:
            ValueError: the records are read by a query, or the table has no primary key.
        """
        prepared = self.prepared()
        if prepared.source.table is None:
            raise ValueError(
                f"{self.model._modelname} is read by a query and cannot be written. Set `from` to a table."
            )
        if not prepared.key:
            raise ValueError(
                f"The {prepared.source.name} has no primary key, so its rows cannot be written one by one. Add a primary key, "
                "or write to the table behind the view."
            )
        return prepared.source.table

    def reference_columns(self, target: str) -> Sequence[str]:
        """Return the columns that the id of a referenced record is written to."""
        source = self.prepared().source
        return source.foreign_key_columns(target) if isinstance(source, TableSource) else [target]

    def row_of(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return a payload as parameters of a statement.

        Raises:
            ValueError: a value does not fit its column.
        """
        writers = self.prepared().writers
        row = {}
        for name, value in payload.items():
            convert = writers[name]
            try:
                row[name] = value if convert is None or value is None else convert(value)
            except (ValueError, TypeError, ArithmeticError) as error:
                raise ValueError(f"The column {name!r} does not accept the value: {error}") from error
        return row

    def reads_what_it_writes(self, name: str) -> bool:
        """True if a field is read from the column that it is written to."""
        return (
            name in self._writers
            and name not in self.prepared().refused
            and self.write_path_of(name) == self._path_of(name)
        )

    def secrets_in(self, row: Mapping[str, Any]) -> Iterator[str]:
        """Yield the secret values of a row, which no message may contain."""
        for name in self.model._secrets:
            value = row.get(keys_of(self.write_path_of(name) or name)[0])
            if value is not None and str(value):
                yield str(value)

    # Preparing

    def _prepare(self) -> Prepared:
        source = self._find_source()
        paths = [*self._paths, *(name for name in source.own_columns if self._takes_all and name not in self._paths)]
        columns = {path: self._resolved(source, path) for path in paths}
        converts = [(path, column.convert) for path, column in columns.items() if column.convert is not None]
        key = tuple(source.table.primary_key.columns) if source.table is not None else ()
        statement = sa.select(
            *[column.column.label(f"value_{number}") for number, column in enumerate(columns.values())],
            *[column.label(f"key_{number}") for number, column in enumerate(key)],
        ).select_from(source.selectable)
        own = source.own_columns if source.table is not None else {}
        writers = {name: writer(column) for name, column in own.items()}
        prepared = Prepared(source, columns, converts, statement.order_by(*key), key, writers, {})
        return prepared._replace(refused=dict(self._find_refused(prepared)))

    def _find_source(self) -> Source:
        try:
            if is_query(self.source_name):
                return QuerySource(self.source_name, self._database.engine)
            return TableSource(self._database.table(self.source_name), self._database.tables)
        except ValueError as error:
            raise ValueError(f"`from` of {self.model._modelname!r}: {error}") from None

    def _resolved(self, source: Source, path: str) -> _Column:
        names = [name for name in self.model.model_fields if self._path_of(name) == path]
        try:
            column, keys = source.resolve(path)
        except ValueError as error:
            field = f" field {names[0]!r}" if names else ""
            raise ValueError(f"Model {self.model._modelname!r}{',' if field else ''}{field}: {error}") from None
        annotation = self.model.model_fields[names[0]].annotation if names else None
        return _Column(column, bool(keys), find_step(keys) or reader(column, annotation))

    @property
    def fields(self) -> list[str]:
        """Return the names of the fields."""
        return mapped_fields(self.model)

    def write_path_of(self, name: str) -> str | None:
        """Return the path to which a field is written; None if it is not written."""
        field = self.mapping.fields.get(name)
        if field is None or not (field.path or field.write or field.read_only or "value" in field.model_fields_set):
            return name
        return field.write_path

    def _path_of(self, name: str) -> str:
        field = self.mapping.fields.get(name)
        return (field.path if field else "") or name

    def _find_refused(self, prepared: Prepared) -> Iterator[tuple[str, str]]:
        """Yield the fields that cannot be written as declared."""
        for name in self._writers:
            path = self.write_path_of(name) or name
            column, *inside = keys_of(path)
            where = f"Field {name!r} of {self.model._modelname!r}"
            if inside:
                yield (
                    name,
                    f"{where} is read from {path!r}, and cannot be written there. Declare a reference, or `read_only: true`.",
                )
            elif column not in prepared.writers:
                yield (
                    name,
                    f"{where} is written to {column!r}, which is not a column. Columns are: {', '.join(prepared.writers)}.",
                )
            elif prepared.source.own_columns[column].computed is not None:
                yield name, f"{where}: the database computes the column {column!r}. Add `read_only: true`."


def _sent(column: Any, value: Any) -> Any:
    convert = writer(column)
    return value if convert is None or value is None else convert(value)


def _is_one_of(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]]) -> Any:
    if len(columns) == 1:
        return columns[0].in_([value for [value] in keys])
    return sa.tuple_(*columns).in_(keys)


def _is_null_or_equal(columns: Iterable[Any], key: tuple[Any, ...]) -> Any:
    pairs = zip(columns, key, strict=True)
    return sa.and_(*[column.is_(None) if value is None else column == value for column, value in pairs])
