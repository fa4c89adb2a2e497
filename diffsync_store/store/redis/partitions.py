"""Partitions of a store: ranges of unique ids, each with a hash tag of its own, so that a cluster spreads them over nodes.

A store on a single server has one partition. On a cluster the hash slots of the partitions lie at equal distances, so
that nodes with equal ranges of slots get equal parts of every store.
"""

from __future__ import annotations

import zlib
from binascii import crc_hqx
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.connection.driver import redis
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts.pipeline import call_each
from diffsync_store.store.redis.scripts.store import HASH

SLOTS = 16384
"""Hash slots of a cluster."""
MOST = 1024
PER_NODE = 8
"""Partitions for each node of a cluster, at least: nodes then differ by an eighth at most."""
FEWEST = 32

_TOLERANCE = 16
"""Slots by which a partition may be off its place; finding a tag for the exact slot would take much longer."""


def slot_of(tag: str) -> int:
    """Return the slot of keys with this hash tag."""
    return crc_hqx(tag.encode(), 0) % SLOTS


def number_for(nodes: int) -> int:
    """Return the number of partitions, a power of two, for a cluster of so many masters; 1 without a cluster."""
    if not nodes:
        return 1
    return min(MOST, max(FEWEST, 1 << (PER_NODE * nodes - 1).bit_length()))


def partition_of(uid: str, number: int) -> int:
    """Return the partition of a unique id: the top bits of its hash, as of the buckets of the index."""
    return zlib.crc32(uid.encode("utf-8", "surrogatepass")) * number >> 32


@lru_cache(maxsize=256)
def tags_of(store_id: str, number: int) -> tuple[str, ...]:
    """Return the hash tag of each partition. The first is the store's id.

    The others have a colon, which no id of a store has, and a number: the first one whose slot is near the partition's
    place. The same arguments always give the same tags: processes need only agree on the number.
    """
    first, distance = slot_of(store_id), SLOTS // number
    tags = [store_id, *[""] * (number - 1)]
    missing, candidate = number - 1, 0
    while missing:
        candidate += 1
        tag = f"{store_id}:{candidate}"
        place, off = divmod((slot_of(tag) - first + distance // 2) % SLOTS, distance)
        if not tags[place] and abs(off - distance // 2) <= min(_TOLERANCE, distance // 2):
            tags[place] = tag
            missing -= 1
    return tuple(tags)


class Partitions:
    """The keys of each partition of a store. Threads may share it.

    Each partition has the keys of a store for the objects with its unique ids. The first one also has the store's record, index and
    shards; the records of the others only admit writers to their partition.
    """

    def __init__(self, first: StoreKeys, number: int) -> None:
        self.first = first
        tags = tags_of(first.store_id, number)
        self.keys = [first, *(StoreKeys(first.store_id, first.namespace, tag) for tag in tags[1:])]

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, uid: str) -> int:
        """Return the number of the partition of a unique id."""
        return partition_of(uid, len(self)) if len(self) > 1 else 0

    def group_bytes(self, uids: Iterable[bytes]) -> dict[int, list[bytes]]:
        """Return unique ids in UTF-8 by the number of their partition."""
        groups: dict[int, list[bytes]] = {}
        for uid in uids:
            groups.setdefault(zlib.crc32(uid) * len(self) >> 32, []).append(uid)
        return groups

    def group(self, uids: Iterable[str]) -> dict[int, list[str]]:
        """Return unique ids by the number of their partition."""
        if len(self) == 1:
            return {0: list(uids)}
        groups: dict[int, list[str]] = {}
        for uid in uids:
            groups.setdefault(self.of(uid), []).append(uid)
        return groups


def read_counts(client: Any, partitions: Partitions) -> dict[str, int]:
    """Return the number of objects by model."""
    counts: Counter[str] = Counter()
    with translated_errors():
        for found in call_each(client, HASH, [([keys.counts], []) for keys in partitions.keys]):
            counts.update({name.decode(): int(count) for name, count in zip(found[::2], found[1::2], strict=True)})
    return dict(counts)


def read_partitions(client: Any, keys: StoreKeys) -> Partitions:
    """Return the partitions of a store; those that it would get if it does not exist."""
    with translated_errors():
        return partitions_of(client, keys, client.hget(keys.record, "partitions"))


def partitions_of(client: Any, keys: StoreKeys, recorded: bytes | None) -> Partitions:
    """Return the partitions of a store whose record has this number of them, or none."""
    return Partitions(keys, int(recorded) if recorded else number_for(_nodes(client)))


def _nodes(client: Any) -> int:
    """Return the number of masters of a cluster; 0 without one."""
    masters: Callable[..., Any] = getattr(client, "get_primaries", list)
    return len(masters()) if isinstance(client, redis.RedisCluster) else 0
