"""Whether somebody still holds a part of a released object, such as a list, through which to change it.

In `adapter.get(Site, "x").tags.append("y")` the object is gone before its list is appended to.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from sys import getrefcount
from typing import Any

from pydantic import BaseModel

from diffsync_store.enum import DiffSyncModelFlags

_UNCHANGEABLE = (
    str, int, float, bytes, type(None), decimal.Decimal, enum.Enum, uuid.UUID,
    dt.date, dt.time, dt.timedelta,
)  # fmt: skip
_FREQUENT = frozenset({str, int, float, bool, type(None), DiffSyncModelFlags})


def is_held_beside(obj: BaseModel) -> bool:
    """Whether anybody but the caller, who has it in one variable and one container, refers to an object or a changeable part of it."""
    return getrefcount(obj) > _REFERENCES_OF_CALLER or has_held_part(obj)


def has_held_part(obj: BaseModel) -> bool:
    """Whether a changeable value in the object's fields is referred to from elsewhere."""
    fields = obj.__dict__
    names = _changeable(type(obj))
    if names is None:
        return _is_any_held(fields.values(), fields.get("adapter"))
    return bool(names) and _is_any_held(map(fields.get, names))  # in no variable: it would count


@lru_cache(maxsize=1024)
def _changeable(model: type[BaseModel]) -> tuple[str, ...] | None:
    """The fields that may hold a changeable value, where the class knows them."""
    names: tuple[str, ...] | None = getattr(model, "_changeable_fields", None)
    return names


def _is_any_held(values: Iterable[Any], adapter: Any = None) -> bool:
    for value in values:
        kind = type(value)
        if kind in _FREQUENT or (kind is not list and (isinstance(value, _UNCHANGEABLE) or value is adapter)):
            continue
        if not isinstance(value, tuple | frozenset) and getrefcount(value) > _OWN_REFERENCES:
            return True
        if _is_any_held(_parts(value)):
            return True
    return False


def _parts(value: Any) -> Iterable[Any]:
    """What may be held of a value, one by one; nothing of what holds only values that cannot be changed."""
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | set | tuple | frozenset | deque):
        return () if _FREQUENT.issuperset(map(type, value)) else value
    if isinstance(value, BaseModel) and _changeable(type(value)) is not None:
        return map(value.__dict__.get, _changeable(type(value)) or ())
    return getattr(value, "__dict__", {}).values()


def _own_references() -> int:
    """What `getrefcount` says in `_is_any_held` of a value that only its container holds."""
    for value in [[0]]:
        return getrefcount(value)
    raise AssertionError("unreachable")


_OWN_REFERENCES = _own_references()


def _references_of_caller() -> int:
    """What `getrefcount` says in `is_held_beside` of an object that only a variable and a container of the caller refer to."""

    def count(obj: Any) -> int:
        return getrefcount(obj)

    objects = [object()]
    obj = objects[0]
    return count(obj)


_REFERENCES_OF_CALLER = _references_of_caller()
