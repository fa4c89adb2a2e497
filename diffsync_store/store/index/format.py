"""The bytes of an index, as a load writes them and as a comparison reads them.

Objects are in buckets by a hash of their unique id. At level L there are 2^L buckets, and two buckets of a level form one of the
level below: the objects of bucket B at level L are in bucket B // 2 at level L - 1.

    entry    the digest of an object: '>H' length, unique id, 12 bytes digest, 1 byte flag
    edge     an object and one that lists it as child: child's unique id, parent's model, parent's unique id, each with '>H' length
    node     '>II' number of objects at and below an object that a diff counts, and that it skips. An ignored object skips one, and
             nothing below it counts. Only nodes of objects that list children or are ignored are kept: the others are (1, 0)
    sums     of a level: for each bucket 12 bytes, the sum of its digests modulo 2^96
    totals   of a model, a hash: `level` of its sums, `counted` and `skipped`, the nodes of all its objects added up; and for each
             number of a shard the level of the shard's own buckets of entries and edges, which may be any

The entries of a bucket are in the order of their bytes, so equal buckets have equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha1
from typing import Self
from zlib import crc32

from diffsync_store.store.digest import SIZE

NORMAL, IGNORED, MISSING = b"-", b"i", b"m"
"""Flags of an entry: compared by a diff; ignored by it, with all objects below; listed by a parent but not stored."""

MAX_TEXT = 65_535
"""Maximum bytes of a unique id or a model name. A store with a longer one has no index."""

MAX_LEVEL = 20
GROUPS = 16
"""Groups of a bucket, see `group_of`."""

_OBJECTS_IN_BUCKET = 64
_MIN_OWN_IN_BUCKET = 4
_FINER = 3

NODE = struct.Struct(">II")
"""Number of objects at and below an object that a diff counts, and that it skips."""
MAX_NODE = (1 << 32) - 1
"""Most objects at and below an object that a node can count. A store with more of them has no index."""
LEAF = (1, 0)
"""The node of an object that is not kept."""

_LENGTH = struct.Struct(">H")
_LENGTHS = [_LENGTH.pack(length) for length in range(256)]
_DIGEST = SIZE + 1
_MASK = (1 << 8 * SIZE) - 1
_LANE = 16
"""Bytes for a sum while sums are added: four more, for what is carried."""


def encode_uid(uid: str) -> bytes:
    """Return the bytes of a unique id. Lone surrogates are kept."""
    return uid.encode("utf-8", "surrogatepass")


def encode_all_uids(uids: Collection[str]) -> list[bytes]:
    """Return the bytes of unique ids, as `encode_uid` does."""
    try:
        return list(map(str.encode, uids))
    except UnicodeEncodeError:
        return list(map(encode_uid, uids))


def decode_uid(uid: bytes) -> str:
    """Return the unique id of these bytes."""
    return uid.decode("utf-8", "surrogatepass")


def fits(*texts: bytes) -> bool:
    """Whether unique ids and model names are short enough for an index."""
    return all(len(text) <= MAX_TEXT for text in texts)


def with_lengths(texts: Collection[bytes]) -> Iterator[bytes]:
    """Yield each text with its '>H' length before it."""
    sizes = list(map(len, texts))
    if max(sizes, default=0) < len(_LENGTHS):
        return map(bytes.__add__, map(_LENGTHS.__getitem__, sizes), texts)
    return map(bytes.__add__, map(_LENGTH.pack, sizes), texts)


# Buckets


def bucket_of(uid: bytes, level: int) -> int:
    """Return the bucket of a unique id at a level."""
    return crc32(uid) >> (32 - level)


def group_of(uid: bytes) -> int:
    """Return the group of a unique id within its bucket, from 0 to 15: the first hex digit of its SHA-1."""
    return sha1(uid, usedforsecurity=False).digest()[0] >> 4


def level_of(objects: int) -> int:
    """Return the level of the buckets of a model: about 64 objects are in each."""
    return min(MAX_LEVEL, (max(objects - 1, 0) // _OBJECTS_IN_BUCKET).bit_length())


def level_of_shard(objects: int, shards: int) -> int:
    """Return the level at which a shard writes its own objects of a model.

    It is at least the level of the whole store if the shards have about the same size: sums can only be folded to a lower level.
    """
    if shards <= 1:
        return level_of(objects)
    finest = max((objects // _MIN_OWN_IN_BUCKET).bit_length() - 1, 0)
    return min(MAX_LEVEL, finest, level_of(objects * shards) + _FINER)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the index of a model has in all, and at which levels. Threads may share it."""

    level: int
    """Level of the finest sums."""
    counted: int
    skipped: int
    """The nodes of all objects added up."""
    levels: Mapping[int, int]
    """Level of each shard's buckets, by the number of the shard."""

    def fields(self) -> dict[str, int]:
        """Return the fields of the hash in Redis."""
        of_shards = {str(shard): level for shard, level in self.levels.items()}
        return {"level": self.level, "counted": self.counted, "skipped": self.skipped, **of_shards}

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> Self | None:
        """Return the totals from the fields of the hash; None if there is no such hash."""
        if not fields:
            return None
        levels = {int(name): int(level) for name, level in fields.items() if name.isdigit()}
        return cls(int(fields[b"level"]), int(fields[b"counted"]), int(fields[b"skipped"]), levels)


# Entries, edges


def pack_entry(uid: bytes, digest: bytes) -> bytes:
    """Return an entry; `digest` includes the flag, as from `digest_of`."""
    return _LENGTH.pack(len(uid)) + uid + digest


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """Return the entries of a bucket."""
    return b"".join(sorted(entries))


def unpack_entries(packed: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield unique id and digest with flag of each entry."""
    at, end = 0, len(packed)
    while at < end:
        start = at + 2
        after = start + (packed[at] << 8 | packed[at + 1])
        at = after + _DIGEST
        yield packed[start:after], packed[after:at]


def pack_edge(child: bytes, parent_model: bytes, parent: bytes) -> bytes:
    """Return an edge."""
    lengths = _LENGTH.pack(len(child)), _LENGTH.pack(len(parent_model)), _LENGTH.pack(len(parent))
    return b"".join((lengths[0], child, lengths[1], parent_model, lengths[2], parent))


def unpack_edges(packed: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the unique id of the child, and the model and the unique id of the parent, of each edge."""
    texts = _texts(packed)
    return zip(texts, texts, texts, strict=True)


def _texts(packed: bytes) -> Iterator[bytes]:
    at, end = 0, len(packed)
    while at < end:
        start = at + 2
        at = start + (packed[at] << 8 | packed[at + 1])
        yield packed[start:at]


# Sums


def sum_of(digests: Iterable[bytes]) -> bytes:
    """Return the sum of digests, without their flags."""
    total = sum(int.from_bytes(digest[:SIZE], "big") for digest in digests)
    return (total & _MASK).to_bytes(SIZE, "big")


def add_sums(first: bytes, *others: bytes) -> bytes:
    """Add the sums of one level of several shards.

    Raises:
        ValueError: they have different numbers of buckets.
    """
    if not others:
        return first
    if any(len(other) != len(first) for other in others):
        raise ValueError(
            f"The sums have different numbers of buckets: {[len(one) // SIZE for one in (first, *others)]}."
        )
    return _from_lanes(sum(_to_lanes(sums, SIZE, 0) for sums in (first, *others)), len(first) // SIZE)


def fold(sums: bytes, levels: int = 1) -> bytes:
    """Return the sums of a lower level, by default of the next one.

    Raises:
        ValueError: there is no such level.
    """
    if levels < 0 or len(sums) % (SIZE << levels):
        raise ValueError(f"{len(sums) // SIZE} buckets cannot be folded by {levels} levels.")
    for _ in range(levels):
        sums = _from_lanes(_to_lanes(sums, 2 * SIZE, 0) + _to_lanes(sums, 2 * SIZE, SIZE), len(sums) // SIZE // 2)
    return sums


def _to_lanes(sums: bytes, step: int, first: int) -> int:
    """Return one number with a lane for the sum at every `step` bytes, from byte `first` on."""
    lanes = bytearray(len(sums) // step * _LANE)
    for byte in range(SIZE):
        lanes[_LANE - SIZE + byte :: _LANE] = sums[first + byte :: step]
    return int.from_bytes(lanes, "big")


def _from_lanes(number: int, buckets: int) -> bytes:
    lanes = number.to_bytes(buckets * _LANE + 1, "big")[1:]
    sums = bytearray(buckets * SIZE)
    for byte in range(SIZE):
        sums[byte::SIZE] = lanes[_LANE - SIZE + byte :: _LANE]
    return bytes(sums)
