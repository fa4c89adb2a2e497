"""Entries on their way into a journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from diffsync_store.enum import OperationState
from diffsync_store.sync.journal import Entry, Journal

_TOGETHER = 100
"""Operations that can be looked up and are told together, before their time."""
_SILENCE = 0.05
"""Seconds after which the next operation is told all the same: whose place another sync has taken hears of it then."""


class Ledger:
    """Gathers what a thread has to tell the journal: outcomes travel with what is sent next."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._local = threading.local()

    def note(self, operation_id: str, entry: Entry) -> None:
        """Tell with the next ones."""
        self._untold[operation_id] = entry
        self._ahead.discard(operation_id)

    def send(self, operation_ids: Iterable[str]) -> None:
        """Tell that these are given to the target's system now, and everything before, in one round trip."""
        self._untold.update((name, Entry(OperationState.SENT)) for name in operation_ids)
        self.tell()

    def foresee(self, operation_ids: Iterator[str]) -> None:
        """These are to come, about in this order, and can be looked up: they may be told many at once, before their time.

        What is told of them and does not come is taken back with `close`.
        """
        self._local.upcoming = operation_ids

    def send_soon(self, operation_id: str) -> None:
        """Tell that this is given to the target's system now, if it was not told before its time."""
        if operation_id in self._ahead:
            self._ahead.discard(operation_id)
            if time.monotonic() - self._told < _SILENCE:
                return
            self.send([operation_id])
            return
        ids = list(islice(getattr(self._local, "upcoming", ()), _TOGETHER))
        self.send([operation_id, *ids])
        self._ahead.update(name for name in ids if name != operation_id)

    def close(self) -> None:
        """Tell everything, and that what was told before its time and has not come is pending."""
        self._untold.update({name: Entry(OperationState.PENDING) for name in self._ahead if name not in self._untold})
        self._ahead.clear()
        self._local.upcoming = iter(())
        self.tell()

    def tell(self) -> None:
        """Tell everything."""
        if self._untold:
            self._local.told = time.monotonic()
            self._journal.write(self._untold)
            self._untold.clear()

    @property
    def _untold(self) -> dict[str, Entry]:
        try:
            untold: dict[str, Entry] = self._local.untold
        except AttributeError:
            untold = self._local.untold = {}
        return untold

    @property
    def _told(self) -> float:
        told: float = getattr(self._local, "told", 0.0)
        return told

    @property
    def _ahead(self) -> set[str]:
        try:
            ahead: set[str] = self._local.ahead
        except AttributeError:
            ahead = self._local.ahead = set()
        return ahead
