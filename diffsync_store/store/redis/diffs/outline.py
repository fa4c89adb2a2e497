"""The outline of a saved diff in Redis: a hash beside its elements, which expires with the diff."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from diffsync_store.exceptions import DiffNotFound
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import DiffKeys


class OutlineFields:
    """The fields of one outline. Threads may share it.

    Their names begin with a random word, and a last field says which record the word belongs to. So two processes that save under the
    same id never mix their fields, and a diff never gets the outline of one that it has replaced.

    Args:
        client: a redis-py client.
        keys: the keys of the diff.
        word: the word of an outline that exists; by default a new one.
    """

    def __init__(self, client: Any, keys: DiffKeys, word: str = "") -> None:
        self._redis = client
        self._keys = keys
        self._word = word or secrets.token_hex(8)

    @classmethod
    def find(cls, client: Any, keys: DiffKeys, created: datetime) -> Self | None:
        """Return the outline of the diff that was created at this time; None if it has none."""
        with translated_errors():
            word = client.hget(keys.outline, _owner(created))
        return None if word is None else cls(client, keys, word.decode())

    def write(self, fields: Mapping[str, bytes], ttl: int) -> None:
        """Write fields, which last this many seconds."""
        mapping = {f"{self._word}:{name}": value for name, value in fields.items()}
        with translated_errors():
            self._redis.hset(self._keys.outline, mapping=mapping)
            self._redis.expire(self._keys.outline, ttl)

    def publish(self, created: datetime, ttl: int) -> None:
        """Let `find` return this outline for the diff that was created at this time."""
        with translated_errors():
            self._redis.hset(self._keys.outline, _owner(created), self._word)
            self._redis.expire(self._keys.outline, ttl)

    def read(self, *names: str) -> list[bytes]:
        """Return fields in one round trip.

        Raises:
            DiffNotFound: one of them is gone.
        """
        if not names:
            return []
        with translated_errors():
            found: list[bytes | None] = self._redis.hmget(
                self._keys.outline, [f"{self._word}:{name}" for name in names]
            )
        if None in found:
            raise DiffNotFound(
                f"Diff {self._keys.diff_id!r} was dropped or expired while it was read. Make a new diff."
            )
        return [value for value in found if value is not None]


def _owner(created: datetime) -> str:
    return f"of {created.isoformat()}"
