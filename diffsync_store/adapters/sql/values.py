"""Values of columns: how they become values of a model's field, and how those are written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args, get_origin
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import NullType

from diffsync_store.adapters.sql.stored import Convert, Padded, Stored, parse_json, stored_reader, stored_writer

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BINARY = (sa.LargeBinary, sa.BINARY, sa.VARBINARY)


def reader(column: Any, annotation: Any) -> Convert | None:
    """Return the function that converts a column's value for a field; None if no conversion is needed.

    Text that the field wants as JSON is parsed, bytes become hexadecimal text, and what a text field does not take becomes text.
    """
    kind = column.type
    if isinstance(kind, _BINARY):
        return _hexadecimal
    wanted = bare(annotation)
    if isinstance(kind, Stored):
        return _for_text(stored_reader(column, wanted)) if wanted is str else stored_reader(column, wanted)
    if isinstance(kind, sa.String | NullType) and (wanted is JsonValue or get_origin(wanted) in {list, dict}):
        return parse_json
    if isinstance(kind, Padded):
        return _without_blanks
    if wanted is not str or isinstance(kind, sa.String | sa.Integer | sa.Numeric):
        return None
    return _text


def writer(column: sa.Column[Any]) -> Convert | None:
    """Return the function that converts a field's value for a column; None if no conversion is needed.

    Raises:
        ValueError, TypeError: (by the function) the value does not fit the column.
    """
    kind = column.type
    if isinstance(kind, Stored):
        return stored_writer(kind.declared)
    if isinstance(kind, sa.DateTime):
        return _aware if kind.timezone else _naive
    if isinstance(kind, sa.String) and kind.length == len(UUID(int=0).hex):
        return _as_short_text
    for type_class, convert in _WRITERS.items():
        if isinstance(kind, type_class):
            return convert
    return None


def key_writer(column: sa.Column[Any]) -> Convert | None:
    """Return the function that converts a value of a primary key, as it was kept, for a statement; None for a value as it is."""
    return None if isinstance(column.type, Stored) else writer(column)


def key_form(value: Any) -> JsonValue:
    """Return a value of a primary key as JSON."""
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text: str = _text(value)
    return text


def bare(annotation: Any) -> Any:
    """Return the type of an annotation without `Annotated` and `| None`."""
    while not isinstance(annotation, type) and annotation is not JsonValue:
        members = [member for member in get_args(annotation) if member is not type(None)]
        if get_origin(annotation) in {list, dict} or not members:
            break
        if hasattr(annotation, "__metadata__") or len(members) == 1:
            annotation = members[0]
            continue
        break
    return annotation


def _hexadecimal(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else value


def _text(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value if value is None or isinstance(value, bool) else str(value)


def _without_blanks(value: Any) -> Any:
    return value.rstrip(" ") if isinstance(value, str) else value


def _for_text(convert: Convert | None) -> Convert:
    return _text if convert is None else lambda value: _text(convert(value))


def _if_text(convert: Callable[[str], Any]) -> Convert:
    return lambda value: convert(value) if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value if value is None or isinstance(value, str | bytes) else str(value)


def _as_short_text(value: Any) -> Any:
    """Return a UUID without hyphens if the column is too short for them."""
    return value.replace("-", "") if isinstance(value, str) and _UUID.fullmatch(value) else _as_text(value)


def _aware(value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) and moment.tzinfo is None else moment


def _naive(value: Any) -> Any:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC).replace(tzinfo=None) if isinstance(moment, datetime) and moment.tzinfo else moment


def _duration(value: Any) -> Any:
    return timedelta(seconds=value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _boolean(value: Any) -> Any:
    return bool(value) if isinstance(value, int) else value


_WRITERS: Mapping[type[Any], Convert] = {
    sa.Date: _if_text(date.fromisoformat),
    sa.Time: _if_text(time.fromisoformat),
    sa.Interval: _duration,
    postgresql.INTERVAL: _duration,
    sa.Float: _if_text(float),
    sa.Numeric: _if_text(Decimal),
    sa.Boolean: _boolean,
    sa.Integer: _if_text(int),
    sa.Uuid: _if_text(UUID),
    **dict.fromkeys(_BINARY, _if_text(bytes.fromhex)),
    sa.Enum: lambda value: value,
    sa.String: _as_text,
}
"""In this order: a class stands before those that it extends."""
