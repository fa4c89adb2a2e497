"""The journal of a saved diff in Redis: it lives and expires with the diff."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.store.redis_connection import translated_errors
from diffsync_store.store.redis_keys import DiffKeys
from diffsync_store.sync.journal import Application, Approval, Entry, Journal

_BATCH = 1000
_RENEWED_AFTER = 60.0
"""Seconds after which a write renews the time to live."""


class RedisJournal(Journal):
    """The journal of the diff that has these keys."""

    def __init__(self, client: Any, keys: DiffKeys, ttl: int) -> None:
        self._redis = client
        self._keys = keys
        self._ttl = ttl
        self._renewed = 0.0

    def is_empty(self) -> bool:
        with translated_errors():
            return not self._redis.exists(self._keys.journal)

    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            with translated_errors():
                texts = self._redis.hmget(self._keys.journal, batch)
            found.update((name, Entry.parsed(text)) for name, text in zip(batch, texts, strict=True) if text)
        return found

    def write(self, entries: Mapping[str, Entry]) -> None:
        if not entries:
            return
        values = {name: entry.dumped() for name, entry in entries.items()}
        with translated_errors():
            self._redis.hset(self._keys.journal, mapping=values)
            if time.monotonic() - self._renewed > _RENEWED_AFTER or not self._renewed:
                self._renew()

    def _renew(self) -> None:
        for key in self._keys.all():
            self._redis.expire(key, self._ttl)
        self._renewed = time.monotonic()

    def application(self) -> Application | None:
        with translated_errors():
            text = self._redis.get(self._keys.application)
        return Application.model_validate_json(text) if text else None

    def conclude(self, application: Application) -> None:
        with translated_errors():
            self._redis.set(self._keys.application, application.model_dump_json(), ex=self._ttl)
            self._renew()

    def approval(self) -> Approval | None:
        with translated_errors():
            text = self._redis.get(self._keys.approval)
        return Approval.model_validate_json(text) if text else None

    def approve(self, approval: Approval) -> None:
        with translated_errors():
            self._redis.set(self._keys.approval, approval.model_dump_json(), ex=self._ttl)
            self._renew()
