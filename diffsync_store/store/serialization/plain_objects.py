"""Encode many objects of one class whose values are plain: the checks go through the values of one field at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any

from pydantic_core import PydanticSerializationError

from diffsync_store.enum import DiffSyncModelFlags
from diffsync_store.store.digest import digests_of_plain
from diffsync_store.store.serialization.class_format import ClassFormat, class_format
from diffsync_store.store.serialization.encoding import LONG_INT_BYTES, encode_with_digest, has_long_int
from diffsync_store.values.plain import PLAIN, is_plain

_AT_ONCE = 100
"""Maximum objects that are encoded ahead of the one that the caller takes."""

_FIELDS = attrgetter("__dict__")


def encode_all(objects: Iterable[Any], declared: type[Any] | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield each object as bytes, and its digest, as `encode_with_digest` returns them.

    Raises:
        ObjectNotStorable: when the object is reached.
    """
    rest = iter(objects)
    while chunk := list(islice(rest, _AT_ONCE)):
        found = _encode_plain(chunk, declared) if declared is not None else None
        yield from found or (encode_with_digest(obj, declared) for obj in chunk)


def _encode_plain(objects: Sequence[Any], declared: type[Any]) -> list[tuple[bytes, bytes]] | None:
    """Return objects as bytes, with their digests; None if one needs more."""
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
    return None if digests is None else list(zip(encoded, digests, strict=True))


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
