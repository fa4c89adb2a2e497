"""Statements for the rows of a batch, and the search for rows that the database refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from diffsync_store.adapters.sql.errors import is_transient
from diffsync_store.adapters.sql.values import key_form, key_writer

Answer = Any
Row = Mapping[str, Any]
Run = Callable[[sa.Connection, Sequence[Any]], list[Answer]]

KEYS_PER_STATEMENT = 500
"""Rows that one statement names by their primary key. SQLite takes 32,766 parameters."""

_OF_ROW = (sa.exc.StatementError, ValueError, TypeError, ArithmeticError)
"""What the database or its driver says of a row; a driver raises its own for values that it cannot send."""


def run_by_halves(
    connection: sa.Connection, run: Run, rows: Sequence[Any], refuse: Callable[[Any, Exception], Exception]
) -> list[Answer]:
    """Write rows within a savepoint. If the database refuses a row, find it by halves, and write the others.

    Args:
        connection: in a transaction.
        run: writes some rows; returns an answer for each.
        rows: the rows.
        refuse: the answer for a row that is refused, from the error.

    Raises:
        sqlalchemy.exc.DBAPIError: the database gave up or is gone; nothing of the transaction is done.
    """
    try:
        with connection.begin_nested():
            return run(connection, rows)
    except _OF_ROW as error:
        if isinstance(error, sa.exc.DBAPIError) and is_transient(error):
            raise
        if len(rows) == 1:
            return [refuse(rows[0], error)]
    half = len(rows) // 2
    return run_by_halves(connection, run, rows[:half], refuse) + run_by_halves(connection, run, rows[half:], refuse)


def insert(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Row], make: Callable[[Iterable[str]], Any]
) -> list[Answer]:
    """Insert rows; return the primary key of each.

    Args:
        connection: in a transaction.
        table: the table.
        rows: the values by column.
        make: makes the statement for rows with these columns.
    """
    keys: list[Answer] = [None] * len(rows)
    for names, numbers in _alike(rows):
        found = _insert_alike(connection, table, [rows[number] for number in numbers], make(names))
        for number, key in zip(numbers, found, strict=True):
            keys[number] = key
    return keys


def _insert_alike(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], statement: Any) -> Iterable[Answer]:
    key = list(table.primary_key.columns)
    if all(column.name in rows[0] for column in key):
        connection.execute(statement, [dict(row) for row in rows])
        return [[key_form(row[column.name]) for column in key] for row in rows]
    if connection.dialect.insert_executemany_returning_sort_by_parameter_order:
        returning = statement.returning(*key, sort_by_parameter_order=True)
        found = connection.execute(returning, [dict(row) for row in rows]).all()
        if len(found) < len(rows):
            raise ValueError("The database did not insert the row: a trigger, a rule or a constraint drops it.")
        return [[key_form(value) for value in row] for row in found]
    return [list(map(key_form, _inserted_key(connection.execute(statement, dict(row))))) for row in rows]


def _inserted_key(result: sa.CursorResult[Any]) -> Iterable[Any]:
    return result.inserted_primary_key or ()


def update(connection: sa.Connection, table: sa.Table, changes: Sequence[tuple[Any, Row]]) -> list[bool]:
    """Change rows, each by its primary key; return for each whether the table has it."""
    is_there = [True] * len(changes)
    parameters = {column.name: f"{_unused(table)}{number}" for number, column in enumerate(table.primary_key.columns)}
    for names, numbers in _alike([row for _, row in changes]):
        some = [changes[number] for number in numbers]
        if names:
            condition = [column == sa.bindparam(parameters[column.name]) for column in table.primary_key.columns]
            statement = table.update().where(*condition).values({name: sa.bindparam(name) for name in names})
            keys = _key_values(table, [key for key, _ in some])
            done = connection.execute(
                statement,
                [
                    {**row, **dict(zip(parameters.values(), key, strict=True))}
                    for key, (_, row) in zip(keys, some, strict=True)
                ],
            )
            if done.rowcount == len(some):
                continue
        keys = _key_values(table, [key for key, _ in some])
        present = _present(connection, table, keys)
        for number, key in zip(numbers, keys, strict=True):
            is_there[number] = _hashable(key) in present
    return is_there


def key_after(table: sa.Table, key: Sequence[Any], changes: Row) -> list[Any]:
    """Return the primary key that a row has after these changes."""
    pairs = zip(table.primary_key.columns, key, strict=True)
    return [key_form(changes[column.name]) if column.name in changes else value for column, value in pairs]


def delete(connection: sa.Connection, table: sa.Table, keys: Sequence[Any]) -> None:
    """Delete the rows with these primary keys."""
    for part in in_parts(keys):
        done = connection.execute(table.delete().where(rows_with_keys(table, part)))
        if done.rowcount < len(part) and _present(connection, table, _key_values(table, part)):
            raise ValueError(
                "The row is still there after it was deleted: a trigger or a rule of the database keeps it."
            )


def _present(connection: sa.Connection, table: sa.Table, keys: Sequence[Any]) -> set[Any]:
    found: set[Any] = set()
    for part in in_parts(keys):
        rows = connection.execute(sa.select(*table.primary_key.columns).where(_has_key(table, part)))
        found.update(_hashable(row) for row in rows)
    return found


def rows_with_keys(table: sa.Table, keys: Sequence[Any]) -> Any:
    """Return the condition for the rows with these primary keys, as they were kept."""
    return _has_key(table, _key_values(table, keys))


def _has_key(table: sa.Table, keys: Sequence[Any]) -> Any:
    columns = list(table.primary_key.columns)
    if len(columns) == 1:
        return columns[0].in_([value for [value] in keys])
    return sa.tuple_(*columns).in_(keys)


def _key_values(table: sa.Table, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Keys that were kept as JSON, as values for their columns."""
    converts = [key_writer(column) or _as_it_is for column in table.primary_key.columns]
    return [tuple(convert(value) for convert, value in zip(converts, key, strict=True)) for key in keys]


def _as_it_is(value: Any) -> Any:
    return value


def _hashable(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(str(key_form(value)) for value in values)


def _unused(table: sa.Table) -> str:
    """Return a prefix that no column's name has."""
    prefix = "key_"
    while any(column.name.startswith(prefix) for column in table.columns):
        prefix += "_"
    return prefix


def in_parts(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield as many keys at a time as a statement may name."""
    for start in range(0, len(keys), KEYS_PER_STATEMENT):
        yield keys[start : start + KEYS_PER_STATEMENT]


def _alike(rows: Iterable[Row]) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Yield the numbers of the rows that have the same columns, with these columns."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(tuple(sorted(row)), []).append(number)
    yield from groups.items()
