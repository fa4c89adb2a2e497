"""Whether somebody still holds a part of an object that is let go, such as a list, through which to change it.

In `adapter.get(Site, "x").tags.append("y")` the object is gone before its list is appended to.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
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


def is_held(obj: BaseModel) -> bool:
    """Whether anybody but the caller, who has it in one variable, refers to an object or to a changeable part of it."""
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


def let_go_of(objects: dict[str, Any]) -> None:
    """Remove from a dict each object that nobody else holds, nor any part of it."""
    for key in list(objects):
        obj = objects[key]
        if getrefcount(obj) <= _OWN_REFERENCES_IN_DICT and not has_held_part(obj):
            del objects[key]


def _is_any_held(values: Iterable[Any], adapter: Any = None) -> bool:
    for value in values:
        kind = type(value)
        if kind in _FREQUENT or (kind is not list and (isinstance(value, _UNCHANGEABLE) or value is adapter)):
            continue
        if not isinstance(value, tuple | frozenset) and getrefcount(value) > _OWN_REFERENCES:
            return True
        if isinstance(value, dict):
            if _is_any_held(value.values()):
                return True
        elif isinstance(value, list | set | tuple | frozenset):
            if not _FREQUENT.issuperset(map(type, value)) and _is_any_held(value):
                return True
        elif isinstance(value, BaseModel) and has_held_part(value):
            return True
    return False


def _own_references() -> int:
    """What `getrefcount` says in `_is_any_held` of a value that only its container holds."""
    for value in [[0]]:
        return getrefcount(value)
    raise AssertionError("unreachable")


_OWN_REFERENCES = _own_references()


def _own_references_in_dict() -> int:
    """What `getrefcount` says in `let_go_of` of an object that only the dict holds."""
    objects = {"": object()}
    for key in list(objects):
        obj = objects[key]
        return getrefcount(obj)
    raise AssertionError("unreachable")


_OWN_REFERENCES_IN_DICT = _own_references_in_dict()


def _references_of_caller() -> int:
    """What `getrefcount` says in `is_held` of an object that only one variable of the caller refers to."""

    def count(obj: Any) -> int:
        return getrefcount(obj)

    obj = object()
    return count(obj)


_REFERENCES_OF_CALLER = _references_of_caller()
