"""Write the index of a store anew, as a load in several shards does."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from diffsync_store.store.digest import digest_of
from diffsync_store.store.index.built_index import BuiltIndex, BuiltModel
from diffsync_store.store.index.format import (
    NODE,
    Totals,
    bucket_of,
    fold,
    level_of,
    pack_edge,
    pack_entries,
    pack_entry,
    sum_of,
    unpack_edges,
    unpack_entries,
)
from diffsync_store.store.index.shard_index import ShardIndex
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.keys import StoreKeys

FINER = (2, 0, -1, 1)
"""By how many levels the buckets of a shard are finer than those of the store."""


def write_index(opened: Any, shards: int) -> str:
    """Write the index of the store's objects in this number of shards; return why there is none, or an empty string."""
    with closing(RedisStore(client=opened._redis, store_id=opened.store_id)) as store:
        built = _index_of(store)
        writer = _Writer(store, shards)
        writer.empty()
        if not built.reason:
            for model in built.models():
                writer.write(model, _nodes(built, model.name))
        writer.finish(built.reason)
        return built.reason


def _index_of(store: RedisStore) -> BuiltIndex:
    index = ShardIndex()
    for model in store._counts():
        for uid, obj in zip(store.uids(model), store._iterate(model, None), strict=True):
            children = {child: getattr(obj, field) for child, field in obj.get_children_mapping().items()}
            index.add(model, uid, digest_of(obj), children)
    return index.build()


def _nodes(built: BuiltIndex, model: str) -> dict[bytes, bytes]:
    return {uid: node for chunk in built.nodes(model) for uid, node in chunk}


class _Writer:
    def __init__(self, store: RedisStore, shards: int) -> None:
        self._client = store._redis
        self._keys: StoreKeys = store._keys
        self._shards = shards
        self._chance = random.Random(shards)  # not for secrets

    def empty(self) -> None:
        found = self._client.hkeys(self._keys.schema)
        kept = ("objects", "order", "pages")
        for model in [name.decode() for name in found]:
            for key in self._keys.all([model], 32)[4:]:
                if not any(f":{kind}:" in key for kind in kept):
                    self._client.unlink(key)

    def write(self, model: BuiltModel, nodes: dict[bytes, bytes]) -> None:
        level = level_of(model.objects)
        levels = {shard: max(0, level + FINER[shard % len(FINER)]) for shard in range(self._shards)}
        entries = [entry for chunk in model.entries() for _, packed in chunk for entry in unpack_entries(packed)]
        edges = [edge for chunk in model.edges() for _, packed in chunk for edge in unpack_edges(packed)]
        sums = defaultdict[int, list[bytes]](list)
        for uid, digest in entries:
            sums[bucket_of(uid, level)].append(digest)
        packed_sums = b"".join(sum_of(sums[bucket]) for bucket in range(1 << level))
        for below in range(level + 1):
            self._client.set(self._keys.sums(level - below, model.name), fold(packed_sums, below))
        packed = (pack_entry(*entry) for entry in entries)
        for shard, part in enumerate(self._spread(packed, levels)):
            self._set(self._keys.index(shard, model.name), {bucket: pack_entries(of) for bucket, of in part.items()})
        for shard, part in enumerate(self._spread((pack_edge(*edge) for edge in edges), levels)):
            self._set(self._keys.edges(shard, model.name), {bucket: b"".join(of) for bucket, of in part.items()})
        self._set(self._keys.nodes(model.name), nodes)
        counts = list(map(NODE.unpack, nodes.values()))
        counted = model.objects - len(nodes) + sum(counted for counted, _ in counts)
        totals = Totals(level, counted, sum(skipped for _, skipped in counts), levels)
        self._set(self._keys.totals(model.name), totals.fields())
        self._client.hsetnx(self._keys.schema, model.name, "")

    def finish(self, reason: str) -> None:
        known: dict[str, Any] = {"undigested": reason} if reason else {"indexed": 1, "shards": self._shards}
        self._client.hset(self._keys.record, mapping=known)
        models = [name.decode() for name in self._client.hkeys(self._keys.schema)]
        kinds = ("index", "edges", "sums", "nodes", "totals")
        keys = [key for key in self._keys.all(models, self._shards) if key.split("}:")[1].split(":")[0] in kinds]
        self._client.hset(self._keys.record, "index_keys", self._client.exists(*keys) if keys else 0)

    def _spread(self, packed: Iterable[bytes], levels: dict[int, int]) -> Iterator[dict[int, list[bytes]]]:
        """Yield the buckets of each shard. An id is the first text of what is packed."""
        parts = [defaultdict[int, list[bytes]](list) for _ in range(self._shards)]
        for item in packed:
            uid = item[2 : 2 + int.from_bytes(item[:2], "big")]
            shard = self._chance.randrange(self._shards)
            parts[shard][bucket_of(uid, levels[shard])].append(item)
        return iter(parts)

    def _set(self, key: str, fields: dict[Any, Any]) -> None:
        if fields:
            self._client.hset(key, mapping=fields)
