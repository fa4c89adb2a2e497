"""A journal that may lack its last entries, because Redis was restarted or failed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.exceptions import JournalLost
from diffsync_store.journal import Journal

_BATCH = 1000


def require_lookups(diff: Diff, journal: Journal, can_look_up: Callable[[str], bool]) -> None:
    """Refuse to resume a sync if the outcome of some operations cannot be determined.

    Args:
        diff: The diff.
        journal: Its journal.
        can_look_up: Whether records of a model can be looked up.

    Raises:
        JournalLost: Operations without an entry cannot be looked up.
    """
    pending: Counter[str] = Counter()
    batch: list[DiffElement] = []
    for element, _ in walk(diff.get_children(), None):
        if element.action is not None:
            batch.append(element)
            if len(batch) == _BATCH:
                _count_pending(batch, journal, pending)
                batch = []
    _count_pending(batch, journal, pending)
    blind = [f"{number} of {model}" for model, number in pending.items() if not can_look_up(model)]
    if blind:
        raise JournalLost(
            "Redis was restarted or failed over since this sync began: its journal may lack the last operations. Of the "
            f"remaining operations, {', '.join(blind)} cannot be looked up in the target, and some may be done. Nothing was "
            "sent. Load the target again, make a new diff and apply it. If Redis keeps every write (appendonly yes, "
            "appendfsync always, no failover), resume with SyncOptions(trust_journal=True), or `apply: {trust_journal: true}` "
            "of the sync in the flows' file. To avoid this, give the models a `lookup`."
        )


def _count_pending(batch: list[DiffElement], journal: Journal, pending: Counter[str]) -> None:
    known = journal.read([element.operation_id for element in batch])
    pending.update(element.type for element in batch if element.operation_id not in known)
