"""Entries on their way into a journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Self

from diffsync_store.enum import OperationState
from diffsync_store.sync.journal import Entry, Journal

_MOST_TOGETHER = 1000
"""Operations that can be looked up and are told together, before their time; fewer where they take longer."""
_SILENCE = 0.05
"""Seconds after which the next operation is told all the same: whose place another sync has taken hears of it then."""


class _Page(threading.local):
    """What one thread has to tell."""

    def __init__(self) -> None:
        self.untold: dict[str, Entry] = {}
        self.upcoming: Iterator[str] = iter(())
        self.has_more = False
        self.noted: set[str] = set()
        """What has come of these since they were foreseen, before their turn perhaps."""
        self.ahead: set[str] = set()
        """Told before their time, and not come yet."""
        self.coming: tuple[Future[None], list[str]] | None = None
        """More of them, which are being told."""
        self.together = 16
        self.told = 0.0
        """When something was told the last time."""


class Ledger:
    """Gathers what a thread has to tell the journal: outcomes travel with what is sent next. Used with `with`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._page = _Page()
        self._teller = ThreadPoolExecutor(1, thread_name_prefix="journal")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.close()
        finally:
            self._teller.shutdown()

    def note(self, operation_id: str, entry: Entry) -> None:
        """Tell with the next ones."""
        page = self._page
        page.untold[operation_id] = entry
        page.noted.add(operation_id)
        page.ahead.discard(operation_id)

    def send(self, operation_ids: Iterable[str]) -> None:
        """Tell that these are given to the target's system now, and everything before, in one round trip."""
        self._page.untold.update(dict.fromkeys(operation_ids, Entry(OperationState.SENT)))
        self.tell()

    def foresee(self, operation_ids: Iterator[str]) -> None:
        """These are to come, about in this order, and can be looked up: they may be told many at once, before their time.

        What is told of them and does not come is taken back with `close`.
        """
        self._page.upcoming, self._page.has_more = operation_ids, True
        self._page.noted.clear()

    def send_soon(self, operation_id: str) -> None:
        """Tell that this is given to the target's system now, if it was not told before its time."""
        page = self._page
        if operation_id not in page.ahead:
            self._hear(page)
        if operation_id not in page.ahead:
            ids = self._next_ids(page)
            self.send([operation_id, *ids])
            page.ahead.update(name for name in ids if name != operation_id)
            return
        page.ahead.discard(operation_id)
        if time.monotonic() - page.told > _SILENCE:
            self.send([operation_id])
        elif page.coming is None and page.has_more and len(page.ahead) < page.together // 2:
            self._tell_ahead(page)

    def close(self) -> None:
        """Tell everything, and that what was told before its time and has not come is pending."""
        page = self._page
        self._hear(page)
        page.untold.update({name: Entry(OperationState.PENDING) for name in page.ahead if name not in page.untold})
        page.ahead.clear()
        page.upcoming, page.has_more = iter(()), False
        page.noted.clear()
        self.tell()

    def tell(self) -> None:
        """Tell everything."""
        page = self._page
        self._hear(page)
        if page.untold:
            page.told = time.monotonic()
            self._journal.write(page.untold)
            page.untold.clear()

    def _tell_ahead(self, page: _Page) -> None:
        """Tell everything, and what comes next, while the operations go on."""
        ids = self._next_ids(page)
        if not ids:
            return
        entries = {**page.untold, **dict.fromkeys(ids, Entry(OperationState.SENT))}
        page.untold.clear()
        page.told = time.monotonic()
        page.coming = self._teller.submit(self._journal.write, entries), ids

    def _hear(self, page: _Page) -> None:
        """Wait for what is being told."""
        if page.coming is not None:
            future, ids = page.coming
            page.coming = None
            future.result()
            page.ahead.update(name for name in ids if name not in page.untold)

    def _next_ids(self, page: _Page) -> list[str]:
        is_fast = time.monotonic() - page.told < _SILENCE
        page.together = min(2 * page.together, _MOST_TOGETHER) if is_fast else max(page.together // 2, 1)
        ids = list(islice((name for name in page.upcoming if name not in page.noted), page.together))
        page.has_more = len(ids) == page.together
        return ids
