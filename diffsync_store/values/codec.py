"""Convert values to JSON and back. The result is equal and has the same type. Model classes are not needed.

`None`, `bool`, `int`, `float`, `str`, a `list` and a `dict` with string keys are written unchanged. Every other value becomes a
dict with one key, a *tag*, such as `{"~decimal": "1.50"}`. The tags are a closed set. A value of a custom class, such as an
enumeration, is written with the name of the class. It is read as that class if the caller's `find` returns the class for this
name, otherwise as a `StandIn`. Nothing is imported, unpickled or evaluated, and no constructor, validator or `model_post_init`
of a custom class is called.

Two values are equal if `==` is true for them; NaN equals NaN. `comparable` returns equal JSON only for equal values.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from diffsync_store.values.atoms import ATOMS, READ_ATOMS
from diffsync_store.values.comparable_atoms import (
    comparable_datetime,
    comparable_decimal,
    comparable_float,
    comparable_time,
)
from diffsync_store.values.containers import CONTAINERS, READ_CONTAINERS
from diffsync_store.values.custom_classes import FITS, MAKE, MIXED, Allows, class_name, is_equal, packed_object
from diffsync_store.values.errors import NotStorable, Unreadable
from diffsync_store.values.plain import MAX_DEPTH, PLAIN, READ_SCALARS, are_untagged, packed_scalar

Find = Callable[[str], "type[Any] | None"]
"""Returns the class with this `class_name`; None if it is unknown."""

_READ = READ_SCALARS | READ_ATOMS


class StandIn:
    """A value whose class is unknown here. It equals the original value, and is written like it."""

    __slots__ = ("content", "kind", "name")

    def __init__(self, kind: str, name: str, content: Any) -> None:
        self.kind = kind
        self.name = name
        """The `class_name` of the class."""
        self.content = content
        """The unpacked arguments for the constructor of this kind in `MAKE`."""

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
        return packed_scalar(value, kind)
    if left <= 0:
        raise NotStorable(f"is nested more than {MAX_DEPTH} levels deep")
    atom = ATOMS.get(kind)
    if atom is not None:
        return {atom.tag: atom.write(value)}
    if kind is list:
        return [_pack(item, allows, left - 1) for item in value]
    if kind is dict:
        if are_untagged(value):
            return {key: _pack(item, allows, left - 1) for key, item in value.items()}
        return {"~dict": _packed_pairs(value, allows, left)}
    container = CONTAINERS.get(kind)
    if container is not None:
        return {container.tag: container.write(value, lambda item: _pack(item, allows, left - 2))}
    if kind is StandIn:
        return {f"~{value.kind}": [value.name, *(_pack(part, allows, left - 4) for part in value.content)]}
    return packed_object(value, kind, allows, lambda item: _pack(item, allows, left - 4))


def _packed_pairs(value: Mapping[Any, Any], allows: Allows | None, left: int) -> list[Any]:
    return [[_pack(key, allows, left - 3), _pack(item, allows, left - 3)] for key, item in value.items()]


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
    container = READ_CONTAINERS.get(tag)
    if container is not None:
        return container(content, lambda item: _unpack(item, find))
    make = MAKE.get(tag)
    if make is None:
        raise Unreadable(f"unknown tag {tag!r}")
    name, *parts = content
    parts = [_unpack(part, find) for part in parts]
    kind = find(name)
    if kind is None:
        return StandIn(tag[1:], name, parts)
    if not FITS[tag](kind):
        raise Unreadable(f"{name} is not a class for {tag!r}")
    return make(kind, *parts)


# Comparing


def equal(one: Any, other: Any) -> bool:
    """Whether two values are equal by `==`; NaN equals NaN."""
    return is_equal(one, other) or (type(one) not in _COMPARED_BY_EQ and _is_comparably_equal(one, other))


_COMPARED_BY_EQ = frozenset((str, int, bool, type(None)))
"""Types for which `==` is sufficient."""


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
        return value if value.isascii() else packed_scalar(value, str)
    if kind is int or value is None:
        return value
    if kind is bool:
        return int(value)
    if kind is float:
        return comparable_float(value)
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
        return comparable_decimal(value)
    if isinstance(value, fractions.Fraction):
        return value.numerator if value.denominator == 1 else {"~fraction": str(value)}
    if isinstance(value, complex):
        return comparable_float(value.real) if not value.imag else {"~complex": repr(value)}
    if isinstance(value, dt.datetime):
        return comparable_datetime(value)
    if isinstance(value, dt.time):
        return comparable_time(value)
    if isinstance(value, bytes | bytearray):
        return {"~bytes": bytes(value).hex()}
    return _comparable_object(value)


def _comparable_enum(value: Any, kind: Any) -> Any:
    if isinstance(value, MIXED):
        return comparable(base_value(value))
    return {"~enum": [class_name(kind), comparable(value.value) if isinstance(value, enum.Flag) else value.name]}


def base_value(value: Any) -> Any:
    """Return the member of a mixed enumeration as a value of its other base type."""
    found = value.value
    return found if isinstance(found, MIXED) else str.__str__(value) if isinstance(value, str) else found


def _comparable_mapping(value: Mapping[Any, Any]) -> Any:
    if are_untagged(value):
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


def _comparable_object(value: Any) -> Any:
    for base in (str, int, float):
        if isinstance(value, base):
            return comparable(base.__str__(value) if base is str else base(value))
    packed = _pack(value, None, MAX_DEPTH)
    [(tag, content)] = packed.items() if isinstance(packed, dict) else [("~value", packed)]
    if tag in MAKE:
        return {tag: [content[0], *(comparable(unpack(part)) for part in content[1:])]}
    return packed
