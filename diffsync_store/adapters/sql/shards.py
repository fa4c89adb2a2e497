"""The rows of a shard: those with certain values in a column, or with values of a range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from diffsync_store.adapters.shards import MOST_SHARDS, Part, Scalar
from diffsync_store.adapters.sql.source import Source
from diffsync_store.adapters.sql.stored import declared
from diffsync_store.adapters.sql.values import key_form, reader, writer

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_STEPS = 8
"""Steps of a key for each shard of `auto`, so that the shards have about the same width."""


def condition(column: Any, part: Part) -> Any:
    """Return the condition for the rows of a shard.

    Raises:
        ValueError: a value does not fit the column.
    """
    if not part.is_range:
        values = [_sent(column, value) for value in part.values if value is not None]
        has_null = [column.is_(None)] if None in part.values else []
        return sa.or_(column.in_(values), *has_null)
    start = [] if part.start is None else [column >= _sent(column, part.start)]
    end = [] if part.end is None else [column < _sent(column, part.end)]
    inside = sa.and_(*start, *end)
    return inside if start else sa.or_(inside, column.is_(None))


def outside(column: Any, parts: Iterable[Part]) -> Any:
    """Return the condition for the rows of no shard."""
    inside = sa.or_(*[condition(column, part) for part in parts])
    return sa.case((inside, 0), else_=1) == 1  # also true where a comparison with null is neither true nor false


def counting(selectable: Any, chosen: Any) -> sa.Select[Any]:
    """Return the statement that counts the rows which fit a condition."""
    return sa.select(sa.func.count()).select_from(selectable).where(chosen)


def values(connection: sa.Connection, source: Source, column: Any) -> Sequence[Scalar]:
    """Return the values of a column, in the database's order. Of a column with many numbers, evenly spread ones."""
    if isinstance(column.type, sa.Integer):
        bounds = sa.select(sa.func.min(column), sa.func.max(column), sa.func.count(sa.distinct(column)))
        first, last, number = connection.execute(bounds.select_from(source.selectable)).one()
        if number > MOST_SHARDS:
            return range(first, last + 1, max((last - first) // (MOST_SHARDS * _STEPS), 1))
    found = connection.execute(sa.select(column).distinct().select_from(source.selectable).order_by(column))
    convert = reader(column, None)
    return [_scalar(value if convert is None else convert(value)) for value in found.scalars()]


def _scalar(value: Any) -> Scalar:
    found = key_form(value)
    return found if isinstance(found, str | int | float | bool) else None


def _sent(column: Any, value: Scalar) -> Any:
    if isinstance(declared(column), sa.Boolean) and isinstance(value, str):
        return _BOOLEANS[value]
    convert = writer(column)
    return value if convert is None else convert(value)
