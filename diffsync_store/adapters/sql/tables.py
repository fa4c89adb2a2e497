"""Tables of a database as it describes them, and the foreign keys between them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import NamedTuple

import sqlalchemy as sa

from diffsync_store.adapters.sql.errors import one_line_errors
from diffsync_store.adapters.sql.stored import as_stored


class ForeignKey(NamedTuple):
    """Columns of a table that name a row of another."""

    name: str
    columns: tuple[str, ...]
    target: sa.Table
    target_columns: tuple[str, ...]

    def ordered_as(self, wanted: Sequence[str]) -> list[str]:
        """Its columns in the order of these columns of the other table.

        Raises:
            ValueError: it leads to other columns.
        """
        by_target = dict(zip(self.target_columns, self.columns, strict=True))
        if by_target.keys() != set(wanted):
            raise ValueError(
                f"The foreign key {', '.join(self.columns)} leads to {', '.join(self.target_columns)} of {self.target.name!r}, "
                f"not to its primary key."
            )
        return [by_target[name] for name in wanted]


class Tables:
    """The tables of one database; each is described once. Threads may share it.

    Args:
        database: what describes them: the engine, or the connection of a transaction, which also sees the tables that it has created.
    """

    def __init__(self, database: sa.Engine | sa.Connection) -> None:
        self._database = database
        self._metadata = sa.MetaData()
        self._foreign_keys: dict[str, list[ForeignKey]] = {}
        self._lock = RLock()

    def find(self, name: str) -> sa.Table | None:
        """Return the table or view of a name, `table` or `schema.table`; None if there is none."""
        with self._lock:
            schema, _, last = name.rpartition(".")
            for place in dict.fromkeys([(None, name), (schema or None, last)]):
                try:
                    return self._reflected(last if place[0] else place[1], place[0])
                except sa.exc.NoSuchTableError:
                    continue
        return None

    def names(self, name: str) -> list[str]:
        """Return the names of tables and views beside a table: in its schema, or in the default one."""
        schema = name.rpartition(".")[0] or None
        with one_line_errors():
            return self._names(schema)

    def _names(self, schema: str | None) -> list[str]:
        inspector = sa.inspect(self._database)
        if schema not in inspector.get_schema_names():
            schema = None
        found = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        return sorted(f"{schema}.{each}" if schema else each for each in found)

    def foreign_key(self, table: sa.Table, head: str) -> ForeignKey | None:
        """Return the foreign key of a table that a path names; None if there is none.

        It is named by its column, with or without `_id`, by its constraint, or by the table that it leads to.

        Raises:
            ValueError: several foreign keys have this name.
        """
        keys = self.foreign_keys(table)
        for matches in (
            [key for key in keys if key.columns in {(head,), (f"{head}_id",)}],
            [key for key in keys if key.name == head],
            [key for key in keys if key.target.name == head],
        ):
            if len(matches) > 1:
                columns = " and ".join(", ".join(key.columns) for key in matches)
                raise ValueError(f"Several foreign keys of {table.name!r} fit {head!r}: {columns}. Name a column.")
            if matches:
                return matches[0]
        return None

    def foreign_keys(self, table: sa.Table) -> list[ForeignKey]:
        """Return the foreign keys of a table."""
        with self._lock:
            if table.key not in self._foreign_keys:
                with one_line_errors():
                    found = sa.inspect(self._database).get_foreign_keys(table.name, table.schema)
                self._foreign_keys[table.key] = [
                    ForeignKey(
                        key["name"] or "",
                        tuple(key["constrained_columns"]),
                        self._reflected(key["referred_table"], key["referred_schema"]),
                        tuple(key["referred_columns"]),
                    )
                    for key in found
                ]
            return self._foreign_keys[table.key]

    def unique_keys(self, table: sa.Table) -> list[tuple[str, ...]]:
        """Sets of columns that identify a row: the primary key first."""
        with one_line_errors():
            unique = unique_keys(sa.inspect(self._database), table.name, table.schema)
        return list(dict.fromkeys([tuple(column.name for column in table.primary_key.columns), *unique]))

    def _reflected(self, name: str, schema: str | None) -> sa.Table:
        with _without_warnings(), one_line_errors():
            table = sa.Table(name, self._metadata, schema=schema, autoload_with=self._database, resolve_fks=False)
        _simplify(table, self._database.dialect.name)
        return table


def unique_keys(inspector: sa.Inspector, name: str, schema: str | None = None) -> list[tuple[str, ...]]:
    """Return the sets of columns of a table in which no two rows are equal; the primary key may be among them."""
    # SQLite has an index for each UNIQUE, also where SQLAlchemy does not understand the text of the table: `VARCHAR(50) UNIQUE`.
    options = {"include_auto_indexes": True} if inspector.dialect.name == "sqlite" else {}
    with _without_warnings():
        found = [tuple(key["column_names"]) for key in inspector.get_unique_constraints(name, schema)]
        indexes = inspector.get_indexes(name, schema, **options)
    for index in indexes:
        columns = [column for column in index["column_names"] if column is not None]
        is_partial = any(option.endswith("_where") for option in index.get("dialect_options", ()))
        if index["unique"] and not is_partial and len(columns) == len(index["column_names"]):
            found.append(tuple(columns))
    return list(dict.fromkeys(found))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep SQLAlchemy's warnings about what it does not describe from the user."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Did not recognize type", sa.exc.SAWarning)  # it is read as text
        warnings.filterwarnings(
            "ignore", "Skipped unsupported reflection", sa.exc.SAWarning
        )  # the index of an expression
        yield


def _simplify(table: sa.Table, dialect: str) -> None:
    """Let SQLAlchemy read the ids of many new rows by one statement, read values as they are, and write null as null in JSON columns."""
    for column in table.columns:
        column.type = as_stored(column.type, dialect)
        if isinstance(column.type, sa.JSON):
            column.type.none_as_null = True
    for column in table.primary_key.columns:
        column.nullable = False  # SQLite says otherwise
        if isinstance(column.server_default, sa.DefaultClause) and "nextval(" in str(column.server_default.arg):
            column.server_default = None  # a number that the database counts
