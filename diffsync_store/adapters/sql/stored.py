"""Columns whose values are read and sent as the driver has them.

SQLite keeps a value of any type in any column. SQLAlchemy would fail at a date that is a number, which ends the whole load, read the
text `false` as true, and cut the digits of a number. MariaDB's TIME is a duration as well, which SQLAlchemy would make a time of day, and it would give a SET in any order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import partial
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

Convert = Callable[[Any], Any]

_MOMENTS = (sa.Date, sa.DateTime, sa.Time)
_NUMBERS = (int, float, Decimal)
_DAY = timedelta(days=1)
_EXACT = Context(prec=60)
_NOISE = 1e-14
"""How far a number may be from the decimals that its column declares: SQLite's numbers have 15 exact digits."""


class Stored(sa.types.UserDefinedType[Any]):
    """The type of such a column."""

    cache_ok = True

    def __init__(self, declared: Any) -> None:
        self.declared = declared
        """The type that the table declares."""


class Padded(sa.CHAR):
    """The type of a CHAR of PostgreSQL, which fills a text with blanks. They do not count there, and other databases do not send them."""


class Unreadable(str):
    """The text of a value that a field does not take, with the reason."""

    __slots__ = ("reason",)

    def __new__(cls, value: Any, reason: str) -> Self:
        found = super().__new__(cls, str(value))
        found.reason = reason
        return found

    reason: str


def declared(column: Any) -> Any:
    """Return the type that a table declares for a column."""
    return column.type.declared if isinstance(column.type, Stored) else column.type


def as_stored(kind: Any, dialect: str) -> Any:
    """Return the type with which a column of a table is read and written."""
    if dialect == "sqlite" and isinstance(kind, sa.Boolean | sa.JSON | sa.Date | sa.DateTime | sa.Time):
        return Stored(kind)
    if dialect == "sqlite" and isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        return Stored(kind)
    if dialect == "postgresql" and type(kind) is sa.CHAR:
        return Padded(kind.length)
    return Stored(kind) if isinstance(kind, mysql.TIME | mysql.SET) else kind


def stored_reader(column: Any, wanted: Any) -> Convert | None:
    """Return the function that converts a value of such a column for a field.

    Args:
        column: the column.
        wanted: the type of the field, without `Annotated` and `| None`; None for an expression.
    """
    kind = declared(column)
    if isinstance(kind, mysql.SET | mysql.TIME):
        return _mariadb_reader(column.name, kind, wanted)
    if isinstance(kind, sa.JSON):
        return parse_json
    if wanted in _NUMBERS and not isinstance(kind, sa.Numeric):
        return None
    if isinstance(kind, sa.Boolean):
        return None if wanted is str else _truth
    if isinstance(kind, sa.Numeric):
        return partial(_decimal, kind.scale)
    return partial(_moment, column.name, _PARSERS[_kind_of_moment(kind)], wanted in {date, datetime, time})


def _mariadb_reader(name: str, kind: Any, wanted: Any) -> Convert | None:
    if isinstance(kind, mysql.SET):
        return None if wanted is str else _members
    return None if wanted is timedelta else _span_as_text if wanted is str else partial(_time_of_day, name)


def stored_writer(kind: Any) -> Convert | None:
    """Return the function that converts a field's value for a column of this declared type.

    Raises:
        ValueError: (by the function) the value does not fit the column.
    """
    if isinstance(kind, sa.JSON):
        return json.dumps
    if isinstance(kind, mysql.SET):
        return _joined
    if isinstance(kind, mysql.TIME):
        return _as_span
    return _FORMATS[_kind_of_moment(kind)] if isinstance(kind, _MOMENTS) else None


def _kind_of_moment(kind: Any) -> Any:
    return next(each for each in _MOMENTS if isinstance(kind, each))


def parse_json(value: Any) -> Any:
    """Parse a text as JSON; return any other value unchanged."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # the model rejects it, or takes it as text


def _members(value: Any) -> Any:
    """Return a SET as a list, in the order of its declaration. No member has a comma in it."""
    return [each for each in value.split(",") if each] if isinstance(value, str) else value


def _joined(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _truth(value: Any) -> Any:
    return bool(value) if isinstance(value, int | float) else value


def _decimal(scale: int | None, value: Any) -> Any:
    """Return a number with all its digits; with those that the column declares if only the noise of a float is beside them."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return value
    exact = Decimal(repr(value))
    if scale is None:
        return exact
    rounded = exact.quantize(Decimal(1).scaleb(-scale), context=_EXACT) if abs(exact) < 1e40 else exact
    return rounded if rounded == exact or math.isclose(rounded, value, rel_tol=_NOISE) else exact


def _moment(name: str, parse: Callable[[str], Any], is_wanted: bool, value: Any) -> Any:
    if isinstance(value, str):
        try:
            return parse(value)
        except ValueError:
            return value  # the model rejects it, or takes it as text
    if is_wanted and isinstance(value, int | float):
        return Unreadable(
            value,
            f"The column {name!r} contains the number {value}, which is no date or time by itself. "
            "Declare the field as `number`, or read a query with SQLite's functions: datetime(…, 'auto').",
        )
    return value


_PARSERS: Mapping[Any, Callable[[str], Any]] = {
    sa.Date: date.fromisoformat,
    sa.DateTime: datetime.fromisoformat,
    sa.Time: time.fromisoformat,
}


def _in_utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _if_text(convert: Callable[[str], Any]) -> Convert:
    return lambda value: convert(value) if isinstance(value, str) else value


_FORMATS: Mapping[Any, Convert] = {
    sa.Date: _if_text(lambda text: date.fromisoformat(text).isoformat()),
    sa.DateTime: _if_text(lambda text: _in_utc(text).isoformat(" ", "microseconds")),
    sa.Time: _if_text(lambda text: time.fromisoformat(text).isoformat("microseconds")),
}


def _span_as_text(value: Any) -> Any:
    if not isinstance(value, timedelta):
        return value
    seconds, rest = divmod(abs(value), timedelta(seconds=1))
    fraction = f".{rest.microseconds:06}" if rest else ""
    sign = "-" if value < timedelta() else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _time_of_day(name: str, value: Any) -> Any:
    if not isinstance(value, timedelta):
        return value
    if timedelta() <= value < _DAY:
        return (datetime.min.replace(tzinfo=UTC) + value).time()
    return Unreadable(
        _span_as_text(value),
        f"The column {name!r} contains {_span_as_text(value)}, which is no time of day. Declare the field as `duration`.",
    )


def _as_span(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    return time.fromisoformat(value) if isinstance(value, str) else value
