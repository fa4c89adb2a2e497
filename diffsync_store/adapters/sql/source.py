"""Where the records of a model come from: a table with those that its foreign keys lead to, or a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from diffsync_store.adapters.sql.stored import declared, parse_json
from diffsync_store.adapters.sql.tables import ForeignKey, Tables
from diffsync_store.mapping.paths import compile_getter, keys_of
from diffsync_store.suggestion import did_you_mean

_QUERY = re.compile(r"\s*(select|with)\s", re.IGNORECASE)
_OPAQUE = (sa.JSON, sa.String)
"""Types of columns that may contain JSON, into which a path can lead."""

Step = Callable[[Any], Any]


def is_query(source: str) -> bool:
    """True for a query, False for the name of a table."""
    return bool(_QUERY.match(source))


class Source:
    """What a model is read from.

    Args:
        name: the table or the query, for messages.
    """

    table: sa.Table | None = None
    """The table; None for a query."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.selectable: Any = None

    @property
    def own_columns(self) -> dict[str, Any]:
        """Return the columns by their names."""
        raise NotImplementedError

    def resolve(self, path: str) -> tuple[Any, list[str]]:
        """Return the column of a path, and the keys inside its value.

        Raises:
            ValueError: there is no such column.
        """
        keys = keys_of(path)
        columns = self.own_columns
        for name in (path, keys[0]):
            if name in columns and (name == path or len(keys) == 1 or isinstance(declared(columns[name]), _OPAQUE)):
                return columns[name], [] if name == path else keys[1:]
        return self._resolve_further(path, keys)

    def _resolve_further(self, path: str, keys: list[str]) -> tuple[Any, list[str]]:
        raise ValueError(_no_column(self.name, path, self.own_columns))


class QuerySource(Source):
    """A query of the project's file."""

    def __init__(self, query: str, engine: sa.Engine) -> None:
        super().__init__("query")
        text = query.strip().rstrip(";")  # a line break behind it ends a comment
        with engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT * FROM (\n{_escaped(text)}\n) AS query WHERE 1 = 0"))  # noqa: S608  # the file's own query
            names = list(found.keys())
        self.selectable = sa.text(f"{_escaped(text)}\n").columns(*[sa.column(name) for name in names]).subquery("query")

    @property
    def own_columns(self) -> dict[str, Any]:
        return dict(self.selectable.columns.items())

    def _resolve_further(self, path: str, keys: list[str]) -> tuple[Any, list[str]]:
        column = self.own_columns.get(keys[0])
        return (column, keys[1:]) if column is not None else super()._resolve_further(path, keys)


class TableSource(Source):
    """A table or view, joined with the tables that paths lead to."""

    def __init__(self, table: sa.Table, tables: Tables) -> None:
        super().__init__(f"table {table.name!r}")
        self.table: sa.Table = table
        self.selectable = table
        self._tables = tables
        self._joined: dict[tuple[str, ...], tuple[sa.Table, Any]] = {(): (table, table)}
        """By the path to them: the tables, and the aliases under which they are joined."""

    @property
    def own_columns(self) -> dict[str, Any]:
        return dict(self.table.columns.items())

    def _resolve_further(self, path: str, keys: list[str]) -> tuple[Any, list[str]]:
        *above, name = keys
        if not above:
            return super()._resolve_further(path, keys)
        table, alias = self._follow(path, tuple(above))
        if name not in alias.c:
            raise ValueError(_no_column(f"table {table.name!r}", name, dict(alias.c)))
        return alias.c[name], []

    def _follow(self, path: str, above: tuple[str, ...]) -> tuple[sa.Table, Any]:
        if above not in self._joined:
            table, alias = self._follow(path, above[:-1])
            key = self._tables.foreign_key(table, above[-1])
            if key is None:
                raise ValueError(_no_foreign_key(table, path, above[-1], self._tables.foreign_keys(table)))
            target = key.target.alias(f"joined_{len(self._joined)}")
            pairs = zip(key.columns, key.target_columns, strict=True)
            condition = sa.and_(*[alias.c[own] == target.c[other] for own, other in pairs])
            self.selectable = self.selectable.outerjoin(target, condition)
            self._joined[above] = key.target, target
        return self._joined[above]

    def foreign_key_columns(self, target: str) -> Sequence[str]:
        """Return the columns that a reference is written to, in the order of the other table's primary key.

        Args:
            target: a column, several with commas between them, or what names a foreign key in a path.

        Raises:
            ValueError: there are no such columns.
        """
        if "," in target:
            named = [name.strip() for name in target.split(",")]
            for name in named:
                self.resolve(name)
            return named
        key = self._tables.foreign_key(self.table, target)
        if key is not None:
            return key.ordered_as([column.name for column in key.target.primary_key.columns])
        for name in (target, f"{target}_id"):
            if name in self.table.c:
                return [name]
        raise ValueError(_no_foreign_key(self.table, target, target, self._tables.foreign_keys(self.table)))


def find_step(keys: Sequence[str]) -> Step | None:
    """Return the function that reads a value inside a JSON column; None for the column itself."""
    if not keys:
        return None
    get = compile_getter(".".join(f'"{key}"' for key in keys))

    def step(value: Any) -> Any:
        parsed = parse_json(value)
        return get(parsed, None) if isinstance(parsed, dict) else None

    return step


def _escaped(query: str) -> str:
    """Return a query for `sa.text`, which would take `:name` as a parameter; `::type` stays."""
    return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", query)


def _no_column(where: str, path: str, columns: Iterable[str]) -> str:
    names = [*columns]
    return f"The {where} has no column {path!r}.{did_you_mean(path, names)} Its columns are: {', '.join(names)}."


def _no_foreign_key(table: sa.Table, path: str, head: str, keys: Sequence[ForeignKey]) -> str:
    known = ", ".join(f"{', '.join(key.columns)} → {key.target.name}" for key in keys) or "none"
    return f"The table {table.name!r} has no foreign key {head!r} for the path {path!r}. Its foreign keys are: {known}."
