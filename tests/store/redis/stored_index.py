"""The index of a store as it is in Redis, independent of how many shards wrote it."""

from __future__ import annotations

from typing import Any, NamedTuple

from diffsync_store.store.digest import SIZE
from diffsync_store.store.index.format import (
    LEAF,
    NODE,
    Totals,
    bucket_of,
    decode_uid,
    sum_of,
    unpack_edges,
    unpack_entries,
)
from diffsync_store.store.redis.keys import StoreKeys


class StoredIndex(NamedTuple):
    """What an index says of the objects of one model."""

    entries: dict[str, bytes]
    """Digests with flags; of children that are not stored only the flag."""
    edges: frozenset[tuple[str, str, str]]
    nodes: dict[str, tuple[int, int]]
    level: int
    total: tuple[int, int]


def read_index(client: Any, store_id: str, model: str) -> StoredIndex | None:
    """Read the index of a model; check that buckets, sums and totals agree."""
    keys = StoreKeys(store_id)
    totals = Totals.read(client.hgetall(keys.totals(model)))
    if totals is None:
        return None
    entries: dict[bytes, bytes] = {}
    edges = set()
    for shard, level in totals.levels.items():
        for bucket, packed in client.hgetall(keys.index(shard, model)).items():
            found = dict(unpack_entries(packed))
            assert all(bucket_of(uid, level) == int(bucket) for uid in found)
            assert not found.keys() & entries.keys()
            entries |= found
        for bucket, packed in client.hgetall(keys.edges(shard, model)).items():
            for edge in unpack_edges(packed):
                assert bucket_of(edge[0], level) == int(bucket)
                assert edge not in edges
                edges.add(edge)
    for level in range(totals.level + 1):
        sums = client.get(keys.sums(level, model))
        assert len(sums) == SIZE << level
        for bucket in range(1 << level):
            digests = [digest for uid, digest in entries.items() if bucket_of(uid, level) == bucket]
            assert sums[bucket * SIZE : (bucket + 1) * SIZE] == sum_of(digests)
    nodes = {decode_uid(uid): NODE.unpack(node) for uid, node in client.hgetall(keys.nodes(model)).items()}
    counts = [nodes.get(decode_uid(uid), LEAF) for uid, digest in entries.items() if not digest.endswith(b"m")]
    assert (totals.counted, totals.skipped) == (sum(n for n, _ in counts), sum(k for _, k in counts))
    if not entries:
        return None
    return StoredIndex(
        {decode_uid(uid): digest[SIZE:] if digest.endswith(b"m") else digest for uid, digest in entries.items()},
        frozenset((decode_uid(child), decode_uid(parent), decode_uid(uid)) for child, parent, uid in edges),
        nodes,
        totals.level,
        (totals.counted, totals.skipped),
    )
