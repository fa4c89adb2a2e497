"""Encode many objects of one class whose values are plain: the checks go through the values of one field at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from pydantic_core import PydanticSerializationError

from diffsync_store.enum import DiffSyncModelFlags
from diffsync_store.store.digest import digests_of_plain
from diffsync_store.store.serialization.class_format import ClassFormat, class_format
from diffsync_store.store.serialization.encoding import LONG_INT_BYTES, has_long_int
from diffsync_store.values.plain import PLAIN, is_plain

_FIELDS = attrgetter("__dict__")


def encode_all(objects: Sequence[Any], declared: type[Any]) -> tuple[list[bytes], list[bytes]] | None:
    """Return objects as bytes, and their digests, as `encode_with_digest` returns them; None if one needs more."""
    fmt = class_format(declared)
    if not fmt.is_simple or set(map(type, objects)) != {declared}:
        return None
    fields = list(map(_FIELDS, objects))
    try:
        rows = list(map(fmt.values, fields))
        if not _are_plain(fmt, rows):
            return None
        encoded = list(map(fmt.serializer.to_json, fields))
    except (KeyError, PydanticSerializationError, ValueError):
        return None
    long = [row for row, data in zip(rows, encoded, strict=True) if len(data) >= LONG_INT_BYTES]
    digests = None if any(map(has_long_int, chain(*long))) else digests_of_plain(declared, fields)
    return None if digests is None else (encoded, digests)


def _are_plain(fmt: ClassFormat, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether objects have no flags, and plain values of the types that their fields allow."""
    *columns, flags, _ = zip(*rows, strict=True)
    if fmt.flags is not DiffSyncModelFlags.NONE or flags.count(fmt.flags) < len(rows):
        return False
    return all(map(_is_plain_column, columns, fmt.plain_types))


def _is_plain_column(values: tuple[Any, ...], allowed: frozenset[type] | None) -> bool:
    kinds = set(map(type, values))
    if kinds <= PLAIN:
        return allowed is None or kinds <= allowed
    if allowed is not None:
        return False
    return (kinds == {list} and PLAIN.issuperset(map(type, chain(*values)))) or all(map(is_plain, values))
