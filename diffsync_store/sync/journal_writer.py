"""Entries on their way into a journal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from diffsync_store.enum import OperationState
from diffsync_store.journal import Entry, Journal

_MOST_TOGETHER = 1000
"""Operations that can be looked up and are told together, before their time; fewer where they take longer."""
_SILENCE = 0.05
"""Seconds after which the next operation is told all the same: whose place another sync has taken hears of it then."""
_MOST_UNTOLD = 1000


class JournalWriter:
    """Gathers what a sync has to tell the journal: outcomes travel with what is sent next. For one thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._untold: dict[str, Entry] = {}
        self._upcoming: Iterator[str] = iter(())
        self._ahead: set[str] = set()
        """Told before their time, and not come yet."""
        self._noted: set[str] = set()
        """What has become of these since they were foreseen, before their turn perhaps."""
        self._together = 16
        self._told = 0.0
        """When something was told the last time."""

    def note(self, operation_id: str, entry: Entry) -> None:
        """Tell with the next ones."""
        self._untold[operation_id] = entry
        self._noted.add(operation_id)
        self._ahead.discard(operation_id)
        if len(self._untold) >= _MOST_UNTOLD:
            self.tell()

    def foresee(self, operation_ids: Iterable[str]) -> None:
        """These are to come, about in this order, and can be looked up: they may be told many at once, before their time.

        What is told of them and does not come is taken back with `close`.
        """
        self._upcoming = iter(operation_ids)
        self._noted.clear()

    def send(self, operation_ids: list[str], *, is_foreseen: bool = False) -> None:
        """Tell that these are given to the target's system now, if it was not told before its time."""
        if is_foreseen and self._ahead.issuperset(operation_ids):
            self._ahead.difference_update(operation_ids)
            if time.monotonic() - self._told <= _SILENCE:
                return
            ahead: list[str] = []
        else:
            ahead = self._next_ids(len(operation_ids)) if is_foreseen else []
        now = Entry(OperationState.SENT)
        self._untold.update(dict.fromkeys(operation_ids, now))
        self._untold.update(dict.fromkeys(ahead, now))
        self.tell()
        self._ahead.update(ahead)
        self._ahead.difference_update(operation_ids)

    def tell(self) -> None:
        """Tell everything."""
        if self._untold:
            self._told = time.monotonic()
            self._journal.write(self._untold)
            self._untold.clear()

    def close(self) -> None:
        """Tell everything, and that what was told before its time and has not come is pending."""
        self._untold.update({name: Entry(OperationState.PENDING) for name in self._ahead if name not in self._untold})
        self._ahead.clear()
        self.tell()

    def _next_ids(self, least: int) -> list[str]:
        is_fast = time.monotonic() - self._told < _SILENCE
        self._together = min(2 * self._together, _MOST_TOGETHER) if is_fast else max(self._together // 2, 1)
        upcoming = (name for name in self._upcoming if name not in self._noted)
        return list(islice(upcoming, max(self._together, least)))
