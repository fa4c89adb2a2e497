"""Read the digests of objects and their subtrees from Redis."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diffsync_store.store.digest import SIZE
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys, encode_uids
from diffsync_store.store.redis.scripts.subtree_digests import MEMBERS, NODE_SIZE, SUBTREES, SUMS
from diffsync_store.store.subtree_digests import BucketSums, SubtreeDigest, SubtreeDigests

_NODE = struct.Struct(f">{SIZE}sIII")
_LENGTH = struct.Struct(">I")
_SUM = struct.Struct(f">H{SIZE}s")
_BATCH = 5000
_BUCKETS = 1000


class RedisSubtreeDigests(SubtreeDigests):
    """The digests of one store in Redis."""

    def __init__(self, client: Any, keys: StoreKeys, schemas: Mapping[str, ModelSchema]) -> None:
        self._redis = client
        self._keys = [keys.record]
        self.schemas = schemas

    def of(self, model: str, uids: Sequence[str]) -> list[SubtreeDigest]:
        found: list[SubtreeDigest] = []
        for start in range(0, len(uids), _BATCH):
            with translated_errors():
                packed = SUBTREES(self._redis, self._keys, [model, *encode_uids(uids[start : start + _BATCH])])
            found += map(SubtreeDigest._make, _NODE.iter_unpack(packed))
        return found

    def sums(self, model: str) -> BucketSums | None:
        with translated_errors():
            answer = SUMS(self._redis, self._keys, [model])
        if not answer:
            return None
        counted, skipped, missing, packed = answer
        return BucketSums(counted, skipped, missing, dict(_SUM.iter_unpack(packed)))

    def members(self, model: str, buckets: Iterable[int]) -> dict[str, SubtreeDigest]:
        found: dict[str, SubtreeDigest] = {}
        names = list(buckets)
        for start in range(0, len(names), _BUCKETS):
            with translated_errors():
                packed = MEMBERS(self._redis, self._keys, [model, *names[start : start + _BUCKETS]])
            at = 0
            while at < len(packed):
                end = at + 4 + _LENGTH.unpack_from(packed, at)[0]
                found[packed[at + 4 : end].decode()] = SubtreeDigest._make(_NODE.unpack_from(packed, end))
                at = end + NODE_SIZE
        return found
