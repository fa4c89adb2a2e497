"""Journal entries on their way to the journal, written together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from diffsync_store.enum import OperationState
from diffsync_store.field_rules.recording import Recorder
from diffsync_store.journal import Entry, Journal

_MAX_AHEAD = 1000
"""Maximum operations that are recorded as sent before they are; fewer if calls are slow."""
_MAX_SILENCE = 0.05
"""Seconds without a write after which the next operation writes: a sync that was taken over finds out by writing."""
_MAX_UNWRITTEN = 1000


class JournalWriter:
    """Collects entries; the outcomes of operations are written together with the next ones to send. For one thread."""

    def __init__(self, journal: Journal, recorder: Recorder | None = None) -> None:
        self._journal = journal
        self._recorder = recorder
        self._unwritten: dict[str, Entry] = {}
        self._upcoming: Iterator[str] = iter(())
        self._ahead: set[str] = set()
        """Recorded as sent, and not sent yet."""
        self._recorded: set[str] = set()
        """Operations with an outcome since `announce`."""
        self._batch = 16
        self._written = 0.0
        """Time of the last write."""

    def record(self, operation_id: str, entry: Entry) -> None:
        """Record an outcome; it is written with the next entries."""
        self._unwritten[operation_id] = entry
        self._recorded.add(operation_id)
        self._ahead.discard(operation_id)
        if len(self._unwritten) >= _MAX_UNWRITTEN:
            self.flush()

    def announce(self, operation_ids: Iterable[str]) -> None:
        """Announce operations in about the order in which they come. They can be looked up, so many are recorded as sent together.

        `close` takes back those that were not sent.
        """
        self._upcoming = iter(operation_ids)
        self._recorded.clear()

    def record_sent(self, operation_ids: list[str], *, is_announced: bool = False) -> None:
        """Write that operations are sent now, unless it is written already."""
        if is_announced and self._ahead.issuperset(operation_ids):
            self._ahead.difference_update(operation_ids)
            if time.monotonic() - self._written <= _MAX_SILENCE:
                return
            ahead: list[str] = []
        else:
            ahead = self._next_ids(len(operation_ids)) if is_announced else []
        sent = Entry(OperationState.SENT)
        self._unwritten.update(dict.fromkeys(operation_ids, sent))
        self._unwritten.update(dict.fromkeys(ahead, sent))
        self.flush()
        self._ahead.update(ahead)
        self._ahead.difference_update(operation_ids)

    def flush(self) -> None:
        """Write all entries, after what the memory of the target has to know of their operations."""
        if self._recorder is not None:
            self._recorder.flush()
        if self._unwritten:
            self._written = time.monotonic()
            self._journal.write(self._unwritten)
            self._unwritten.clear()

    def close(self) -> None:
        """Write all entries; operations that were recorded as sent before their time are pending again."""
        pending = {name: Entry(OperationState.PENDING) for name in self._ahead if name not in self._unwritten}
        self._unwritten.update(pending)
        self._ahead.clear()
        self.flush()

    def _next_ids(self, minimum: int) -> list[str]:
        is_fast = time.monotonic() - self._written < _MAX_SILENCE
        self._batch = min(2 * self._batch, _MAX_AHEAD) if is_fast else max(self._batch // 2, 1)
        upcoming = (name for name in self._upcoming if name not in self._recorded)
        return list(islice(upcoming, max(self._batch, minimum)))
