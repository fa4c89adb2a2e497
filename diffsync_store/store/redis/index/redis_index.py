"""Read the index of a store from Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from struct import Struct
from typing import Any, TypeVar
from zlib import crc32

from diffsync_store.exceptions import StoreReloaded
from diffsync_store.store.index.format import LEAF, NODE, Totals, decode_uid, encode_uid, unpack_entries
from diffsync_store.store.index.store_index import ABSENT, Difference, IndexUnusable, Parent, StoreIndex
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.index.same_server import Side, compare_in_server
from diffsync_store.store.redis.partitions import Partitions
from diffsync_store.store.redis.scripts import index as scripts
from diffsync_store.store.redis.scripts.script import Script

T = TypeVar("T")

_PLACE = Struct(">H")

_OBJECTS = 300
"""Objects that are looked up in their buckets at once: about 64 entries are read for each."""
_NODES = 5000
_RANGES = 4000
_BUCKETS = 100
_LARGE_BUCKET = 1_000_000
"""Bytes of a bucket of edges above which it is not searched."""


class RedisIndex(StoreIndex):
    """The index of one load of a store in Redis. Threads may share it.

    Args:
        client: the client of the store.
        partitions: the partitions of the store. The first one has the index.
        record: the record of the store; its schemas are those of the index.
        require_same_load: raises an error if the store was loaded again since then.

    Raises:
        StoreReloaded: the store was loaded again; each method may raise it.
    """

    def __init__(
        self, client: Any, partitions: Partitions, record: StoreRecord, require_same_load: Callable[[], None]
    ) -> None:
        self.client = client
        self.generation = record.generation
        self.schemas = record.schema_.models
        self.keys = partitions.first
        self._partitions = partitions
        self.require_same_load = require_same_load
        """Raises an error if the store does not have the load of this index any more."""
        self.totals = self._read_totals()

    def _read_totals(self) -> dict[str, Totals]:
        models = dict.fromkeys(self.schemas)
        models |= dict.fromkeys(child for schema in self.schemas.values() for child in schema.children)
        with translated_errors():
            pipe = self.client.pipeline(transaction=False)
            for model in models:
                pipe.hgetall(self.keys.totals(model))
            found = dict(zip(models, map(Totals.read, pipe.execute() if models else []), strict=True))
        return {model: totals for model, totals in found.items() if totals is not None}

    def differing(self, target: StoreIndex, model: str) -> Iterator[Difference] | None:
        if not isinstance(target, RedisIndex):
            return None
        return compare_in_server(self._side(model), target._side(model))

    def _side(self, model: str) -> Side:
        return Side(self.client, self.keys, self.generation, model, self.totals[model], self.require_same_load)

    def sums(self, model: str, level: int, firsts: Sequence[int], count: int) -> bytes:
        keys = [self.keys.sums(level, model)]
        return b"".join(
            self._run(scripts.SUMS, keys, [count, *some]) for some in _batches(firsts, max(1, _RANGES * 4 // count))
        )

    def group_sums(self, model: str, level: int, buckets: Sequence[int]) -> bytes:
        keys, levels = self._entries_keys(model), self._levels(model)
        return b"".join(
            self._run(scripts.GROUPS, keys, [len(keys), *levels, level, *some]) for some in _batches(buckets, _BUCKETS)
        )

    def entries(self, model: str, level: int, buckets: Sequence[tuple[int, str]]) -> Iterator[tuple[str, bytes]]:
        keys, levels = self._entries_keys(model), self._levels(model)
        at = max(level, min(levels, default=0))
        below = ((number, groups) for bucket, groups in buckets for number in _below(bucket, at - level))
        for some in _batches(below, _BUCKETS):
            wanted = [argument for bucket in some for argument in bucket]
            for uid, digest in unpack_entries(self._run(scripts.ENTRIES, keys, [len(keys), *levels, at, *wanted])):
                yield decode_uid(uid), digest

    def touched(self, model: str, most: int) -> list[str]:
        found: set[bytes] = set()  # a scan may return a member twice
        with translated_errors():
            keys = self._touched_keys(model)
            for uid in chain.from_iterable(self.client.sscan_iter(key, count=1000) for key in keys):
                found.add(uid)
                if len(found) > most:
                    break
        return list(map(decode_uid, found))

    def _touched_keys(self, model: str) -> list[str]:
        """Return the keys of the touched objects; of several partitions those that exist."""
        keys = [partition.touched(model) for partition in self._partitions.keys]
        if len(keys) == 1:
            return keys
        pipe = self.client.pipeline(transaction=False)
        for key in keys:
            pipe.exists(key)
        return [key for key, number in zip(keys, pipe.execute(), strict=True) if number]

    def flags(self, model: str, uids: Sequence[str]) -> list[str]:
        keys, levels = self._entries_keys(model), self._levels(model)
        if not keys:
            return [ABSENT] * len(uids)
        found = b"".join(
            self._run(scripts.FLAGS, keys, [len(keys), *levels, *_hashed(some)]) for some in _batches(uids, _OBJECTS)
        )
        return list(found.decode())

    def parents(self, model: str, uids: Sequence[str]) -> Iterable[Parent]:
        if model not in self.totals or not any(model in schema.children for schema in self.schemas.values()):
            return
        keys = [self.keys.edges(shard, model) for shard in self.totals[model].levels]
        levels = [*self._levels(model), _LARGE_BUCKET]
        for some in _batches(uids, _OBJECTS):
            packed = self._run(scripts.PARENTS, keys, [len(keys), *levels, *_hashed(some)])
            if isinstance(packed, int):
                raise IndexUnusable(f"a bucket of the parents of {model} is larger than {_LARGE_BUCKET} bytes")
            yield from _unpack_parents(packed, some)

    def nodes(self, model: str, uids: Sequence[str]) -> list[tuple[int, int]]:
        if not uids or not self._has_nodes(model):
            return [LEAF] * len(uids)
        keys = [self.keys.nodes(model)]
        packed = b"".join(
            self._run(scripts.NODES, keys, list(map(encode_uid, some))) for some in _batches(uids, _NODES)
        )
        return list(NODE.iter_unpack(packed))

    def _has_nodes(self, model: str) -> bool:
        schema, totals = self.schemas.get(model), self.totals.get(model)
        return schema is None or totals is None or bool(schema.children or totals.skipped)

    def _entries_keys(self, model: str) -> list[str]:
        totals = self.totals.get(model)
        return [] if totals is None else [self.keys.index(shard, model) for shard in totals.levels]

    def _levels(self, model: str) -> list[int]:
        totals = self.totals.get(model)
        return [] if totals is None else list(totals.levels.values())

    def _run(self, script: Script, keys: list[str], arguments: Sequence[Any]) -> Any:
        with translated_errors():
            answer = script(self.client, [self.keys.record, *keys], [self.generation, *arguments])
        if answer is None:
            self.require_same_load()
            raise StoreReloaded("The store was loaded again during the comparison. Make a new diff.")
        return answer


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _below(bucket: int, levels: int) -> range:
    """Return the buckets that a bucket consists of, some levels finer."""
    return range(bucket << levels, (bucket + 1) << levels)


def _hashed(uids: Iterable[str]) -> Iterator[Any]:
    for uid in uids:
        encoded = encode_uid(uid)
        yield from (crc32(encoded), encoded)


def _unpack_parents(packed: bytes, uids: Sequence[str]) -> Iterator[Parent]:
    at = 0
    while at < len(packed):
        model, at = _text_at(packed, at)
        uid, at = _text_at(packed, at)
        places, at = _text_at(packed, at)
        yield Parent(decode_uid(model), decode_uid(uid), [uids[place] for (place,) in _PLACE.iter_unpack(places)])


def _text_at(packed: bytes, at: int) -> tuple[bytes, int]:
    """Return the text at a position, which begins with its length, and the position after it."""
    start = at + _PLACE.size
    end = start + _PLACE.unpack_from(packed, at)[0]
    return packed[start:end], end
