"""Write a saved diff to Redis, page by page. The record comes last, so that readers see the whole diff or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.exceptions import DiffExists, ObjectStoreException, StoreInUse
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.diffs.outline import OutlineFields
from diffsync_store.store.redis.diffs.pages import pack, pages
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.redis.keys import DiffKeys, command, index_of_diffs
from diffsync_store.store.redis.scripts import diffs as scripts
from diffsync_store.store.redis.scripts.store import LOADING_TTL


class SavedElsewhere(StoreInUse):
    """Another process saves a diff under the same id."""


class DiffWriter:
    """Writes one diff. Call `clear`, `append` for each page, and `finish`."""

    def __init__(self, client: Any, keys: DiffKeys, ttl: int) -> None:
        self._redis = client
        self._keys = keys
        self._ttl = ttl
        self._written = {keys.elements: 0, keys.left_alone: 0}
        """Number of entries of each list."""
        self._outline = OutlineFields(client, keys)

    def require_free(self) -> None:
        """Remove a diff that was saved under the id before.

        Raises:
            DiffExists: somebody has approved or rejected it, or a sync has begun to apply it.
        """
        reason = self.clear()
        if not reason:
            return
        what = "somebody has approved or rejected it" if reason == "approval" else "a sync has begun to apply it"
        diff_id = self._keys.diff_id
        raise DiffExists(
            f"Diff {diff_id!r} exists and is not replaced, because {what}. Give another diff_id, or none; or drop it "
            f"first: `{command(self._keys.namespace)} drop {diff_id} --force`.",
            diff_id,
        )

    def clear(self) -> str:
        """Remove the diff that is saved under the id; return why it is kept, or an empty string."""
        keys = self._keys
        saved = [keys.approval, keys.journal, keys.writer, keys.application, keys.record, keys.elements]
        saved += [keys.left_alone, keys.outline, keys.rehearsal]
        with translated_errors():
            reason: bytes = scripts.CLEAR(self._redis, saved, [])
        return reason.decode()

    def append(self, elements: Sequence[bytes]) -> None:
        """Append a page of elements as JSON. Each page but the last has `PAGE` elements.

        Raises:
            SavedElsewhere: another process has written here.
            ObjectStoreException: the pages before this one are gone.
        """
        self._append(self._keys.elements, [pack(elements)])

    def append_left_alone(self, texts: list[str]) -> None:
        """Append a page of what is left alone as JSON. Raises the same as `append`."""
        self._append(self._keys.left_alone, texts)

    def write_outline(self, fields: Mapping[str, bytes]) -> None:
        """Write fields of the outline."""
        self._outline.write(fields, max(self._ttl, LOADING_TTL))

    def _append(self, key: str, texts: Sequence[str | bytes]) -> None:
        life = max(self._ttl, LOADING_TTL)
        with translated_errors():
            answer = scripts.APPEND(self._redis, [key], [self._written[key], life, *texts])
        if answer < 0:
            raise ObjectStoreException(
                f"The elements of diff {self._keys.diff_id!r} are gone: they were dropped, or Redis has lost them. Make "
                "the diff again."
            )
        if not answer:
            raise self._saved_elsewhere()
        self._written[key] += len(texts)

    def finish(self, record: DiffRecord) -> None:
        """Write the record, and list the diff. The outline is complete.

        Raises:
            SavedElsewhere: another process has written here.
        """
        self._outline.publish(record.created, self._ttl)
        keys = [self._keys.elements, self._keys.record]
        with translated_errors():
            if not scripts.FINISH(self._redis, keys, [pages(record.elements), self._ttl, record.model_dump_json()]):
                raise self._saved_elsewhere()
            self._redis.zadd(index_of_diffs(self._keys.namespace), {record.diff_id: record.created.timestamp()})

    def _saved_elsewhere(self) -> SavedElsewhere:
        return SavedElsewhere(
            f"Another process is saving a diff as {self._keys.diff_id!r}. Let only one process save under an id."
        )
