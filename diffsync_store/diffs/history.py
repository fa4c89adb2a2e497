"""The operations of saved diffs on one object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from diffsync_store.enum import OperationState
from diffsync_store.journal import Approval, Entry, WindowOverride
from diffsync_store.operation import Operation
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.suppression import Suppressions


class OperationHistory(NamedTuple):
    """One operation of a saved diff, with its outcome and who caused it."""

    record: DiffRecord
    operation: Operation
    entry: Entry
    approval: Approval | None
    applied_by: str
    """Who last began to apply the diff."""
    window_override: WindowOverride | None = None
    """Why its diff was applied outside of the windows of its sync, if it was."""

    @property
    def outcome(self) -> str:
        """The operation's state; for a pending operation, `rejected` if its diff is, `suppressed` if a guard suppresses it."""
        if self._rejection is not None:
            return "rejected"
        return "suppressed" if self._is_pending and self._suppression else self.entry.state.value

    @property
    def reason(self) -> str:
        """Why it was not done; may be empty."""
        if self._rejection is not None:
            return self._rejection.reason
        return self._suppression if self._is_pending else self.entry.reason

    @property
    def by(self) -> str:
        """Who has applied it, or rejected its diff; empty if nobody has."""
        if self._rejection is not None:
            return self._rejection.by
        return "" if self._is_pending else self.applied_by

    @property
    def at(self) -> datetime | None:
        """Time of the outcome in UTC; None if it is pending."""
        if self._rejection is not None:
            return self._rejection.at
        return None if self._is_pending else datetime.fromtimestamp(self.entry.at, UTC)

    @property
    def _is_pending(self) -> bool:
        return self.entry.state is OperationState.PENDING

    @property
    def _rejection(self) -> Approval | None:
        """The rejection of the diff, if it kept the operation from being applied."""
        is_rejected = self._is_pending and self.approval is not None and self.approval.is_rejected
        return self.approval if is_rejected else None

    @property
    def _suppression(self) -> str:
        return Suppressions(self.record.suppressions).reason(self.operation.model, self.operation.action) or ""
