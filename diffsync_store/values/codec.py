"""Convert values to JSON and back. The result is equal and has the same type. Model classes are not needed.

`None`, `bool`, `int`, `float`, `str`, a `list` and a `dict` with string keys are written unchanged. Every other value becomes a
dict with one key, a *tag*, such as `{"~decimal": "1.50"}`. The tags are a closed set. A value of a custom class, such as an
enumeration, is written with the name of the class. It is read as that class if the caller's `find` returns the class for this
name, otherwise as a `StandIn`. Nothing is imported, unpickled or evaluated, and no constructor, validator or `model_post_init`
of a custom class is called.

Two values are equal if `==` is true for them; NaN equals NaN. `comparable` returns equal JSON only for equal values.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import re
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import PydanticUndefined, TzInfo, to_json

Find = Callable[[str], "type[Any] | None"]
"""Returns the class with this `class_name`; None if it is unknown."""
Allows = Callable[[type[Any]], bool]
"""Returns whether the reader of a value can find its class."""

PLAIN = frozenset((str, int, float, bool, type(None)))
"""Types that JSON represents unchanged, without their subclasses. A `str` must also be valid Unicode: see `is_plain`."""
_STR = {str}
_ALWAYS_PLAIN = PLAIN - _STR

MAX_DEPTH = 150
"""Maximum levels of nesting. The JSON parser accepts 200, and a tag uses a level too."""

_MAX_DECIMAL_BITS = 4000
"""Maximum bits of an integer that is written in decimal: Python parses at most 4,300 digits."""


class NotStorable(Exception):
    """JSON cannot represent a value without a change."""


class StandIn:
    """A value whose class is unknown here. It equals the original value, and is written like it."""

    __slots__ = ("content", "kind", "name")

    def __init__(self, kind: str, name: str, content: Any) -> None:
        self.kind = kind
        self.name = name
        """The `class_name` of the class."""
        self.content = content
        """The unpacked arguments for the constructor of this kind in `_MAKE`."""

    @property
    def plain(self) -> Any:
        """The value without its class: the value of an enumeration's member, or the fields of an object."""
        return self.content[1] if self.kind == "enum" else self.content[0]

    def __eq__(self, other: object) -> bool:
        return _is_comparably_equal(self, other)

    def __hash__(self) -> int:
        if self.kind == "enum":
            member, value, is_mixed = self.content
            return hash(value if is_mixed or member is None else member)
        if self.kind == "named":
            return hash(tuple(self.plain))
        return hash(self.plain if self.kind == "sub" else self.name)

    def __str__(self) -> str:
        if self.kind == "enum" and not self.content[2]:
            return f"{self.name.rpartition(':')[2].rpartition('.')[2]}.{self.content[0]}"
        return str(self.plain)

    def __repr__(self) -> str:
        return f"<{self.name.rpartition(':')[2]}: {self.plain!r}>"


@lru_cache(maxsize=4096)
def class_name(kind: Any) -> str:
    """Return the module and the name of a class, which identify it in JSON."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_plain(value: Any, left: int = MAX_DEPTH) -> bool:
    """Whether JSON represents the value unchanged, with at most `left` levels of nesting."""
    kind = type(value)
    if kind is str:
        return value.isascii() or is_unicode(value)
    if kind in PLAIN:
        return True
    if left <= 0:
        return False
    if kind is list:
        kinds = set(map(type, value))
        if kinds == _STR and all(map(str.isascii, value)):
            return True
        return kinds <= _ALWAYS_PLAIN or all(is_plain(item, left - 1) for item in value)
    return kind is dict and _are_untagged(value) and all(is_plain(item, left - 1) for item in value.values())


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded as UTF-8. A lone surrogate, which `os.fsdecode` may return, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_untagged(value: Mapping[Any, Any]) -> bool:
    return all(type(key) is str and key[:1] != "~" and (key.isascii() or is_unicode(key)) for key in value)


# Writing


def pack(value: Any, allows: Allows | None = None) -> Any:
    """Return a value as JSON.

    Args:
        value: the value.
        allows: returns whether a custom class is allowed; by default all are.

    Raises:
        NotStorable: the value cannot be written; the message names its type.
    """
    return _pack(value, allows, MAX_DEPTH)


def _pack(value: Any, allows: Allows | None, left: int) -> Any:  # noqa: PLR0911
    kind = type(value)
    if kind in PLAIN:
        return _packed_scalar(value, kind)
    if left <= 0:
        raise NotStorable(f"is nested more than {MAX_DEPTH} levels deep")
    atom = _ATOMS.get(kind)
    if atom is not None:
        return {atom.tag: atom.write(value)}
    if kind is list:
        return [_pack(item, allows, left - 1) for item in value]
    if kind is dict:
        if _are_untagged(value):
            return {key: _pack(item, allows, left - 1) for key, item in value.items()}
        return {"~dict": _packed_pairs(value, allows, left)}
    container = _CONTAINERS.get(kind)
    if container is not None:
        return {container.tag: container.write(value, lambda item: _pack(item, allows, left - 2))}
    return _packed_object(value, kind, allows, left - 4)


def _packed_scalar(value: Any, kind: type) -> Any:
    if kind is int and value.bit_length() > _MAX_DECIMAL_BITS:
        return {"~int": hex(value)}
    if kind is str and not value.isascii() and not is_unicode(value):
        return {"~text": base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()}
    return value


def _packed_pairs(value: Mapping[Any, Any], allows: Allows | None, left: int) -> list[Any]:
    return [[_pack(key, allows, left - 3), _pack(item, allows, left - 3)] for key, item in value.items()]


def _packed_object(value: Any, kind: type, allows: Allows | None, left: int) -> Any:  # noqa: C901, PLR0911
    """Return a value of a custom class as JSON."""
    if kind is StandIn:
        return {f"~{value.kind}": [value.name, *(_pack(part, allows, left) for part in value.content)]}
    if isinstance(value, SecretStr | SecretBytes | Secret):
        raise NotStorable(f"holds a {kind.__name__}: pydantic writes asterisks in place of a secret")
    if allows is not None and not allows(kind):
        raise NotStorable(f"holds a {kind.__module__}.{kind.__qualname__}, which its annotation does not name")
    name = class_name(kind)

    def part(content: Any) -> Any:
        return _pack(content, allows, left)

    if isinstance(value, enum.Enum):
        member = None if isinstance(value, enum.Flag) else value.name
        return {"~enum": [name, member, part(value.value), isinstance(value, _MIXED)]}
    if isinstance(value, BaseModel):
        return {"~model": [name, part(_model_state(value))]}
    if dataclasses.is_dataclass(value):
        return {"~object": [name, part(_attributes_of(value))]}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return {"~named": [name, [_pack(item, allows, left) for item in value]]}
    if kind is re.Pattern:
        return {"~pattern": [name, part(value.pattern), value.flags]}
    base: Any
    for base in (str, int, float, bytes, decimal.Decimal):
        if isinstance(value, base) and kind.__new__ is base.__new__:
            return {
                "~sub": [name, part(base(value) if base is not str else str.__str__(value)), part(_own_dict(value))]
            }
    return {"~pydantic": [name, _written_by_pydantic(value, kind)]}


_MIXED = (str, int, float, bytes, decimal.Decimal, dt.date, dt.time, dt.timedelta, tuple)
"""A member of an enumeration that also derives from one of these equals its value."""


def _own_dict(value: Any) -> dict[str, Any]:
    return dict(getattr(value, "__dict__", {}))


def _model_state(value: BaseModel) -> dict[str, Any]:
    """Return all values of a pydantic object, including extra and private ones."""
    state: dict[str, Any] = {"fields": {name: value.__dict__[name] for name in _stored_fields(type(value), value)}}
    if value.model_fields_set != state["fields"].keys():
        state["set"] = sorted(value.model_fields_set & state["fields"].keys())
    if value.__pydantic_extra__:
        state["extra"] = dict(value.__pydantic_extra__)
    if value.__pydantic_private__:
        state["private"] = dict(value.__pydantic_private__)
    return state


def _stored_fields(kind: type[BaseModel], value: BaseModel) -> list[str]:
    return [name for name, field in kind.model_fields.items() if not field.exclude and name in value.__dict__]


def _attributes_of(value: Any) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if hasattr(value, name)} | _own_dict(value)


@lru_cache(maxsize=1024)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(ser_json_inf_nan="constants"))
    except Exception:  # noqa: BLE001  # a type with its own configuration accepts no other
        return TypeAdapter(kind)


def _written_by_pydantic(value: Any, kind: Any) -> Any:
    """Return a value as pydantic dumps it, if pydantic reads the same value back."""
    try:
        adapter = _adapter(kind)
        written = adapter.dump_python(value, mode="json", warnings="error")
        again = adapter.validate_python(written)
    except Exception as error:
        raise NotStorable(f"holds a {kind.__module__}.{kind.__qualname__}, which JSON cannot hold") from error
    if type(again) is not kind or not _is_equal(again, value) or not is_plain(written):
        raise NotStorable(
            f"holds a {kind.__module__}.{kind.__qualname__}, which changes when it is read back from JSON"
        )
    return written


# Reading


class Unreadable(Exception):
    """JSON that `pack` cannot have written."""


def unpack(data: Any, find: Find | None = None) -> Any:
    """Return the value that `pack` has written.

    Args:
        data: JSON.
        find: returns the class with a name; without it, values of custom classes become `StandIn`s.

    Raises:
        Unreadable: `pack` cannot have written it.
    """
    try:
        return _unpack(data, find or _find_none)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _find_none(_: str) -> None:
    return None


def _unpack(data: Any, find: Find) -> Any:
    kind = type(data)
    if kind in PLAIN:
        return data
    if kind is list:
        return data if PLAIN.issuperset(map(type, data)) else [_unpack(item, find) for item in data]
    if len(data) == 1:
        [tag] = data
        if tag[:1] == "~":
            return _untagged(tag, data[tag], find)
    return {key: _unpack(item, find) for key, item in data.items()}


def _untagged(tag: str, content: Any, find: Find) -> Any:
    read = _READ.get(tag)
    if read is not None:
        return read(content)
    container = _READ_CONTAINERS.get(tag)
    if container is not None:
        return container(content, lambda item: _unpack(item, find))
    make = _MAKE.get(tag)
    if make is None:
        raise Unreadable(f"unknown tag {tag!r}")
    name, *parts = content
    parts = [_unpack(part, find) for part in parts]
    kind = find(name)
    if kind is None:
        return StandIn(tag[1:], name, parts)
    if not _FITS[tag](kind):
        raise Unreadable(f"{name} is not a class for {tag!r}")
    return make(kind, *parts)


def _make_enum(kind: Any, member: str | None, value: Any, _: bool) -> Any:
    return kind(value) if member is None else kind[member]


def _make_model(kind: Any, state: dict[str, Any]) -> Any:
    return build(kind, state["fields"], state.get("set"), state.get("extra"), state.get("private"))


def build(
    kind: Any,
    fields: dict[str, Any],
    fields_set: Any = None,
    extra: dict[str, Any] | None = None,
    private: Mapping[str, Any] | None = None,
) -> Any:
    """Return an object of a pydantic model with these values. Of the code of the class, only default factories run.

    Args:
        kind: the class.
        fields: values by field name; the object keeps this dict. Missing fields get their defaults.
        fields_set: names of the fields that were set; by default all in `fields`.
        extra: values of extra fields.
        private: values of private attributes; missing ones get their defaults.

    Raises:
        Unreadable: a field is missing and has no default.
    """
    fields_set = set(fields) if fields_set is None else set(fields_set)
    if len(fields) < len(kind.model_fields):
        for name, field in kind.model_fields.items():
            if name not in fields:
                fields[name] = _default(name, field, fields)
    takes_extra = kind.model_config.get("extra") == "allow"
    return assembled(kind, fields, fields_set, (extra or {}) if takes_extra else None, private_of(kind, private))


def assembled(
    kind: Any,
    fields: dict[str, Any],
    fields_set: set[str],
    extra: dict[str, Any] | None,
    private: dict[str, Any] | None,
) -> Any:
    """Return an object of a pydantic model from the values of its internal attributes."""
    obj = kind.__new__(kind)
    _set(obj, "__dict__", fields)
    _set(obj, "__pydantic_fields_set__", fields_set)
    _set(obj, "__pydantic_extra__", extra)
    _set(obj, "__pydantic_private__", private)
    return obj


_set = object.__setattr__


def _default(name: str, field: Any, fields: dict[str, Any]) -> Any:
    if field.is_required():
        raise Unreadable(f"{name} is missing")
    return field.get_default(call_default_factory=True, validated_data=fields)


def private_of(kind: Any, known: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the private attributes for a new pydantic object: these values, and defaults for the others."""
    declared = kind.__private_attributes__
    if not declared:
        return None
    known = known or {}
    found = {name: known[name] if name in known else private.get_default() for name, private in declared.items()}
    return {name: value for name, value in found.items() if value is not PydanticUndefined}


def rebuild(kind: Any, attributes: dict[str, Any]) -> Any:
    """Return an object with these attributes, without running code of its class."""
    obj = object.__new__(kind)
    for name, value in attributes.items():
        _set(obj, name, value)
    return obj


def _make_sub(kind: Any, value: Any, attributes: dict[str, Any]) -> Any:
    base: Any = type(value)
    obj = base.__new__(kind, value)
    for name, attribute in attributes.items():
        _set(obj, name, attribute)
    return obj


def _make_named(kind: Any, items: Any) -> Any:
    return tuple.__new__(kind, items)


def _make_pattern(_: Any, pattern: Any, flags: int) -> Any:
    return re.compile(pattern, flags & ~re.DEBUG)


def _is_pydantic_type(kind: Any) -> bool:
    return not issubclass(kind, BaseModel | enum.Enum) and not dataclasses.is_dataclass(kind)


_FITS: dict[str, Callable[[type[Any]], bool]] = {
    "~enum": lambda kind: issubclass(kind, enum.Enum),
    "~model": lambda kind: issubclass(kind, BaseModel),
    "~object": dataclasses.is_dataclass,
    "~named": lambda kind: issubclass(kind, tuple) and hasattr(kind, "_fields"),
    "~pattern": lambda kind: kind is re.Pattern,
    "~sub": lambda kind: issubclass(kind, str | int | float | bytes | decimal.Decimal),
    "~pydantic": _is_pydantic_type,
}

_MAKE: dict[str, Callable[..., Any]] = {
    "~enum": _make_enum,
    "~model": _make_model,
    "~object": rebuild,
    "~named": _make_named,
    "~pattern": _make_pattern,
    "~sub": _make_sub,
    "~pydantic": lambda kind, written: _adapter(kind).validate_python(written),
}


# Types of the standard library


@dataclasses.dataclass(frozen=True, slots=True)
class _Atom:
    tag: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _text_of(tag: str, kind: Any) -> _Atom:
    return _Atom(tag, str, kind)


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
            else ["fixed", seconds, _packed_scalar(name, str)]
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
        return dt.timezone(offset, _unpack(zone[2], _find_none))
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
    return [type(value).__name__, _packed_scalar(str(value), str)]


_ATOMS: dict[type[Any], _Atom] = {
    bytes: _Atom("~bytes", _written_bytes, base64.b64decode),
    bytearray: _Atom("~bytearray", _written_bytes, lambda text: bytearray(base64.b64decode(text))),
    complex: _Atom("~complex", lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
    decimal.Decimal: _text_of("~decimal", decimal.Decimal),
    fractions.Fraction: _text_of("~fraction", fractions.Fraction),
    dt.datetime: _Atom("~datetime", _written_moment, _moment_reader(dt.datetime)),
    dt.time: _Atom("~time", _written_moment, _moment_reader(dt.time)),
    dt.date: _text_of("~date", dt.date.fromisoformat),
    dt.timedelta: _Atom(
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
    _PATHS.values(), _Atom("~path", _written_path, lambda parts: _PATHS[parts[0]](_unpack(parts[1], _find_none)))
)

SAFE = PLAIN | _ATOMS.keys() - {dt.datetime, dt.time}
"""Types whose values `pack` never refuses."""

_READ: dict[str, Callable[[Any], Any]] = {atom.tag: atom.read for atom in _ATOMS.values()} | {
    "~int": lambda text: int(text, 16),
    "~text": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
}

Part = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class _Container:
    tag: str
    write: Callable[[Any, Part], Any]
    read: Callable[[Any, Part], Any]


def _of_items(tag: str, kind: Any) -> _Container:
    return _Container(
        tag, lambda value, part: [part(item) for item in value], lambda items, part: kind(map(part, items))
    )


def _of_set(tag: str, kind: Any) -> _Container:
    def write(value: Any, part: Part) -> Any:
        return sorted((part(item) for item in value), key=to_json)

    return _Container(tag, write, lambda items, part: kind(map(part, items)))


def _pairs(value: Mapping[Any, Any], part: Part) -> list[Any]:
    return [[part(key), part(item)] for key, item in value.items()]


def _read_pairs(pairs: Any, part: Part) -> list[tuple[Any, Any]]:
    return [(part(key), part(item)) for key, item in pairs]


def _of_pairs(tag: str, kind: Any) -> _Container:
    return _Container(tag, _pairs, lambda pairs, part: kind(_read_pairs(pairs, part)))


def _read_counter(pairs: Any, part: Part) -> Counter[Any]:
    return Counter(dict(_read_pairs(pairs, part)))


_FACTORIES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple, Counter, OrderedDict, deque)
}


def _written_defaultdict(value: defaultdict[Any, Any], part: Part) -> Any:
    factory: Any = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    if name is not None and _FACTORIES.get(name) is not factory:
        raise NotStorable("holds a defaultdict whose factory is not a built-in type")
    return [name, _pairs(value, part)]


def _read_defaultdict(content: Any, part: Part) -> defaultdict[Any, Any]:
    name, pairs = content
    return defaultdict(None if name is None else _FACTORIES[name], _read_pairs(pairs, part))


_CONTAINERS: dict[type[Any], _Container] = {
    tuple: _of_items("~tuple", tuple),
    set: _of_set("~set", set),
    frozenset: _of_set("~frozenset", frozenset),
    OrderedDict: _of_pairs("~ordered", OrderedDict),
    Counter: _Container("~counter", _pairs, _read_counter),
    defaultdict: _Container("~defaultdict", _written_defaultdict, _read_defaultdict),
    deque: _Container(
        "~deque",
        lambda value, part: [value.maxlen, [part(item) for item in value]],
        lambda content, part: deque(map(part, content[1]), content[0]),
    ),
}

_READ_CONTAINERS: dict[str, Callable[[Any, Part], Any]] = {
    container.tag: container.read for container in _CONTAINERS.values()
} | {"~dict": lambda pairs, part: dict(_read_pairs(pairs, part))}


# Comparing


def equal(one: Any, other: Any) -> bool:
    """Whether two values are equal by `==`; NaN equals NaN."""
    return _is_equal(one, other) or (type(one) not in _COMPARED_BY_EQ and _is_comparably_equal(one, other))


_COMPARED_BY_EQ = frozenset((str, int, bool, type(None)))
"""Types for which `==` is sufficient."""


def _is_equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001  # the `==` of a class may raise anything; that of a signalling NaN raises
        return False


def _is_comparably_equal(one: Any, other: Any) -> bool:
    """Whether two values have equal `comparable` forms. Used for NaN and for `StandIn`s."""
    try:
        return bool(comparable(one) == comparable(other))
    except (NotStorable, RecursionError):
        return False


def comparable(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  # one branch for each type
    """Return JSON that is equal only for equal values.

    Raises:
        NotStorable: JSON cannot represent the value.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _packed_scalar(value, str)
    if kind is int or value is None:
        return value
    if kind is bool:
        return int(value)
    if kind is float:
        return _comparable_float(value)
    if kind is list:
        return [comparable(item) for item in value]
    if kind is StandIn:
        return _comparable_stand_in(value)
    if isinstance(value, enum.Enum):
        return _comparable_enum(value, kind)
    if isinstance(value, OrderedDict):
        return {"~ordered": [[comparable(key), comparable(item)] for key, item in value.items()]}
    if isinstance(value, Mapping):
        return _comparable_mapping(value)
    if isinstance(value, set | frozenset):
        return {"~set": sorted(map(comparable, value), key=to_json)}
    if isinstance(value, tuple):
        return {"~tuple": [comparable(item) for item in value]}
    if isinstance(value, deque):
        return {"~deque": [comparable(item) for item in value]}
    if isinstance(value, decimal.Decimal):
        return _comparable_decimal(value)
    if isinstance(value, fractions.Fraction):
        return value.numerator if value.denominator == 1 else {"~fraction": str(value)}
    if isinstance(value, complex):
        return _comparable_float(value.real) if not value.imag else {"~complex": repr(value)}
    if isinstance(value, dt.datetime):
        return _comparable_datetime(value)
    if isinstance(value, dt.time):
        return _comparable_time(value)
    if isinstance(value, bytes | bytearray):
        return {"~bytes": bytes(value).hex()}
    return _comparable_object(value)


def _comparable_enum(value: Any, kind: Any) -> Any:
    if isinstance(value, _MIXED):
        return comparable(_base_value(value))
    return {"~enum": [class_name(kind), comparable(value.value) if isinstance(value, enum.Flag) else value.name]}


def _comparable_float(value: float) -> Any:
    if value.is_integer():
        return int(value)
    return value if math.isfinite(value) else {"~float": repr(value)}


_MAX_DIGITS = 400
"""Maximum digits of a whole `Decimal` that is compared as an integer. No float has more."""


def _comparable_decimal(value: decimal.Decimal) -> Any:
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


def _comparable_datetime(value: dt.datetime) -> Any:
    naive, offset = value.replace(tzinfo=None, fold=0), value.utcoffset()
    if offset is None:
        return {"~datetime": naive.isoformat()}
    if (
        value.replace(fold=1 - value.fold).utcoffset() != offset
    ):  # by PEP 495, such a time equals no time of another zone
        return {"~datetime": [naive.isoformat(), str(value.tzinfo)]}
    return {"~instant": (naive - _EPOCH - offset) // _MICROSECOND}


def _comparable_time(value: dt.time) -> Any:
    offset = value.utcoffset()
    if offset is None:
        return {"~time": value.replace(tzinfo=None, fold=0).isoformat()}
    since = dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return {"~time": (since - offset) // _MICROSECOND}


def _comparable_mapping(value: Mapping[Any, Any]) -> Any:
    if _are_untagged(value):
        return {key: comparable(value[key]) for key in sorted(value)}
    pairs = ([comparable(key), comparable(item)] for key, item in value.items())
    return {"~dict": sorted(pairs, key=to_json)}


def _comparable_stand_in(value: StandIn) -> Any:
    if value.kind == "enum":
        member, content, is_mixed = value.content
        return (
            comparable(content)
            if is_mixed
            else {"~enum": [value.name, comparable(content) if member is None else member]}
        )
    if value.kind in {"sub", "named"}:
        return comparable(tuple(value.plain) if value.kind == "named" else value.plain)
    return {f"~{value.kind}": [value.name, *map(comparable, value.content)]}


def _base_value(value: Any) -> Any:
    """Return the member of a mixed enumeration as a value of its other base type."""
    found = value.value
    return found if isinstance(found, _MIXED) else str.__str__(value) if isinstance(value, str) else found


def _comparable_object(value: Any) -> Any:
    for base in (str, int, float):
        if isinstance(value, base):
            return comparable(base.__str__(value) if base is str else base(value))
    packed = _pack(value, None, MAX_DEPTH)
    [(tag, content)] = packed.items() if isinstance(packed, dict) else [("~value", packed)]
    if tag in _MAKE:
        return {tag: [content[0], *(comparable(unpack(part)) for part in content[1:])]}
    return packed
