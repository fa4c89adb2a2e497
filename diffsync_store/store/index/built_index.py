"""The index of one shard as packed bytes, model by model and in chunks."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar
from zlib import crc32

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.children import ChildIds, JoinedIds, split_ids
from diffsync_store.store.index.format import (
    MAX_TEXT,
    MISSING,
    NODE,
    encode_all_uids,
    encode_uid,
    fits,
    level_of_shard,
    pack_edge,
    with_lengths,
)
from diffsync_store.store.index.node_counts import Digests, NodeCounts
from diffsync_store.store.index.open_nodes import pack_open_node

CHUNK = 500_000
"""Approximate bytes of a chunk."""

_MAX_CHARACTERS = MAX_TEXT // 4
"""Characters that fit in any case."""
_LANE = 256**SIZE
_DIGEST_OF = itemgetter(slice(-SIZE - 1, -1))
"""Returns the digest in an entry."""
_AT_ONCE = 10_000
"""Objects whose entries are made at once."""

K = TypeVar("K", int, bytes)


@dataclass
class BuiltModel:
    """The index of the objects of one model.

    It also covers ids that objects of any model list as children of this model: their edges, and with one shard an entry for each
    id that is not stored.
    """

    name: str
    level: int
    objects: int
    """Number of stored objects."""
    counted: int
    skipped: int
    """The nodes of all stored objects added up, without open ones."""
    sums: bytes
    """The sums of the 2^level buckets."""
    _entries: list[bytes]
    _edges: Mapping[int, list[bytes]]

    def entries(self) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the buckets that are not empty with their packed entries, in chunks."""
        return _chunks((bucket, entries) for bucket, entries in enumerate(self._entries) if entries)

    def edges(self) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the buckets with their packed edges, in chunks. A bucket is that of the child."""
        return _chunks((bucket, b"".join(edges)) for bucket, edges in self._edges.items())


@dataclass
class _Listed:
    """The listed children of one model."""

    edges: list[tuple[list[bytes], bytes]] = field(default_factory=list)
    """Children of one object, and the end of their packed edges, which names the object."""
    missing: dict[bytes, bytes] = field(default_factory=dict)
    """Random digest, with flag, of each listed child that is not stored anywhere."""


class BuiltIndex:
    """The index of one shard. It is computed while it is read, one model at a time. It is not safe for threads.

    Args:
        digests: digest with flag by model and unique id.
        children: the listed children.
        shards: number of declared shards; with one, a child that is not stored is nowhere.
    """

    def __init__(self, digests: Digests, children: ChildIds, shards: int) -> None:
        self._digests = digests
        self._children = children
        self._shards = shards

    @cached_property
    def reason(self) -> str:
        """Why the index cannot be used: an id is too long, or an object is below itself. Empty if it can."""
        return next(self._too_long(), "") or self._node_counts.reason

    def counts(self) -> dict[str, int]:
        """Return the number of objects by model."""
        return {model: len(digests) for model, digests in self._digests.items()}

    def models(self) -> Iterator[BuiltModel]:
        """Yield the index of each model that has objects or listed children. Only one is in memory if each is read before the next."""
        for name in dict.fromkeys((*self._digests, *self._children)):
            yield self._model(name)

    def nodes(self, model: str) -> Iterator[list[tuple[bytes, bytes]]]:
        """Yield unique id and packed node of each object of a model that lists children or is ignored, in chunks."""
        nodes = self._node_counts.of(model)
        return _chunks((encode_uid(uid), NODE.pack(*counts)) for uid, counts in nodes)

    def open_nodes(self, model: str) -> Iterator[list[bytes]]:
        """Yield packed open nodes of a model, in chunks: what the seal must resolve. See `open_nodes`."""
        packed = ((b"", part) for node in self._node_counts.open(model) for part in pack_open_node(node))
        return ([part for _, part in chunk] for chunk in _chunks(packed))

    def waiting(self) -> dict[str, dict[str, int]]:
        """Return how many children the open nodes of each model wait for, by model and child model."""
        found: dict[str, Counter[str]] = {}
        for model in self._digests:
            for node in self._node_counts.open(model):
                for child, is_elsewhere, uids in node.waits_for:
                    found.setdefault(model, Counter())[child] += len(uids) if is_elsewhere else 0
        return {model: dict(counts) for model, counts in found.items()}

    @cached_property
    def _node_counts(self) -> NodeCounts:
        return NodeCounts(self._digests, self._children, can_be_elsewhere=self._shards > 1)

    def _too_long(self) -> Iterator[str]:
        for model, digests in self._digests.items():
            if not fits(encode_uid(model)):
                yield "the name of a model is too long for an index"
            if max(map(len, digests)) > _MAX_CHARACTERS and not fits(*map(encode_uid, digests)):
                yield f"a unique id of {model} is too long for an index"
        for child, of_parents in self._children.items():
            joined = [ids for of_model in of_parents.values() for ids in of_model.values() if _may_have_long(ids)]
            if not fits(encode_uid(child), *(encode_uid(uid) for ids in joined for uid in _long(split_ids(ids)))):
                yield f"a unique id of {child} is too long for an index"

    def _model(self, name: str) -> BuiltModel:
        digests = self._digests.get(name, {})
        listed = self._listed(name, digests)
        level = level_of_shard(len(digests) + len(listed.missing), self._shards)
        buckets: list[Any] = [[] for _ in range(1 << level)]
        _fill(buckets, level, digests)
        _fill(buckets, level, listed.missing)
        edges = _edges(listed, level)
        counted, skipped = self._node_counts.total(name)
        return BuiltModel(name, level, len(digests), counted, skipped, _pack(buckets), buckets, edges)

    def _listed(self, name: str, digests: Mapping[str, bytes]) -> _Listed:
        """Return the listed children of a model with these objects."""
        listed = _Listed()
        for parent_model, of_model in self._children.get(name, {}).items():
            model = encode_uid(parent_model)
            for parent_uid, joined in of_model.items():
                uids = split_ids(joined)
                stored = digests.keys() & uids.keys()
                if len(stored) < len(uids):
                    uids = self._without_missing(uids, stored, listed)
                of_parent = pack_edge(b"", model, encode_uid(parent_uid))[2:]
                listed.edges.append((encode_all_uids(uids), of_parent))
        return listed

    def _without_missing(self, uids: dict[str, None], stored: AbstractSet[str], listed: _Listed) -> dict[str, None]:
        """Return the children whose edges this shard has. Those that are nowhere are listed as missing."""
        if self._shards > 1:  # they may be in another shard
            return {uid: None for uid in uids if uid in stored}
        for uid in map(encode_uid, uids.keys() - stored):
            listed.missing.setdefault(uid, os.urandom(SIZE) + MISSING)
        return uids


def _may_have_long(ids: JoinedIds) -> bool:
    return not isinstance(ids, str) or len(ids) > _MAX_CHARACTERS


def _long(ids: Iterable[str]) -> list[str]:
    return [uid for uid in ids if len(uid) > _MAX_CHARACTERS]


def _fill(buckets: list[list[bytes]], level: int, digests: Mapping[Any, bytes]) -> None:
    """Add packed entries to their buckets, with few calls for each. The ids are text or bytes."""
    rest, shift = iter(digests.items()), 32 - level
    while some := dict(islice(rest, _AT_ONCE)):
        uids = list(some) if isinstance(next(iter(some)), bytes) else encode_all_uids(some)
        entries = map(bytes.__add__, with_lengths(uids), some.values())
        for hashed, entry in zip(map(crc32, uids), entries, strict=True):
            buckets[hashed >> shift].append(entry)


def _edges(listed: _Listed, level: int) -> Mapping[int, list[bytes]]:
    """Return packed edges by the bucket of the child."""
    edges, shift = defaultdict[int, list[bytes]](list), 32 - level
    for children, of_parent in listed.edges:
        for hashed, child in zip(map(crc32, children), with_lengths(children), strict=True):
            edges[hashed >> shift].append(child + of_parent)
    return edges


def _pack(buckets: list[Any]) -> bytes:
    """Replace the list of entries of each bucket by its bytes, and return the sums: `pack_entries` and `sum_of` in one pass."""
    sums = bytearray()
    for bucket, entries in enumerate(buckets):
        entries.sort()
        total = sum(map(int.from_bytes, map(_DIGEST_OF, entries)))
        sums += (total % _LANE).to_bytes(SIZE, "big")
        buckets[bucket] = b"".join(entries)
    return bytes(sums)


def _chunks(pairs: Iterable[tuple[K, bytes]]) -> Iterator[list[tuple[K, bytes]]]:
    """Yield the pairs in lists of at most about `CHUNK` bytes."""
    chunk: list[tuple[K, bytes]] = []
    size = 0
    for pair in pairs:
        chunk.append(pair)
        size += len(pair[1]) + 24
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
