"""Numbers and times as JSON that is equal only for equal values, across types."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any


def comparable_float(value: float) -> Any:
    """Return a float as JSON that equals that of an equal integer or `Decimal`."""
    if value.is_integer():
        return int(value)
    return value if math.isfinite(value) else {"~float": repr(value)}


_MAX_DIGITS = 400
"""Maximum digits of a whole `Decimal` that is compared as an integer. No float has more."""


def comparable_decimal(value: decimal.Decimal) -> Any:
    """Return a `Decimal` as JSON that equals that of an equal number."""
    if not value.is_finite():
        return {"~float": str(value).lower().lstrip("+")} if value.is_infinite() else {"~decimal": str(value)}
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  # for the type checker: the value is finite
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return 0
    exponent += len(text) - len(stripped)
    if exponent >= 0 and len(stripped) + exponent <= _MAX_DIGITS:
        return (-1 if sign else 1) * int(stripped) * 10**exponent
    return {"~decimal": f"{'-' if sign else ''}{stripped}e{exponent}"}


_EPOCH = dt.datetime.min  # noqa: DTZ901  # compared with naive datetimes

_MICROSECOND = dt.timedelta(microseconds=1)


def comparable_datetime(value: dt.datetime) -> Any:
    """Return a datetime as JSON; in any time zone, equal instants are equal."""
    naive, offset = value.replace(tzinfo=None, fold=0), value.utcoffset()
    if offset is None:
        return {"~datetime": naive.isoformat()}
    if value.replace(fold=1 - value.fold).utcoffset() != offset:  # PEP 495: equals no time of another zone
        return {"~datetime": [naive.isoformat(), str(value.tzinfo)]}
    return {"~instant": (naive - _EPOCH - offset) // _MICROSECOND}


def comparable_time(value: dt.time) -> Any:
    """Return a time as JSON; with any offset, equal times are equal."""
    offset = value.utcoffset()
    if offset is None:
        return {"~time": value.replace(tzinfo=None, fold=0).isoformat()}
    since = dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return {"~time": (since - offset) // _MICROSECOND}
