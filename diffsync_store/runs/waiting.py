"""What waits for whom: decisions that are due, and diffs that are approved but not applied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.enum import OperationState
from diffsync_store.journal import ApprovalRequest
from diffsync_store.project import Role, SyncContext, SyncEntry
from diffsync_store.rules import Decision
from diffsync_store.runs.approval import asks_nobody, lacks_approvals, may_ask, needs_approval
from diffsync_store.runs.rehearsal import undecided_refusal
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.windows import OpenWindow
from diffsync_store.sync.filters import NOT_SELECTED

_RECORDS = 500
"""Newest diffs that are looked at."""
_OF_A_SYNC = 5
"""Newest diffs of a sync that are looked at."""
Reason = Literal["approval", "suppressed", "hold", "not applied", "not finished"]
_ROLES: dict[Reason, Role] = {
    "approval": "approve",
    "suppressed": "approve",
    "hold": "start",
    "not applied": "start",
    "not finished": "start",
}
_ENTRIES = 10_000
"""Entries of a journal that are read to find out whether something is left to do."""


@dataclass(frozen=True)
class Waiting:
    """A diff that waits for somebody."""

    record: DiffRecord
    sync: str
    reason: Reason
    """`approval`: nobody has decided, or a rehearsal found since what the target would refuse. `suppressed`: guards suppress all of it, or
    what is left of it. `hold`: a rule does, and a new diff may not. `not applied`: it is approved, or needs no approval. `not
    finished`: a sync has ended before its end, or has rejects."""
    requests: tuple[ApprovalRequest, ...]
    """The runs that wait with it."""
    newer: int
    """How many newer diffs the sync has, or newer undos of the same diff: it may be better to decide about the newest."""
    window: str = ""
    """When the next window of the sync opens, as a sentence; empty if one is open."""

    @property
    def role(self) -> Role:
        """The role that it waits for."""
        return _ROLES[self.reason]

    @property
    def until(self) -> datetime | None:
        """When the first run stops to wait."""
        return min((each.until for each in self.requests if each.until), default=None)


def find_waiting(context: SyncContext[Any]) -> list[Waiting]:
    """Return what waits, the newest first: of each sync the newest diff, of each undone diff the newest undo, and older ones for which a
    run waits.
    """
    seen: dict[tuple[str, str], int] = {}
    found = list[Waiting]()
    for record in islice(context.diffs().list(), _RECORDS):
        name, declared = context.project.sync_between(record.source_name, record.target_name)
        of = name, record.undoes
        newer = seen.get(of, 0)
        if name and newer < _OF_A_SYNC:
            seen[of] = newer + 1
            found += _waiting(context.diffs().from_record(record), name, declared, newer)
    return found


def _waiting(saved: SavedDiff, name: str, declared: SyncEntry, newer: int) -> Iterator[Waiting]:
    requests = tuple(saved.journal().approval_requests().values())
    reason = _reason(saved, declared, requests)
    if reason and (requests or not newer):
        window = OpenWindow(name, declared, SyncRequest(saved.record.diff_id))
        yield Waiting(saved.record, name, reason, requests, newer, window.opens if window.is_closed else "")


def _reason(saved: SavedDiff, declared: SyncEntry, requests: Sequence[ApprovalRequest]) -> Reason | None:
    record, journal = saved.record, saved.journal()
    if not record.operations or journal.application() is not None or journal.is_running():
        return None
    approval = journal.approval()
    is_rejected = approval is not None and approval.is_rejected
    is_undecided = approval is None and needs_approval(declared, record)
    is_refused = (
        declared.rehearse and may_ask(declared, record) and undecided_refusal(saved, SyncRequest(record.diff_id))
    )
    if requests or is_undecided or is_refused or (lacks_approvals(declared, saved) and not is_rejected):
        return "approval"
    if is_rejected:
        return None
    if journal.last_writer():
        left_out = _left_out_by(record, approval.allowed if approval is not None else ())
        return left_out if left_out and _is_rest_left_out(saved) else "not finished"
    if approval is None and asks_nobody(declared, record):
        return "suppressed"
    return "hold" if {one.decision for one in record.rulings} == {Decision.HOLD} else "not applied"


def _left_out_by(record: DiffRecord, allowed: Sequence[str]) -> Reason | None:
    """Return what suppresses some of a diff: guards, or else a rule; None if nothing does."""
    if any(one.allowance not in allowed for one in record.suppressions):
        return "suppressed"
    return "hold" if any(one.decision is Decision.HOLD for one in record.rulings) else None


def _is_rest_left_out(saved: SavedDiff) -> bool:
    """Return whether a sync has handled the whole diff, and all that it has not done is suppressed or ignored.

    Of a diff with more entries than are read here, it is assumed.
    """
    entries = saved.journal().entries(_ENTRIES)
    if entries is None:
        return True
    return len(entries) >= saved.record.operations and all(
        each.state in {OperationState.DONE, OperationState.IGNORED}
        or (each.state is OperationState.SUPPRESSED and each.reason != NOT_SELECTED)
        for each in entries
    )
