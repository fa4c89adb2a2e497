"""The types that a declared field may have: a closed set of names, each with one form of its values.

    str  int  float  number  decimal  bool  date  time  datetime  duration  uuid  ip  interface  network  mac  json
    list[TYPE]      a list of these
    TYPE?           may be null

Every type has one form of each value, so that two systems that write the same value differently compare as equal. Addresses are
text in their shortest form, MAC addresses are text as `00:1b:44:11:3a:b7`, a `datetime` is in UTC (one without a time zone is read
as UTC), a `number` is a float that is written without a fraction where it has none.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, JsonValue

from diffsync_store.suggestion import did_you_mean

_LIST = re.compile(r"list\[(.+)\]")
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", re.IGNORECASE)
_MAC_SEPARATORS = re.compile(r"[-:. ]")
_MAC_DIGITS = re.compile(r"[0-9a-f]{12}|[0-9a-f]{16}")


class UnknownType(ValueError):
    """A field is declared with a type that does not exist."""


def _text(value: Any) -> Any:
    """Numbers become text as a person writes them; pydantic refuses everything else that is no text."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return str(value)


def _mac(value: Any) -> str:
    groups = _MAC_SEPARATORS.split(str(value).strip().lower().removeprefix("0x"))
    are_bytes = len(groups) in {6, 8} and all(len(group) in {1, 2} for group in groups)
    digits = "".join(group.zfill(2) if are_bytes else group for group in groups)
    if not _MAC_DIGITS.fullmatch(digits):
        raise ValueError(f"{value!r} is not a MAC address.")
    return ":".join(re.findall("..", digits))


def _address_form(make: Callable[[str], Any]) -> Callable[[Any], str]:
    def form(value: Any) -> str:
        return str(make("/".join(str(value).split())))  # a mask may follow a blank: `10.0.0.1 255.255.255.0`

    return form


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _seconds(value: Any) -> Any:
    """A text that is a number has seconds, as a number has: files and columns of text hold a duration so."""
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else value


def _network(text: str) -> Any:
    return ipaddress.ip_network(text, strict=False)


_NAMED: dict[str, Any] = {
    "str": Annotated[str, BeforeValidator(_text)],
    "int": int,
    "float": float,
    "number": float,
    "decimal": Decimal,
    "bool": bool,
    "date": date,
    "time": time,
    "datetime": Annotated[datetime, AfterValidator(_in_utc)],
    "duration": Annotated[timedelta, BeforeValidator(_seconds)],
    "uuid": UUID,
    "ip": Annotated[str, BeforeValidator(_address_form(ipaddress.ip_address))],
    "interface": Annotated[str, BeforeValidator(_address_form(ipaddress.ip_interface))],
    "network": Annotated[str, BeforeValidator(_address_form(_network))],
    "mac": Annotated[str, BeforeValidator(_mac)],
    "json": JsonValue,
}

TYPE_NAMES = tuple(_NAMED)

_PAYLOAD_FORMS: dict[type, Callable[[Any], Any]] = {
    float: lambda number: int(number) if number.is_integer() else number,
    date: lambda moment: moment.isoformat(),  # a datetime is one too
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
}


def annotation_of(name: str) -> Any:
    """Return the pydantic annotation for the name of a type.

    Raises:
        UnknownType: there is no such type.
    """
    name = name.strip()
    if name.endswith("?"):
        return annotation_of(name[:-1]) | None
    items = _LIST.fullmatch(name)
    if items:
        return list[annotation_of(items[1])]  # type: ignore[misc]  # the item's type is known at run time only
    if name not in _NAMED:
        raise UnknownType(
            f"There is no type {name!r}.{did_you_mean(name, TYPE_NAMES)} Use one of {', '.join(TYPE_NAMES)}, `list[TYPE]`, or `TYPE?` for null."
        )
    return _NAMED[name]


def payload_form(value: Any) -> Any:
    """Return a field's value in the form of JSON APIs: whole numbers without a fraction, dates as text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list):
        return [payload_form(item) for item in value]
    if isinstance(value, dict):
        return {key: payload_form(item) for key, item in value.items()}
    for kind, form in _PAYLOAD_FORMS.items():
        if isinstance(value, kind):
            return form(value)
    return str(value)
