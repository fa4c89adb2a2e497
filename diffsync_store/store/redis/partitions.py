"""Partitions of a store: ranges of unique ids, each with a hash tag of its own, so that a cluster spreads them over nodes.

A store on a single server has one partition. On a cluster the hash slots of the partitions lie at equal distances, so
that nodes with equal ranges of slots get equal parts of every store.
"""

from __future__ import annotations

import zlib
from binascii import crc_hqx
from functools import lru_cache

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
