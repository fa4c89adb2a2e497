"""Types of the standard library without parts, such as `Decimal` and `datetime`: how JSON represents them."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import re
import uuid
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import TzInfo

from diffsync_store.values.errors import NotStorable, Unreadable
from diffsync_store.values.plain import PLAIN, packed_scalar, unpacked_scalar


@dataclass(frozen=True, slots=True)
class Atom:
    """How values of one type are written and read."""

    tag: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _text_of(tag: str, kind: Any) -> Atom:
    return Atom(tag, str, kind)


def _written_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _zone(value: Any) -> Any:
    """Return a time zone as JSON: a zoneinfo key, or an offset, with its name if it is not the default one."""
    zone = value.tzinfo
    if zone is None:
        return None
    if type(zone) is zoneinfo.ZoneInfo and zone.key:
        return zone.key
    if type(zone) is dt.timezone:
        seconds = zone.utcoffset(None).total_seconds()
        name = zone.tzname(None)
        return (
            ["fixed", seconds]
            if dt.timezone(dt.timedelta(seconds=seconds)).tzname(None) == name
            else ["fixed", seconds, packed_scalar(name, str)]
        )
    offset = value.utcoffset()
    if type(zone) is TzInfo:
        return ["pydantic", offset.total_seconds()]
    if offset is None or value.replace(fold=1 - value.fold).utcoffset() != offset:
        raise NotStorable(f"has a time zone of type {type(zone).__module__}.{type(zone).__qualname__}: use zoneinfo")
    return ["fixed", offset.total_seconds()]


_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


def _read_zone(zone: Any) -> dt.tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        if not _ZONE_KEY.fullmatch(zone):
            raise Unreadable(f"{zone!r} is not a time zone key")
        return zoneinfo.ZoneInfo(zone)
    if zone[0] == "pydantic":
        return TzInfo(int(zone[1]))
    offset = dt.timedelta(seconds=zone[1])
    if len(zone) > 2:
        return dt.timezone(offset, unpacked_scalar(zone[2]))
    return dt.timezone(offset) if offset else dt.UTC


def _written_moment(value: Any) -> list[Any]:
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, _zone(value)]


def _moment_reader(kind: Any) -> Callable[[Any], Any]:
    def read(content: Any) -> Any:
        text, fold, zone = content
        return kind.fromisoformat(text).replace(fold=fold, tzinfo=_read_zone(zone))

    return read


_PATHS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
}


def _written_path(value: Any) -> list[Any]:
    return [type(value).__name__, packed_scalar(str(value), str)]


ATOMS: dict[type[Any], Atom] = {
    bytes: Atom("~bytes", _written_bytes, base64.b64decode),
    bytearray: Atom("~bytearray", _written_bytes, lambda text: bytearray(base64.b64decode(text))),
    complex: Atom("~complex", lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
    decimal.Decimal: _text_of("~decimal", decimal.Decimal),
    fractions.Fraction: _text_of("~fraction", fractions.Fraction),
    dt.datetime: Atom("~datetime", _written_moment, _moment_reader(dt.datetime)),
    dt.time: Atom("~time", _written_moment, _moment_reader(dt.time)),
    dt.date: _text_of("~date", dt.date.fromisoformat),
    dt.timedelta: Atom(
        "~timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: dt.timedelta(parts[0], parts[1], parts[2]),
    ),
    uuid.UUID: _text_of("~uuid", uuid.UUID),
    ipaddress.IPv4Address: _text_of("~ipv4", ipaddress.IPv4Address),
    ipaddress.IPv6Address: _text_of("~ipv6", ipaddress.IPv6Address),
    ipaddress.IPv4Network: _text_of("~ipv4net", ipaddress.IPv4Network),
    ipaddress.IPv6Network: _text_of("~ipv6net", ipaddress.IPv6Network),
    ipaddress.IPv4Interface: _text_of("~ipv4if", ipaddress.IPv4Interface),
    ipaddress.IPv6Interface: _text_of("~ipv6if", ipaddress.IPv6Interface),
} | dict.fromkeys(
    _PATHS.values(), Atom("~path", _written_path, lambda parts: _PATHS[parts[0]](unpacked_scalar(parts[1])))
)

SAFE = PLAIN | ATOMS.keys() - {dt.datetime, dt.time}
"""Types whose values `pack` never refuses."""

READ_ATOMS: dict[str, Callable[[Any], Any]] = {atom.tag: atom.read for atom in ATOMS.values()}
