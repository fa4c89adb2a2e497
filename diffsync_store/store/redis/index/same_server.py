"""Compare two stores inside the server that has both, so that only what differs leaves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from diffsync_store.store.index.format import Totals, decode_uid
from diffsync_store.store.index.store_index import Difference, IndexUnusable
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.connection.driver import redis, redis_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts import index as scripts

_MAX_LEVELS_APART = 4
"""If the buckets of the stores are more levels apart, comparing one bucket could block the server."""
_RELOADED, _LOST = -1, -2
_REFUSALS = ("CROSSSLOT", "ACL failure in script", "user executing the script can't")


@dataclass(frozen=True)
class Side:
    """One model of one of the stores."""

    client: Any
    keys: StoreKeys
    generation: str
    model: str
    totals: Totals
    require_same_load: Callable[[], None]

    def server(self) -> str:
        """Return the run id of the server. It changes with each start."""
        client = self.client
        with translated_errors():
            if isinstance(client, redis.RedisCluster):
                node: Any = client.get_node_from_key(self.keys.record)  # type: ignore[no-untyped-call]
                return str(client.info("server", target_nodes=node)["run_id"])
            return str(client.info("server")["run_id"])

    def entries(self) -> list[str]:
        """Return the keys of the entries of all shards."""
        return [self.keys.index(shard, self.model) for shard in self.totals.levels]

    def levels(self) -> list[int]:
        """Return the level of each shard's own buckets."""
        return list(self.totals.levels.values())


def compare_in_server(source: Side, target: Side) -> Iterator[Difference] | None:
    """Yield the objects that differ; None if the stores do not lie in one server, or in one slot of a cluster."""
    if not _are_together(source, target):
        return None
    level = min(source.totals.level, target.totals.level)
    if max(*source.levels(), *target.levels(), source.totals.level, target.totals.level) - level > _MAX_LEVELS_APART:
        return None
    comparison = _Comparison(source, target, level)
    first = comparison.call(0)
    return None if first is None else comparison.differences(first)


class _Comparison:
    """The calls of one comparison. Use it from one thread."""

    def __init__(self, source: Side, target: Side, level: int) -> None:
        self._sides = source, target
        self._level = level
        self._keys = [side.keys.record for side in self._sides]
        self._keys += [side.keys.sums(level, side.model) for side in self._sides]
        self._keys += [*source.entries(), *target.entries()]
        self._levels = [*source.levels(), *target.levels()]

    def call(self, bucket: int) -> tuple[int, bytes] | None:
        """Compare from a bucket on; return the next one and what differs, or None if the server refuses."""
        source, target = self._sides
        numbers = len(source.entries()), bucket, self._level
        arguments = [source.generation, target.generation, *numbers, *self._levels]
        with translated_errors():
            try:
                following, packed = scripts.COMPARE(source.client, self._keys, arguments)
            except redis_errors.ResponseError as error:
                if isinstance(error, redis_errors.NoPermissionError) or any(text in str(error) for text in _REFUSALS):
                    return None
                raise
        if following == _RELOADED:
            source.require_same_load()
            target.require_same_load()
            return None  # the source's connection sees another store under the target's key
        if following == _LOST:
            raise IndexUnusable("sums and entries do not match")
        return following, packed

    def differences(self, answer: tuple[int, bytes] | None) -> Iterator[Difference]:
        """Yield what differs, from the first answer on."""
        while answer is not None:
            bucket, packed = answer
            yield from _unpack(packed)
            if bucket >= 1 << self._level:
                return
            answer = self.call(bucket)
        raise IndexUnusable("the server has refused to go on")


def _are_together(source: Side, target: Side) -> bool:
    if isinstance(source.client, redis.RedisCluster):
        slot: Any = source.client.keyslot
        if slot(source.keys.record) != slot(target.keys.record):
            return False
    return source.client is target.client or source.server() == target.server()


def _unpack(packed: bytes) -> Iterator[Difference]:
    at, end = 0, len(packed)
    while at < end:
        after = at + 4 + (packed[at + 2] << 8 | packed[at + 3])
        yield Difference(decode_uid(packed[at + 4 : after]), chr(packed[at]), chr(packed[at + 1]))
        at = after
