"""When the two sides of each sync were last equal. It outlives the stores and the diffs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import check_namespace, in_sync_of

_WATCHED = "watched "
"""Prefix of the time of the first look at a sync that has never been seen in sync."""


class InSync(NamedTuple):
    """What is known about a sync."""

    at: datetime
    """When the source was loaded that the target equalled; or when somebody first asked."""
    is_known: bool
    """Whether the two sides were ever seen to be equal."""


class RedisInSync:
    """When the syncs of one namespace were last in sync. Threads may share it, as they share the connection.

    Args:
        connection: the connection; the caller closes it.
        namespace: the namespace of the stores.
    """

    def __init__(self, connection: Connection, namespace: str = "") -> None:
        self._redis: Any = connection.client
        self._key = in_sync_of(check_namespace(namespace))

    def read(self, source: str, target: str) -> datetime | None:
        """Return when a target last equalled its source; None if it never did."""
        found = self._read(source, target)
        return found.at if found is not None and found.is_known else None

    def record(self, source: str, target: str, at: datetime) -> None:
        """Remember that a target equalled its source, unless a later time is known."""
        before = self.read(source, target)
        if before is None or at > before:
            with translated_errors():
                self._redis.hset(self._key, _field(source, target), at.astimezone(UTC).isoformat())

    def watch(self, source: str, target: str, now: datetime) -> InSync:
        """Return what is known; for a sync that was never in sync, remember the first time that somebody asked."""
        with translated_errors():
            self._redis.hsetnx(self._key, _field(source, target), f"{_WATCHED}{now.astimezone(UTC).isoformat()}")
        return self._read(source, target) or InSync(now, is_known=False)

    def _read(self, source: str, target: str) -> InSync | None:
        with translated_errors():
            text = self._redis.hget(self._key, _field(source, target))
        if text is None:
            return None
        time = text.decode()
        is_known = not time.startswith(_WATCHED)
        return InSync(datetime.fromisoformat(time.removeprefix(_WATCHED)), is_known)


def _field(source: str, target: str) -> str:
    return f"{source} → {target}"
