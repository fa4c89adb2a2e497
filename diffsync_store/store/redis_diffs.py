"""Saved diffs in Redis: the exact list of operations that a sync applies, in another process, at another time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from diffsync_store.diff import Diff
from diffsync_store.exceptions import DiffNotFound, ObjectStoreException
from diffsync_store.operation import Operation, diff_of, operations_of
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis_connection import Connection, translated_errors
from diffsync_store.store.redis_keys import DEFAULT_TTL, DIFFS, DiffKeys

_BATCH = 500


class DiffRecord(BaseModel):
    """What a saved diff says of itself."""

    diff_id: str
    source_name: str
    target_name: str
    source_store_id: str = ""
    target_store_id: str = ""
    source_generation: str = ""
    """The generations that the two stores had when they were compared."""
    target_generation: str = ""
    flags: int = 0
    """The `DiffSyncFlags` that the diff was made with, as a number."""
    summary: dict[str, int]
    operations: int
    """Number of creates, updates and deletes."""
    elements: int
    """Number of elements stored: operations, and what stands above them."""
    created: datetime
    ttl: int


class SavedDiff:
    """A diff in Redis; nothing of it is in memory until it is asked for."""

    def __init__(self, client: Any, record: DiffRecord) -> None:
        self._redis = client
        self._keys = DiffKeys(record.diff_id)
        self.record = record

    def __str__(self) -> str:
        return self.record.diff_id

    def elements(self, start: int = 0, limit: int | None = None) -> Iterator[Operation]:
        """Operations and what stands above them, in the order of a sync, from position `start` on.

        Raises:
            DiffNotFound: the diff was dropped or expired meanwhile.
        """
        stop = self.record.elements if limit is None else min(self.record.elements, start + limit)
        for first in range(start, stop, _BATCH):
            last = min(first + _BATCH, stop) - 1
            with translated_errors():
                texts = self._redis.lrange(self._keys.elements, first, last)
            if len(texts) != last - first + 1:
                raise DiffNotFound(f"Diff {self.record.diff_id!r} was dropped or expired while it was read.")
            yield from map(Operation.model_validate_json, texts)

    def operations(self, start: int = 0, limit: int | None = None) -> Iterator[Operation]:
        """Creates, updates and deletes in the order of a sync; `start` and `limit` count operations."""
        operations = (operation for operation in self.elements() if operation.action is not None)
        return islice(operations, start, None if limit is None else start + limit)

    def diff(self) -> Diff:
        """The diff as it was saved: same elements, same order, same counts."""
        diff = diff_of(self.elements(), self.record.source_name, self.record.target_name)
        summary = self.record.summary
        diff.unchanged = max(0, summary.get("no-change", 0) - (self.record.elements - self.record.operations))
        diff.skipped = summary.get("skip", 0)
        return diff

    def drop(self) -> None:
        """Remove the diff."""
        with translated_errors():
            self._redis.unlink(self._keys.record, self._keys.elements)
            self._redis.zrem(DIFFS, self.record.diff_id)


class RedisDiffs:
    """The saved diffs of one Redis.

    Takes the connection arguments of RedisStore; `ttl` is the number of seconds without use after which a diff expires.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        ttl: int = DEFAULT_TTL,
        **options: Any,
    ) -> None:
        if ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection(host=host, port=port, url=url, db=db, client=client, options=options)
        self._redis = self._connection.client
        self._ttl = ttl

    def close(self) -> None:
        """Close the connection if it was opened here."""
        self._connection.close()

    def save(
        self,
        diff: Diff,
        diff_id: str | None = None,
        *,
        source: StoreRecord | None = None,
        target: StoreRecord | None = None,
        source_name: str | None = None,
        target_name: str | None = None,
        flags: int = 0,
    ) -> str:
        """Save a diff under `diff_id`, in the place of whatever has that id; a new id is made up without one.

        A reader sees the whole diff or none: its record is written last.

        Args:
            diff: the diff.
            diff_id: 1 to 128 letters, digits, `.`, `_`, `-`.
            source: the record, from before the comparison, of the store that was the source.
            target: the record of the store that was the target, likewise.
            source_name: name of the source; by default what the diff or the store says.
            target_name: name of the target, likewise.
            flags: the value of the `DiffSyncFlags` that the diff was made with.

        Returns:
            The `diff_id`.
        """
        diff_id = str(uuid4()) if diff_id is None else diff_id
        keys = DiffKeys(diff_id)
        try:
            elements, operations = self._save_elements(diff, keys)
        except BaseException:
            self._remove(keys)
            raise
        first = next(diff.get_children(), None)
        record = DiffRecord(
            diff_id=diff_id,
            source_name=source_name or (first.source_name if first else source.name if source else "source"),
            target_name=target_name or (first.dest_name if first else target.name if target else "dest"),
            source_store_id=source.store_id if source else "",
            target_store_id=target.store_id if target else "",
            source_generation=source.generation if source else "",
            target_generation=target.generation if target else "",
            flags=flags,
            summary=diff.summary(),
            operations=operations,
            elements=elements,
            created=datetime.now(UTC),
            ttl=self._ttl,
        )
        with translated_errors():
            self._redis.set(keys.record, record.model_dump_json(), ex=self._ttl)
            self._redis.zadd(DIFFS, {diff_id: record.created.timestamp()})
        return diff_id

    def _save_elements(self, diff: Diff, keys: DiffKeys) -> tuple[int, int]:
        """How many elements were saved, and how many of them are operations."""
        self._remove(keys)
        elements = operations = 0
        found = operations_of(diff)
        while batch := list(islice(found, _BATCH)):
            elements += len(batch)
            operations += sum(operation.action is not None for operation in batch)
            with translated_errors():
                self._redis.rpush(keys.elements, *(operation.model_dump_json() for operation in batch))
                self._redis.expire(keys.elements, self._ttl)
        return elements, operations

    def _remove(self, keys: DiffKeys) -> None:
        with translated_errors():
            self._redis.unlink(keys.record, keys.elements)

    def open(self, diff_id: str) -> SavedDiff:
        """The diff saved under this id.

        Raises:
            DiffNotFound: there is none.
        """
        keys = DiffKeys(diff_id)
        with translated_errors():
            text = self._redis.get(keys.record)
        if text is None:
            raise DiffNotFound(
                f"There is no diff {diff_id!r}: it was never saved, was dropped, or expired. Make it anew."
            )
        record = DiffRecord.model_validate_json(text)
        with translated_errors():
            self._redis.expire(keys.record, record.ttl)
            self._redis.expire(keys.elements, record.ttl)
        return SavedDiff(self._redis, record)
