"""The operations of a diff on one page. A page reads a limited part of the diff, from a position on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from diffsync_store.diffs import SavedDiff
from diffsync_store.journal import PENDING, Entry
from diffsync_store.operation import Operation
from diffsync_store.report.values import Row, rows_of
from diffsync_store.serve.api.models import OperationQuery
from diffsync_store.serve.api.views import shows
from diffsync_store.suppression import Suppressions

_READ = 500
"""Elements that are read together."""
_MOST = 3000
"""Elements that are read for a page. If too few of them fit, the page says so and links to the next part."""


@dataclass(frozen=True)
class ShownOperation:
    """One operation, without secrets."""

    operation: Operation
    rows: list[Row]
    entry: Entry
    suppression: str
    """Why a sync leaves it out; empty if it does not."""


@dataclass
class Page:
    """The operations of a page, and the position at which the next one starts."""

    operations: list[ShownOperation] = field(default_factory=list)
    next_start: int | None = None
    is_cut: bool = False
    """Whether the page is not full, and the rest of the diff was not read."""


def page_of(saved: SavedDiff, query: OperationQuery) -> Page:
    """Return a page.

    Args:
        saved: the diff.
        query: which operations; `start` is a position among all elements of the diff.
    """
    page, last = Page(), min(query.start + _MOST, saved.record.elements)
    for first in range(query.start, last, _READ):
        for position, shown in _shown(saved, first, min(_READ, last - first), query):
            if len(page.operations) == query.limit:
                page.next_start = position
                return page
            page.operations.append(shown)
    if last < saved.record.elements:
        page.next_start, page.is_cut = last, True
    return page


def _shown(saved: SavedDiff, first: int, limit: int, query: OperationQuery) -> Iterator[tuple[int, ShownOperation]]:
    found = [(at, each) for at, each in enumerate(saved.elements(first, limit), first) if matches(each, query)]
    entries = saved.journal().read([each.id for _, each in found])
    suppressions = Suppressions(saved.record.suppressions)
    for position, each in found:
        entry = entries.get(each.id, PENDING)
        if query.state and entry.state.value != query.state:
            continue
        places = (*each.parents, (each.model, each.unique_id or each.name))
        reason = suppressions.reason(each.model, each.action, places) or ""
        yield position, ShownOperation(each.redacted(), list(rows_of(each)), entry, reason)


def matches(operation: Operation, query: OperationQuery) -> bool:
    """Whether an operation fits, except for its state. A secret value cannot be searched for."""
    if (
        operation.action is None
        or query.model not in {"", operation.model}
        or query.action not in {"", operation.action}
    ):
        return False
    if query.unique_id and operation.unique_id != query.unique_id:
        return False
    return shows(operation, query)
