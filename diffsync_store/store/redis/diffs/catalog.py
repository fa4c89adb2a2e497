"""The saved diffs of one namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from diffsync_store.exceptions import DiffNotFound
from diffsync_store.store.redis.catalog import newest_first
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.redis.keys import DiffKeys, check_namespace, index_of_diffs


class DiffCatalog:
    """Finds the saved diffs of one namespace."""

    def __init__(self, client: Any, namespace: str = "") -> None:
        self._redis = client
        self.namespace = check_namespace(namespace)

    def list(self) -> Iterator[DiffRecord]:
        """Yield the records of the saved diffs, newest first. Each is read when the caller asks for it. Their time to live is not renewed."""
        return newest_first(self._redis, index_of_diffs(self.namespace), self.record)

    def record(self, diff_id: str) -> DiffRecord:
        """Return the record of a saved diff; its time to live is not renewed.

        Raises:
            DiffNotFound: there is none.
        """
        keys = DiffKeys(diff_id, self.namespace)
        with translated_errors():
            text = self._redis.get(keys.record)
        if text is None:
            raise DiffNotFound(
                f"There is no diff {diff_id!r}: it was never saved, was dropped, or has expired. Make a new diff."
            )
        return DiffRecord.model_validate_json(text)

    def from_record(self, record: DiffRecord) -> RedisDiff:
        """Return the diff that has this record; its time to live is not renewed, and it may have expired."""
        return RedisDiff(self._redis, record, self.namespace)

    def expires_in(self, diff_id: str) -> int | None:
        """Return the seconds until an unused diff expires; None if there is no such diff."""
        with translated_errors():
            seconds = self._redis.ttl(DiffKeys(diff_id, self.namespace).record)
        return int(seconds) if seconds >= 0 else None

    def renew(self, record: DiffRecord) -> None:
        """Restart the time to live of a diff."""
        with translated_errors():
            for key in DiffKeys(record.diff_id, self.namespace).all():
                self._redis.expire(key, record.ttl)
