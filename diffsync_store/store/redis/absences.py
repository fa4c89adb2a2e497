"""How many loads of a source in a row have lacked an object that the target has, in Redis. It never expires."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import AbsenceKeys, encode_uids
from diffsync_store.store.redis.scripts import absences as scripts

_BATCH = 1000
"""Objects of one command."""
_KEPT = 2
"""Loads whose counts are kept: the last one may be compared again, and counts on from the one before it."""
_UNRECORDED = 7 * 86400
"""Seconds until the counts of a comparison that has not ended are dropped."""

Loads = dict[str, list[str]]
"""The models that each load has lacked objects of, by generation; the last load first."""


class RedisAbsences:
    """Counts the loads of one comparison. For one thread.

    Two comparisons of the same load count it once, also at the same time. A comparison that does not end counts nothing.

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
        self._models: set[str] = set()
        self._last, loads = self._read()[1:]
        self._before = next((one for one in loads if one != generation), None)

    def _read(self) -> tuple[bytes, str, Loads]:
        """Return the record, the generation of the last load, and the loads of the record."""
        with translated_errors():
            text = self._redis.get(self._keys.record) or b""
        loads: Loads = json.loads(text) if text else {}
        return text, next(iter(loads), ""), loads

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
        before: Sequence[bytes | None] = [None] * len(names)
        with translated_errors():
            if self._before is not None:
                before = self._redis.hmget(self._keys.objects(self._before, model), names)
            counts = {uid: int(number or 0) + (not doubtful[uid]) for uid, number in zip(uids, before, strict=True)}
            written = chain.from_iterable(zip(names, counts.values(), strict=True))
            scripts.COUNT(self._redis, [self._keys.objects(self._generation, model)], [_UNRECORDED, *written])
        self._models.add(model)
        return counts

    def end(self) -> None:
        """Make this load the last one, and forget those before the one before it.

        If a comparison of another load has ended meanwhile, that load is the last one, and this one does not count.
        """
        while True:
            text, last, loads = self._read()
            if last not in {self._last, self._generation}:
                return
            models = sorted(self._models.union(loads.pop(self._generation, ())))
            kept = dict([(self._generation, models), *loads.items()][:_KEPT])
            if self._record(text, kept, models):
                for generation in loads.keys() - kept.keys():
                    self._forget(generation, loads[generation])
                return

    def _record(self, before: bytes, loads: Loads, models: Sequence[str]) -> bool:
        """Write the record, unless it is another one by now; return whether it was written."""
        keys = [self._keys.record, *(self._keys.objects(self._generation, model) for model in models)]
        with translated_errors():
            return bool(scripts.END(self._redis, keys, [before, json.dumps(loads)]))

    def _forget(self, generation: str, models: Sequence[str]) -> None:
        if models:
            with translated_errors():
                self._redis.unlink(*(self._keys.objects(generation, model) for model in models))
