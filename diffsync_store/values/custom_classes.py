"""Values of custom classes: how JSON represents them, and how they are read back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Secret, SecretBytes, SecretStr, TypeAdapter

from diffsync_store.values.errors import NotStorable
from diffsync_store.values.models import attributes_of, build, model_state, own_dict, rebuild, set_attribute
from diffsync_store.values.plain import is_plain

Allows = Callable[[type[Any]], bool]
"""Returns whether the reader of a value can find its class."""


@lru_cache(maxsize=4096)
def class_name(kind: Any) -> str:
    """Return the module and the name of a class, which identify it in JSON."""
    return f"{kind.__module__}:{kind.__qualname__}"


MIXED = (str, int, float, bytes, decimal.Decimal, dt.date, dt.time, dt.timedelta, tuple)
"""A member of an enumeration that also derives from one of these equals its value."""


def packed_object(value: Any, kind: Any, allows: Allows | None, part: Callable[[Any], Any]) -> dict[str, list[Any]]:  # noqa: PLR0911
    """Return a value of a custom class as JSON.

    Args:
        value: the value.
        kind: its class.
        allows: returns whether a class is allowed; None allows all.
        part: returns a part of the value as JSON.

    Raises:
        NotStorable: JSON cannot represent the value.
    """
    if isinstance(value, SecretStr | SecretBytes | Secret):
        raise NotStorable(f"holds a {kind.__name__}: pydantic writes asterisks in place of a secret")
    if allows is not None and not allows(kind):
        raise NotStorable(f"holds a {kind.__module__}.{kind.__qualname__}, which its annotation does not name")
    name = class_name(kind)
    if isinstance(value, enum.Enum):
        member = None if isinstance(value, enum.Flag) else value.name
        return {"~enum": [name, member, part(value.value), isinstance(value, MIXED)]}
    if isinstance(value, BaseModel):
        return {"~model": [name, part(model_state(value))]}
    if dataclasses.is_dataclass(value):
        return {"~object": [name, part(attributes_of(value))]}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return {"~named": [name, [part(item) for item in value]]}
    if kind is re.Pattern:
        return {"~pattern": [name, part(value.pattern), value.flags]}
    base: Any
    for base in (str, int, float, bytes, decimal.Decimal):
        if isinstance(value, base) and kind.__new__ is base.__new__:
            return {"~sub": [name, part(base(value) if base is not str else str.__str__(value)), part(own_dict(value))]}
    return {"~pydantic": [name, _written_by_pydantic(value, kind)]}


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
    if type(again) is not kind or not is_equal(again, value) or not is_plain(written):
        raise NotStorable(
            f"holds a {kind.__module__}.{kind.__qualname__}, which changes when it is read back from JSON"
        )
    return written


def is_equal(one: Any, other: Any) -> bool:
    """Whether `==` is true for two values. An error counts as False."""
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001  # the `==` of a class may raise anything; that of a signalling NaN raises
        return False


def _make_enum(kind: Any, member: str | None, value: Any, _: bool) -> Any:
    return kind(value) if member is None else kind[member]


def _make_model(kind: Any, state: dict[str, Any]) -> Any:
    return build(kind, state["fields"], state.get("set"), state.get("extra"), state.get("private"))


def _make_sub(kind: Any, value: Any, attributes: dict[str, Any]) -> Any:
    base: Any = type(value)
    obj = base.__new__(kind, value)
    for name, attribute in attributes.items():
        set_attribute(obj, name, attribute)
    return obj


def _make_named(kind: Any, items: Any) -> Any:
    return tuple.__new__(kind, items)


def _make_pattern(_: Any, pattern: Any, flags: int) -> Any:
    return re.compile(pattern, flags & ~re.DEBUG)


def _is_pydantic_type(kind: Any) -> bool:
    return not issubclass(kind, BaseModel | enum.Enum) and not dataclasses.is_dataclass(kind)


FITS: dict[str, Callable[[type[Any]], bool]] = {
    "~enum": lambda kind: issubclass(kind, enum.Enum),
    "~model": lambda kind: issubclass(kind, BaseModel),
    "~object": dataclasses.is_dataclass,
    "~named": lambda kind: issubclass(kind, tuple) and hasattr(kind, "_fields"),
    "~pattern": lambda kind: kind is re.Pattern,
    "~sub": lambda kind: issubclass(kind, str | int | float | bytes | decimal.Decimal),
    "~pydantic": _is_pydantic_type,
}
"""By tag: whether a class has values with this tag."""

MAKE: dict[str, Callable[..., Any]] = {
    "~enum": _make_enum,
    "~model": _make_model,
    "~object": rebuild,
    "~named": _make_named,
    "~pattern": _make_pattern,
    "~sub": _make_sub,
    "~pydantic": lambda kind, written: _adapter(kind).validate_python(written),
}
"""By tag: returns the value from its class and the parts that `packed_object` has written."""
