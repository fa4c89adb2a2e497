"""What a sync would do of a diff, told from the diff, its journal and the options: neither system is asked."""

from __future__ import annotations

from collections.abc import Iterator

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.result import Reject, SyncResult
from diffsync_store.sync.journal import Entry, Journal
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.selection import Selection
from diffsync_store.syncer import batches

NOT_TRIED = "not tried before, so not tried again"
SENT = "A sync that died has sent it: the next one looks it up where its model has a `lookup`."
SKIPS_CHILDREN = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE.value
_STAYING = {State.FAILED: "failed", State.CONFLICT: "conflicts", State.BLOCKED: "blocked"}
_DOING = {DiffSyncActions.CREATE: "created", DiffSyncActions.UPDATE: "updated", DiffSyncActions.DELETE: "deleted"}


def stays(state: State, options: SyncOptions, flags: DiffSyncFlags) -> bool:
    """Whether an operation that was not done before is not tried again."""
    if state is State.FAILED and DiffSyncFlags.CONTINUE_ON_FAILURE not in flags:
        return False  # the sync stopped there: this is where it goes on
    return not options.retry and state in _STAYING


def not_retried(entry: Entry | None, options: SyncOptions) -> str:
    """Why an operation is not among those that are tried again; empty where it is, or where nothing is."""
    if not options.retry or (entry is not None and entry.state is not State.PENDING and entry.state is not State.HELD):
        return ""
    return entry.reason if entry is not None else NOT_TRIED


class Plan:
    """One look at a diff whose elements have the ids of their operations."""

    def __init__(self, journal: Journal, options: SyncOptions, flags: DiffSyncFlags) -> None:
        self.journal = journal
        self.options = options
        self.flags = DiffSyncFlags(flags)
        self.selection = Selection(options.select, options.exclude, options.hold)
        self.entries: dict[str, Entry] = {}
        self.holds: dict[str, str] = {}
        self.result = SyncResult()

    def of(self, elements: Iterator[DiffElement]) -> SyncResult:
        """Counts as a sync would have them, if the target refused nothing and were what the diff saw."""
        for batch in batches(element for element in elements if element.has_diffs()):
            self.entries = self.journal.read([name for element in batch for name in _ids(element)])
            for element in batch:
                self.holds = self.selection.held(element) if self.selection.has_rules else {}
                self._plan(element, "")
        return self.result

    def _plan(self, element: DiffElement, missing: str) -> None:
        """Count an element and what is below it; `missing` names what stands above and will not be there."""
        if element.action is not None:
            missing = self._blocked(element, missing) if missing else self._operate(element)
        if element.action == DiffSyncActions.DELETE and element.flags & SKIPS_CHILDREN:
            if not missing and self._goes(element):
                return
            missing = missing or _told(element)
        for below in element.get_children():
            if below.has_diffs():
                self._plan(below, missing)

    def _goes(self, element: DiffElement) -> bool:
        """Whether an object would be deleted, with all that is below it, or was before."""
        entry = self.entries.get(element.operation_id)
        if entry is not None and entry.state is State.DONE:
            return True
        return element.operation_id not in self.holds and not not_retried(entry, self.options)

    def _operate(self, element: DiffElement) -> str:
        """Count an operation; what is missing for those below it."""
        entry = self.entries.get(element.operation_id)
        if entry is not None and entry.state is State.DONE:
            self._count_before(entry)
            return _told(element) if entry.is_left_alone else ""
        if entry is not None and entry.state is State.SENT:
            self._refuse(element, "unknown", SENT)
        elif entry is not None and stays(entry.state, self.options, self.flags):
            self._refuse(element, _STAYING[entry.state], entry.reason)
            return _told(element)
        elif why := self.holds.get(element.operation_id) or not_retried(entry, self.options):
            self._hold(element, why)
        else:
            self._count(_DOING[str(element.action)])
        return ""

    def _blocked(self, element: DiffElement, missing: str) -> str:
        """Count an operation below something that will not be there."""
        entry = self.entries.get(element.operation_id)
        if entry is not None and entry.state is State.DONE:
            self._count_before(entry)
        elif why := self.holds.get(element.operation_id):
            self._hold(element, why)
        elif entry is not None and entry.state is State.SENT:
            self._refuse(element, "unknown", SENT)
        else:
            self._refuse(element, "blocked", f"{missing} above it was not done.")
        return missing

    def _count_before(self, entry: Entry) -> None:
        self.result.done_before += entry.is_applied
        self.result.skipped += entry.is_left_alone

    def _hold(self, element: DiffElement, why: str) -> None:
        self._count("held")
        self.result.held_operations.append(_reject(element, "held", why))

    def _refuse(self, element: DiffElement, outcome: str, reason: str) -> None:
        self._count(outcome)
        self.result.rejects.append(_reject(element, "conflict" if outcome == "conflicts" else outcome, reason))

    def _count(self, outcome: str) -> None:
        setattr(self.result, outcome, getattr(self.result, outcome) + 1)


def _told(element: DiffElement) -> str:
    return f"{element.type} {element.uid or element.name}"


def _reject(element: DiffElement, state: str, reason: str) -> Reject:
    """Without identifiers and values: which of them are secret only the model's class knows."""
    uid = element.uid or element.name
    return Reject(str(element.action), element.type, uid, {}, reason, state, element.operation_id)


def _ids(element: DiffElement) -> Iterator[str]:
    if element.action is not None:
        yield element.operation_id
    for below in element.get_children():
        if below.has_diffs():
            yield from _ids(below)
