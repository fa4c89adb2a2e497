"""The bytes of an open node: an object of a shard whose node depends on objects of other shards, until the load is sealed.

    open node   unique id, node without the children that it waits for, then for each list of these: child's model, '-' if they are not in
                the shard or '+' if they are and are open too, '>I' number of unique ids, unique ids

Texts have a '>H' length. A node with many children has several parts, one after the other, whose nodes are added.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from diffsync_store.store.index.format import NODE, encode_uid
from diffsync_store.store.index.node_counts import OpenNode

_MAX_CHILDREN = 1000
"""Children in one part."""
_COUNT = struct.Struct(">cI")
_TEXT = struct.Struct(">H")


class Waiting(NamedTuple):
    """Children that an open node waits for."""

    model: bytes
    is_elsewhere: bool
    """Whether they are not in the shard of the node."""
    uids: list[bytes]


class Part(NamedTuple):
    """A part of an open node."""

    uid: bytes
    counted: int
    skipped: int
    waits_for: list[Waiting]


def pack_open_node(node: OpenNode) -> Iterator[bytes]:
    """Yield the parts of an open node."""
    uid, counts = _text(encode_uid(node.uid)), NODE.pack(*node.counts)
    for child, is_elsewhere, uids in node.waits_for:
        for start in range(0, len(uids), _MAX_CHILDREN):
            some = [_text(encode_uid(each)) for each in uids[start : start + _MAX_CHILDREN]]
            kind = b"-" if is_elsewhere else b"+"
            yield b"".join((uid, counts, _text(encode_uid(child)), _COUNT.pack(kind, len(some)), *some))
            counts = NODE.pack(0, 0)


def unpack_open_node(packed: bytes) -> Part:
    """Return a part of an open node."""
    uid, at = _read(packed, 0)
    counted, skipped = NODE.unpack_from(packed, at)
    at += NODE.size
    waits_for = []
    while at < len(packed):
        model, at = _read(packed, at)
        kind, number = _COUNT.unpack_from(packed, at)
        at += _COUNT.size
        uids = []
        for _ in range(number):
            child, at = _read(packed, at)
            uids.append(child)
        waits_for.append(Waiting(model, kind == b"-", uids))
    return Part(uid, counted, skipped, waits_for)


def _text(text: bytes) -> bytes:
    return _TEXT.pack(len(text)) + text


def _read(packed: bytes, at: int) -> tuple[bytes, int]:
    start = at + _TEXT.size
    end = start + _TEXT.unpack_from(packed, at)[0]
    return packed[start:end], end
