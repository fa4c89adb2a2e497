"""What syncs have written to one target, in Redis. It never expires."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from diffsync_store.field_rules.memory import Adoption, Changes, Remembered, TargetMemory
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import MemoryKeys, encode_uids
from diffsync_store.store.redis.record import server_time

_BATCH = 1000
"""Objects of one command."""
_SALT = "salt"
_MODEL = "model:"
_ADOPTION = "adoption:"


class RedisTargetMemory(TargetMemory):
    """The memory of a target in Redis, which all syncs of the target share. Threads may share it.

    Args:
        client: the client of a connection.
        target_name: the name of the target.
        namespace: the namespace of the stores and the diffs.
    """

    def __init__(self, client: Any, target_name: str, namespace: str = "") -> None:
        self._redis = client
        self._keys = MemoryKeys(target_name, namespace)
        self._salt = b""
        self._models: set[str] = set()

    @property
    def salt(self) -> bytes:
        if not self._salt:
            with translated_errors():
                self._redis.hsetnx(self._keys.record, _SALT, secrets.token_hex(16))
                self._salt = self._redis.hget(self._keys.record, _SALT)
        return self._salt

    def is_empty(self) -> bool:
        return not self.models()

    def models(self) -> list[str]:
        with translated_errors():
            names = [name.decode("utf-8", "surrogatepass") for name in self._redis.hkeys(self._keys.record)]
        return [name.removeprefix(_MODEL) for name in names if name.startswith(_MODEL)]

    def read(self, model: str, uids: Sequence[str]) -> dict[str, Remembered]:
        found: dict[str, Remembered] = {}
        for start in range(0, len(uids), _BATCH):
            batch = uids[start : start + _BATCH]
            with translated_errors():
                texts = self._redis.hmget(self._keys.objects(model), encode_uids(batch))
            found.update((uid, Remembered.from_json(text)) for uid, text in zip(batch, texts, strict=True) if text)
        return found

    def write(self, changes: Changes) -> None:
        written: dict[str, dict[str | bytes, str]] = {}
        forgotten: dict[str, list[str]] = {}
        for (model, uid), one in changes.items():
            if one is None:
                forgotten.setdefault(model, []).append(uid)
            else:
                written.setdefault(model, {})[encode_uids([uid])[0]] = one.to_json()
        with translated_errors():
            for model, texts in written.items():
                self._note_model(model)
                pairs = list(texts.items())
                for start in range(0, len(pairs), _BATCH):
                    self._redis.hset(self._keys.objects(model), mapping=dict(pairs[start : start + _BATCH]))
            for model, uids in forgotten.items():
                for start in range(0, len(uids), _BATCH):
                    self._redis.hdel(self._keys.objects(model), *encode_uids(uids[start : start + _BATCH]))

    def _note_model(self, model: str) -> None:
        if model not in self._models:
            self._redis.hset(self._keys.record, f"{_MODEL}{model}", "")
            self._models.add(model)

    def uids(self, model: str) -> Iterator[list[str]]:
        cursor = 0
        while True:
            with translated_errors():
                cursor, found = self._redis.hscan(self._keys.objects(model), cursor, count=_BATCH)
            if found:
                yield [uid.decode("utf-8", "surrogatepass") for uid in found]
            if not cursor:
                return

    def note_adoption(self, adoption: Adoption) -> None:
        with translated_errors():
            self._redis.hset(self._keys.record, f"{_ADOPTION}{uuid4().hex}", adoption.model_dump_json())

    def adoptions(self) -> list[Adoption]:
        with translated_errors():
            facts = self._redis.hgetall(self._keys.record)
        texts = [text for name, text in facts.items() if name.startswith(_ADOPTION.encode())]
        return sorted(map(Adoption.model_validate_json, texts), key=lambda adoption: adoption.at)

    def clear(self) -> None:
        models = self.models()
        with translated_errors():
            self._redis.unlink(self._keys.record, *map(self._keys.objects, models))
        self._salt, self._models = b"", set()

    def now(self) -> float:
        """Return the time in seconds since 1970, by the clock of Redis."""
        return server_time(self._redis, self._keys.record).timestamp()

    def bytes_used(self) -> int:
        """Return the memory that Redis uses for it."""
        keys = [self._keys.record, *map(self._keys.objects, self.models())]
        with translated_errors():
            return sum(self._redis.memory_usage(key) or 0 for key in keys)
