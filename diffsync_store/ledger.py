"""Entries on their way into a journal."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from diffsync_store.enum import OperationState
from diffsync_store.journal import Entry, Journal


class Ledger:
    """Gathers what a thread has to tell the journal: outcomes travel with what is sent next."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._local = threading.local()

    def note(self, operation_id: str, entry: Entry) -> None:
        """Tell with the next ones."""
        self._untold[operation_id] = entry

    def send(self, operation_ids: Iterable[str]) -> None:
        """Tell that these are given to the target's system now, and everything before, in one round trip."""
        self._untold.update((name, Entry(OperationState.SENT)) for name in operation_ids)
        self.tell()

    def tell(self) -> None:
        """Tell everything."""
        if self._untold:
            self._journal.write(self._untold)
            self._untold.clear()

    @property
    def _untold(self) -> dict[str, Entry]:
        try:
            untold: dict[str, Entry] = self._local.untold
        except AttributeError:
            untold = self._local.untold = {}
        return untold
