"""What saved diffs have to do with one object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from diffsync_store.enum import OperationState
from diffsync_store.journal import Approval, Entry
from diffsync_store.operation import Operation
from diffsync_store.suppression import Suppressions

if TYPE_CHECKING:
    from diffsync_store.store.redis.diffs.record import DiffRecord


class OperationHistory(NamedTuple):
    """What became of an operation of a saved diff, and through whom."""

    record: DiffRecord
    operation: Operation
    entry: Entry
    approval: Approval | None
    applied_by: str
    """Who has applied the diff, or has begun to; the last one, where it was stopped and gone on with."""

    @property
    def _is_pending(self) -> bool:
        return self.entry.state is OperationState.PENDING

    @property
    def _suppression(self) -> str:
        return Suppressions(self.record.suppressions).reason(self.operation.model, self.operation.action) or ""

    @property
    def outcome(self) -> str:
        """The operation's state; of one that is pending `rejected` where its diff is, and `suppressed` where a guard suppresses it."""
        if self._is_pending and self.approval is not None and self.approval.is_rejected:
            return "rejected"
        return "suppressed" if self._is_pending and self._suppression else self.entry.state.value

    @property
    def reason(self) -> str:
        """Why it was not done; empty where there is nothing to say."""
        if self.outcome == "rejected" and self.approval is not None:
            return self.approval.reason
        return self._suppression if self._is_pending else self.entry.reason

    @property
    def by(self) -> str:
        """Who has applied it, or has rejected its diff; empty where nobody has."""
        if self.outcome == "rejected" and self.approval is not None:
            return self.approval.by
        return "" if self._is_pending else self.applied_by

    @property
    def at(self) -> datetime | None:
        """When it became what it is, in UTC; None of one that waits."""
        if self.outcome == "rejected" and self.approval is not None:
            return self.approval.at
        return None if self._is_pending else datetime.fromtimestamp(self.entry.at, UTC)
