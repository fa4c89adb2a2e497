"""Make one index of those of the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.format import (
    MISSING,
    Totals,
    add_sums,
    bucket_of,
    encode_uid,
    fold,
    level_of,
    pack_edge,
    pack_entries,
    pack_entry,
    unpack_entries,
)
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.scripts import shards as scripts
from diffsync_store.store.redis.scripts import store as store_scripts
from diffsync_store.store.redis.shards.claim import ShardClaim
from diffsync_store.store.redis.shards.model_order import groups_of
from diffsync_store.store.redis.shards.open_counts import Found, Node, OpenCounts
from diffsync_store.store.redis.shards.states import IndexFacts

_PAIRS = 1000
_SIZE = 500_000
"""Bytes that are read or written in one call."""
_BUCKETS = 500
"""Buckets of entries that are read in one call."""


class IndexMerger:
    """Merges the indexes of the shards of one store. Used by one thread.

    The process that seals has a shard of its own, after the declared ones: for the edges between shards, and for an entry of each
    listed child that is in none of them.

    Args:
        client: the Redis client.
        claim: the claim of the process that seals.
        shards: what is known about the indexes of the shards, by number.
        counts: number of objects by model.
    """

    def __init__(self, client: Any, claim: ShardClaim, shards: Sequence[IndexFacts], counts: Mapping[str, int]) -> None:
        self._client = client
        self._claim = claim
        self._keys = claim.keys
        self._shards = shards
        self._counts = counts
        self._appended = 0
        """Number of the last call that appends."""
        waiting: dict[str, int] = {}
        for facts in shards:
            for of_child in facts.waiting.values():
                for child, number in of_child.items():
                    waiting[child] = waiting.get(child, 0) + number
        self._levels = {model: level_of(number) for model, number in waiting.items() if number}
        """Level of the buckets of the seal's own shard, by model."""
        self._missing: dict[str, set[bytes]] = {}
        """Listed children that nowhere exist, by model."""
        self._added: dict[str, list[int]] = {}
        """The nodes of open objects added up, by model."""

    def merge(self) -> str:
        """Write what the whole store has. Return why its index cannot be used; empty if it can."""
        models = sorted({*self._levels, *(model for facts in self._shards for model in facts.levels)})
        for model in models:
            own = [key(self._claim.number, model) for key in (self._keys.index, self._keys.edges)]
            self._claim.call(scripts.UNLINK, own, [])
        waiting: dict[str, set[str]] = {}
        for facts in self._shards:
            for model, of_child in facts.waiting.items():
                waiting.setdefault(model, set()).update(of_child)
        for group in groups_of(waiting):
            reason = OpenCounts(self, group, is_cyclic=len(group) > 1 or group[0] in waiting[group[0]]).resolve()
            if reason:
                return reason
        for model in models:
            self._merge_sums(model)
        return ""

    # Open nodes

    def open_parts(self, model: str) -> Iterator[list[bytes]]:
        """Yield the packed open nodes of a model, those of one shard after those of another."""
        for number, facts in enumerate(self._shards):
            if model in facts.waiting:
                key, start = self._keys.open(number, model), 0
                while True:
                    with translated_errors():
                        parts = self._client.lrange(key, start, start + 199)
                    if not parts:
                        break
                    start += len(parts)
                    yield parts

    def look_up(self, model: str, uids: Sequence[bytes]) -> Iterator[Found]:
        """Yield for each object its packed node: `-` if it is not stored, empty if it is a leaf."""
        for start in range(0, len(uids), _PAIRS):
            some = uids[start : start + _PAIRS]
            found: dict[bytes, bytes] = {}
            for partition, own in self._claim.partitions.group_bytes(some).items():
                keys = self._claim.partitions.keys[partition]
                (answers,) = self._claim.call(scripts.LOOK_UP, [keys.objects(model), keys.nodes(model)], own, of=keys)
                found.update(zip(own, answers, strict=True))
            yield from self._with_nodes(model, some, found)

    def _with_nodes(self, model: str, uids: Sequence[bytes], found: Mapping[bytes, bytes]) -> Iterator[bytes]:
        """Yield what was found, with the nodes from the first partition, which has those of all."""
        if len(self._claim.partitions) == 1:
            return iter([found[uid] for uid in uids])
        with translated_errors():
            nodes = self._client.hmget(self._keys.nodes(model), uids)
        return iter([node or found[uid] for node, uid in zip(nodes, uids, strict=True)])

    def add_edges(self, child_model: str, edges: Iterable[tuple[bytes, str, bytes]]) -> None:
        """Write edges between shards: unique id of the child, model and unique id of the parent."""
        level = self._levels[child_model]
        found: dict[int, list[bytes]] = {}
        for child, model, parent in edges:
            found.setdefault(bucket_of(child, level), []).append(pack_edge(child, encode_uid(model), parent))
        pairs = [(bucket, b"".join(packed)) for bucket, packed in found.items()]
        key = self._keys.edges(self._claim.number, child_model)
        for start in range(0, len(pairs), _PAIRS):
            self._appended += 1
            items = chain.from_iterable(pairs[start : start + _PAIRS])
            self._claim.call(scripts.APPEND, [self._keys.schema, key], [self._appended, child_model, *items])

    def add_missing(self, model: str, uid: bytes) -> None:
        """Note a listed child that is in no shard."""
        self._missing.setdefault(model, set()).add(uid)

    def add_nodes(self, model: str, nodes: Sequence[Node]) -> None:
        """Write the nodes of open objects of a model."""
        added = self._added.setdefault(model, [0, 0])
        for node in nodes:
            added[0] += node.counted
            added[1] += node.skipped
        self._write_hash(self._keys.nodes(model), model, [(node.uid, node.packed()) for node in nodes])

    # Sums

    def _merge_sums(self, model: str) -> None:
        missing = {uid: self._digest_of_missing(model, uid) for uid in self._missing.get(model, ())}
        level = level_of(self._counts.get(model, 0) + len(missing))
        sums = bytes(SIZE << level)
        levels = {number: facts.levels[model] for number, facts in enumerate(self._shards) if model in facts.levels}
        for number, own in levels.items():
            sums = add_sums(sums, self._sums_of(number, model, own, level))
        if model in self._levels:
            levels[self._claim.number] = self._levels[model]
            sums = add_sums(sums, _sums_of_entries(missing.items(), level))
            self._write_missing(model, missing)
        self._write_sums(model, level, sums)
        self._write_totals(model, level, levels)

    def _sums_of(self, number: int, model: str, own: int, level: int) -> bytes:
        """Return the sums of a shard at a level."""
        if own < level:  # it is too small for this level
            return _sums_of_entries(self._entries(number, model, own), level)
        key, size, parts = self._keys.shardsums(number, model), SIZE << own, []
        for start in range(0, size, _SIZE):
            with translated_errors():
                parts.append(self._client.getrange(key, start, min(start + _SIZE, size) - 1))
        return fold(b"".join(parts), own - level)

    def _entries(self, number: int, model: str, level: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield unique id and digest of the objects of a shard."""
        key = self._keys.index(number, model)
        for start in range(0, 1 << level, _BUCKETS):
            with translated_errors():
                found = self._client.hmget(key, list(range(start, min(start + _BUCKETS, 1 << level))))
            for packed in found:
                yield from unpack_entries(packed or b"")

    def _digest_of_missing(self, model: str, uid: bytes) -> bytes:
        """Return a digest that no other store has, and that is the same if the seal is repeated."""
        content = b"\0".join((b"missing", self._claim.generation, encode_uid(model), uid))
        return blake2b(content, digest_size=SIZE).digest() + MISSING

    def _write_missing(self, model: str, missing: Mapping[bytes, bytes]) -> None:
        buckets: dict[int, list[bytes]] = {}
        for uid, digest in missing.items():
            buckets.setdefault(bucket_of(uid, self._levels[model]), []).append(pack_entry(uid, digest))
        pairs = [(bucket, pack_entries(entries)) for bucket, entries in buckets.items()]
        self._write_hash(self._keys.index(self._claim.number, model), model, pairs)

    def _write_sums(self, model: str, level: int, sums: bytes) -> None:
        for each in range(level, -1, -1):
            key = self._keys.sums(each, model)
            self._claim.call(scripts.UNLINK, [key], [])
            for start in range(0, len(sums), _SIZE):
                items = [model, "string", start, sums[start : start + _SIZE]]
                self._claim.call(store_scripts.INDEX, [self._keys.schema, key], items)
            sums = fold(sums) if each else sums

    def _write_totals(self, model: str, level: int, levels: Mapping[int, int]) -> None:
        counted, skipped = self._added.get(model, (0, 0))
        counted += sum(facts.counted.get(model, 0) for facts in self._shards)
        skipped += sum(facts.skipped.get(model, 0) for facts in self._shards)
        key = self._keys.totals(model)
        self._claim.call(scripts.UNLINK, [key], [])
        self._write_hash(key, model, list(Totals(level, counted, skipped, levels).fields().items()))

    def _write_hash(self, key: str, model: str, pairs: Sequence[tuple[Any, Any]]) -> None:
        for start in range(0, len(pairs), _PAIRS):
            items = chain.from_iterable(pairs[start : start + _PAIRS])
            self._claim.call(store_scripts.INDEX, [self._keys.schema, key], [model, "hash", *items])


def _sums_of_entries(entries: Iterable[tuple[bytes, bytes]], level: int) -> bytes:
    """Return the sums of entries at a level."""
    found: dict[int, int] = {}
    for uid, digest in entries:
        bucket = bucket_of(uid, level)
        found[bucket] = found.get(bucket, 0) + int.from_bytes(digest[:SIZE], "big")
    sums = bytearray(SIZE << level)
    for bucket, total in found.items():
        sums[bucket * SIZE : (bucket + 1) * SIZE] = (total % 256**SIZE).to_bytes(SIZE, "big")
    return bytes(sums)
