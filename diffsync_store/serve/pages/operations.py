"""The operations of a diff on one page. A page reads the part of the diff that it needs, and searches for a limited time."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from diffsync_store.diffs import SavedDiff
from diffsync_store.diffs.outline import Outline
from diffsync_store.enum import OperationState
from diffsync_store.journal import PENDING, Entry
from diffsync_store.operation import Operation, OperationFilter, id_in
from diffsync_store.report.values import Row, rows_of
from diffsync_store.rules import Ruling
from diffsync_store.serve.api.models import OperationQuery
from diffsync_store.serve.api.views import is_ruled, ruling_of, shows
from diffsync_store.store.redis.diffs.pages import PAGE
from diffsync_store.suppression import Suppressions

_SECONDS = 0.08
"""How long a page searches. If too few operations fit, it says so and continues from there."""
_WORD = re.compile(r"[\w./-]+")


@dataclass(frozen=True)
class ShownOperation:
    """One operation, without secrets."""

    operation: Operation
    rows: list[Row]
    entry: Entry
    suppression: str
    """Why a sync leaves it out; empty if it does not."""
    ruling: Ruling | None
    """What the rules of the sync decide; None without rules."""


@dataclass
class Page:
    """The operations of a page, and the position at which the next one starts."""

    operations: list[ShownOperation] = field(default_factory=list)
    next_start: int | None = None
    is_cut: bool = False
    """Whether the page is not full, and the rest of the diff was not searched."""


def page_of(saved: SavedDiff, outline: Outline, query: OperationQuery) -> Page:
    """Return a page.

    Args:
        saved: the diff.
        outline: its outline: it says which parts of the diff cannot fit.
        query: which operations; `start` is a position among all elements of the diff.
    """
    page, search, end = Page(), _Search(saved, query), time.monotonic() + _SECONDS
    first = query.start // PAGE
    for number in outline.pages(query.model, query.action, query.attribute, first=first):
        if number > first and time.monotonic() > end:
            page.next_start, page.is_cut = number * PAGE, True
            break
        for position, operation, entry in search.found(number):
            if len(page.operations) == query.limit:
                page.next_start = position
                return page
            page.operations.append(_shown(saved, operation, entry))
    return page


class _Search:
    """Finds the operations that fit, reading as little of them as it can. For one thread."""

    def __init__(self, saved: SavedDiff, query: OperationQuery) -> None:
        self._saved = saved
        self._query = query
        self._journal = saved.journal()
        self._filter = OperationFilter(query.model, query.action)
        self._words = _WORD.findall(query.text.casefold())
        """Each of them is in the JSON of an operation that fits."""
        self._states = query.states
        self._is_vain = bool(self._states) and OperationState.PENDING not in self._states and self._journal.is_empty()

    def found(self, number: int) -> Iterator[tuple[int, Operation, Entry]]:
        """Yield the operations of a page of elements that fit, with their positions and journal entries."""
        if self._is_vain:
            return
        start = number * PAGE
        texts = [(at, text) for at, text in enumerate(self._saved.texts(start, PAGE), start) if at >= self._query.start]
        texts = [(at, text) for at, text in self._with_words(texts) if text in self._filter]
        entries = self._journal.read([id_in(text) for _, text in texts]) if texts else {}
        for at, text in texts:
            entry = entries.get(id_in(text), PENDING)
            if not self._states or entry.state in self._states:
                operation = Operation.model_validate_json(text)
                if shows(operation, self._query) and is_ruled(self._saved, operation, self._query):
                    yield at, operation, entry

    def _with_words(self, texts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        if not self._words or not all(word in _folded(b"\n".join(text for _, text in texts)) for word in self._words):
            return [] if self._words else texts
        return [(at, text) for at, text in texts if all(word in _folded(text) for word in self._words)]


def _folded(text: bytes) -> str:
    return text.decode("utf-8", "replace").casefold()


def _shown(saved: SavedDiff, operation: Operation, entry: Entry) -> ShownOperation:
    places = (*operation.parents, (operation.model, operation.unique_id or operation.name))
    reason = Suppressions(saved.record.suppressions).reason(operation.model, operation.action, places) or ""
    return ShownOperation(operation.redacted(), list(rows_of(operation)), entry, reason, ruling_of(saved, operation))
