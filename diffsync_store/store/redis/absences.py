"""How many loads of a source in a row have lacked an object that the target has, in Redis. It never expires."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import AbsenceKeys, encode_uids

_BATCH = 1000
"""Objects of one command."""
_KEPT = 2
"""Loads whose counts are kept: the last one may be compared again."""


class RedisAbsences:
    """Counts the loads of one comparison. For one thread.

    Two comparisons of the same load count it once, also at the same time.

    Args:
        client: the client of a connection.
        source_name: the name of the source.
        target_name: the name of the target.
        generation: the generation of the source's store. Each generation is a load.
        namespace: the namespace of the stores.
    """

    def __init__(self, client: Any, source_name: str, target_name: str, generation: str, namespace: str = "") -> None:
        self._redis = client
        self._keys = AbsenceKeys(source_name, target_name, namespace)
        self._generation = generation
        self._number = self._begin()
        self._models: set[str] = set()

    def _begin(self) -> int:
        """Return the number of this load; a generation that was compared last has its number already."""
        with translated_errors():
            number, generation = self._redis.hmget(self._keys.record, "number", "generation")
        last = int(number or 0)
        return last if generation == self._generation.encode() and last else last + 1

    def count(self, model: str, doubtful: Mapping[str, bool]) -> dict[str, int]:
        """Count one more load that lacks objects, and return for each how many have lacked it in a row.

        Args:
            model: the model.
            doubtful: by unique id, whether the load does not prove that the object is gone, because it is partial. It neither
                counts nor ends the row.
        """
        found: dict[str, int] = {}
        uids = list(doubtful)
        for start in range(0, len(uids), _BATCH):
            found.update(self._count_batch(model, uids[start : start + _BATCH], doubtful))
        return found

    def _count_batch(self, model: str, uids: Sequence[str], doubtful: Mapping[str, bool]) -> dict[str, int]:
        names = encode_uids(uids)
        with translated_errors():
            before = self._redis.hmget(self._keys.objects(self._number - 1, model), names)
            counts = {uid: int(number or 0) + (not doubtful[uid]) for uid, number in zip(uids, before, strict=True)}
            self._redis.hset(
                self._keys.objects(self._number, model), mapping=dict(zip(names, counts.values(), strict=True))
            )
        self._models.add(model)
        return counts

    def end(self) -> None:
        """Make this load the last one, and forget those before the one before it."""
        record = self._keys.record
        with translated_errors():
            known = self._redis.hget(record, f"models:{self._number}")
            models = sorted(self._models.union(json.loads(known) if known else ()))
            facts = {"number": self._number, "generation": self._generation}
            self._redis.hset(record, mapping={**facts, f"models:{self._number}": json.dumps(models)})
            old = self._number - _KEPT
            if text := self._redis.hget(record, f"models:{old}"):
                self._redis.unlink(*(self._keys.objects(old, model) for model in json.loads(text)))
                self._redis.hdel(record, f"models:{old}")
