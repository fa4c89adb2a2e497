"""Whether the program can still change an object that a buffer drops.

CPython counts references. An object that nothing else refers to, nor to its lists, cannot change any more: it is not tracked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, gt, itemgetter
from typing import Any

from diffsync_store.introspection.field_types import is_scalar
from diffsync_store.introspection.model_classes import per_class
from diffsync_store.store.redis.writing.tracked_object import has_more_values
from diffsync_store.values.plain import PLAIN

_CAN_COUNT = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
_SECOND, _DICT = itemgetter(1), attrgetter("__dict__")
_LIST = {list}


def is_held_elsewhere(obj: Any) -> bool:
    """Whether the program may refer to the object, or to a value that can change in place.

    The caller refers to the object by a variable, a pending object and a moved one, as `_count_of_held` does.
    """
    names = _mutable_fields(type(obj))
    if names is None or sys.getrefcount(obj) > _OBJECT:
        return True
    fields = obj.__dict__
    if sys.getrefcount(fields) > _FIELDS:
        return True
    for name in names:
        value = fields.get(name)
        if type(value) in PLAIN:
            continue
        if type(value) is not list or sys.getrefcount(value) > _VALUE or not PLAIN.issuperset(map(type, value)):
            return True
    return False


def are_held_elsewhere(moved: list[tuple[str, Any, int]]) -> list[bool] | None:
    """Return `is_held_elsewhere` for each object of these moved ones, which are pending too; None if it must be asked for each.

    It takes few calls for each object.
    """
    kinds = set(map(type, map(_SECOND, moved)))
    names = _mutable_fields(kinds.pop()) if len(kinds) == 1 else None
    if names is None:
        return None
    counts = _counts_of_all(moved, names)
    if counts is None:
        return None
    if not any(map(gt, map(max, counts), _OF_ALL)):
        return [False] * len(moved)
    return [any(map(gt, found, _OF_ALL)) for found in zip(*counts, strict=True)]


def _counts_of_all(moved: list[tuple[str, Any, int]], names: Sequence[str]) -> list[list[int]] | None:
    """Return how often Python counts the objects, their fields, and most of the lists in them."""
    fields = list(map(_DICT, map(_SECOND, moved)))
    values = [0] * len(moved)
    for name in names:
        of_name = itemgetter(name)
        try:
            kinds = set(map(type, map(of_name, fields)))
        except KeyError:
            return None
        if kinds <= PLAIN:
            continue
        if kinds != _LIST or not PLAIN.issuperset(map(type, chain.from_iterable(map(of_name, fields)))):
            return None
        values = list(map(max, values, map(sys.getrefcount, map(of_name, fields))))
    return [list(map(sys.getrefcount, map(_SECOND, moved))), list(map(sys.getrefcount, fields)), values]


@per_class
def _mutable_fields(kind: Any) -> tuple[str, ...] | None:
    """Return the fields that may hold mutable values; None if references do not tell whether an object can change."""
    if not _CAN_COUNT or has_more_values(kind):
        return None
    fields = kind.model_fields
    return tuple(name for name in fields.keys() - {"adapter", "model_flags"} if not is_scalar(fields[name].annotation))


class _Held:
    """Has its values in a dict, as a model."""


def _count_of_held() -> tuple[int, int, int]:
    """Return how often Python counts an object, its fields and a value in `is_held_elsewhere`, if nobody else has them."""
    obj = _Held()
    obj.__dict__ = {"value": []}
    pending, moved = {"": obj}, [("", obj)]
    counts = _counts(obj)
    del pending, moved
    return counts


def _counts(obj: Any) -> tuple[int, int, int]:
    fields = obj.__dict__
    value = fields.get("value")
    return sys.getrefcount(obj), sys.getrefcount(fields), sys.getrefcount(value)


_OBJECT, _FIELDS, _VALUE = _count_of_held() if _CAN_COUNT else (0, 0, 0)


def _count_of_all_held() -> tuple[int, ...]:
    """Return the counts of `_counts_of_all` for an object that nobody else has."""
    obj = _Held()
    obj.__dict__ = {"value": []}
    pending, moved = {"": obj}, [("", obj, 0)]
    del obj
    [*counts] = zip(*(_counts_of_all(moved, ["value"]) or []), strict=True)
    del pending
    return counts[0]


_OF_ALL = _count_of_all_held() if _CAN_COUNT else (0, 0, 0)
