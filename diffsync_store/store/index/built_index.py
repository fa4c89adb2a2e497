"""The index of one shard as packed bytes, model by model and in chunks."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice
from operator import itemgetter
from typing import TypeVar
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
_WITHOUT_FLAG = itemgetter(slice(SIZE))
_AT_ONCE = 10_000
"""Unique ids that are encoded at once."""

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
    _make_edges: Callable[[], Mapping[int, bytearray]]

    def entries(self) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the buckets that are not empty with their packed entries, in chunks."""
        return _chunks((bucket, entries) for bucket, entries in enumerate(self._entries) if entries)

    def edges(self) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the buckets with their packed edges, in chunks. A bucket is that of the child.

        They are made at each call, because those of many objects need much memory.
        """
        return _chunks((bucket, bytes(edges)) for bucket, edges in self._make_edges().items())


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
        missing = self._missing(name, digests)
        level = level_of_shard(len(digests) + len(missing), self._shards)
        sums, entries = _pack(_buckets(level, digests, missing), {**digests, **missing} if missing else digests)
        counted, skipped = self._node_counts.total(name)
        make_edges = partial(self._edges, name, digests, level)
        return BuiltModel(name, level, len(digests), counted, skipped, sums, entries, make_edges)

    def _listed(self, name: str) -> Iterator[tuple[str, str, dict[str, None]]]:
        """Yield model and unique id of each object that lists children of this model, and the children."""
        for parent_model, of_model in self._children.get(name, {}).items():
            for parent, joined in of_model.items():
                yield parent_model, parent, split_ids(joined)

    def _missing(self, name: str, digests: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return a random digest, with flag, of each listed child that is not stored anywhere."""
        if self._shards > 1:  # it may be in another shard
            return {}
        uids = chain.from_iterable(uids for _, _, uids in self._listed(name))
        return {uid: os.urandom(SIZE) + MISSING for uid in uids if uid not in digests}

    def _edges(self, name: str, digests: Mapping[str, bytes], level: int) -> Mapping[int, bytearray]:
        """Return packed edges by the bucket of the child. A child that may be in another shard has none."""
        edges, shift = defaultdict[int, bytearray](bytearray), 32 - level
        for parent_model, parent, uids in self._listed(name):
            found = [uid for uid in uids if uid in digests] if self._shards > 1 else uids
            children = encode_all_uids(found)
            of_parent = pack_edge(b"", encode_uid(parent_model), encode_uid(parent))[2:]
            for hashed, child in zip(map(crc32, children), with_lengths(children), strict=True):
                edges[hashed >> shift] += child + of_parent
        return edges


def _may_have_long(ids: JoinedIds) -> bool:
    return not isinstance(ids, str) or len(ids) > _MAX_CHARACTERS


def _long(ids: Iterable[str]) -> list[str]:
    return [uid for uid in ids if len(uid) > _MAX_CHARACTERS]


def _buckets(level: int, *ids: Iterable[str]) -> list[list[str]]:
    """Return the unique ids of each bucket. They are not copied."""
    buckets: list[list[str]] = [[] for _ in range(1 << level)]
    rest, shift = chain(*ids), 32 - level
    while some := list(islice(rest, _AT_ONCE)):
        for hashed, uid in zip(map(crc32, encode_all_uids(some)), some, strict=True):
            buckets[hashed >> shift].append(uid)
    return buckets


def _pack(buckets: Iterable[list[str]], digests: Mapping[str, bytes]) -> tuple[bytes, list[bytes]]:
    """Return the sums, and the packed entries of each bucket: `sum_of` and `pack_entries` with few calls for each object."""
    sums, packed = bytearray(), []
    for uids in buckets:
        of_bucket = list(map(digests.__getitem__, uids))
        total = sum(map(int.from_bytes, map(_WITHOUT_FLAG, of_bucket)))
        sums += (total % _LANE).to_bytes(SIZE, "big")
        packed.append(b"".join(sorted(map(bytes.__add__, with_lengths(encode_all_uids(uids)), of_bucket))))
    return bytes(sums), packed


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
