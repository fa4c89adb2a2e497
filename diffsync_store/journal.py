"""The journal of a sync: the state of each operation, so that another process can resume a sync that was killed."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from diffsync_store.enum import OperationState
from diffsync_store.selection import Select

SKIPPED_BY_MODEL = "skipped by the model"
"""Reason of an operation whose model returned None."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of one operation."""

    state: OperationState
    reason: str = ""
    fields: str = ""
    """The object after a create, as JSON: the next sync writes it to the store if this one was killed before."""
    at: float = field(default_factory=lambda: time.time())  # noqa: PLW0108  # tests replace time.time
    """Seconds since 1970; in Redis by the clock of Redis."""

    @property
    def is_skipped(self) -> bool:
        """True if the model returned None: nothing is left to do, and the target has not changed."""
        return self.state is OperationState.DONE and self.reason == SKIPPED_BY_MODEL

    @property
    def is_applied(self) -> bool:
        """True if the target has the change."""
        return self.state is OperationState.DONE and not self.is_skipped

    def to_json(self, clock_offset: float = 0.0) -> str:
        """Return the entry as JSON.

        Args:
            clock_offset: seconds to add to its time.
        """
        at = round(self.at + clock_offset, 6)
        if not self.reason and not self.fields:  # the usual entry, written faster
            return f'["{self.state.value}",{at!r},"",""]'
        return json.dumps([self.state.value, at, self.reason, self.fields], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Entry:
        """Return the entry that `to_json` wrote."""
        state, at, reason, fields = json.loads(text)
        return cls(OperationState(state), reason, fields, at)


PENDING = Entry(OperationState.PENDING, at=0.0)
"""The state of an operation without an entry."""


class Application(BaseModel):
    """Who has applied a whole diff, and when."""

    by: str
    at: datetime
    operations: int
    """Number of creates, updates and deletes that were done."""
    skipped: int = 0
    """Number of those that their models skipped."""


class Approval(BaseModel):
    """Who has approved or rejected a diff, and when."""

    by: str
    at: datetime
    reason: str
    checksum: str
    """Checksum of the diff that was approved; empty in a rejection."""
    excluded: tuple[Select, ...] = ()
    """Operations that the approval leaves out: no sync applies them until somebody approves them too."""
    allowed: tuple[str, ...] = ()
    """Allowances that it was asked with. It does not cover what the guards let through by others."""
    selected: tuple[Select, ...] = ()
    """It covers only these operations and those that they depend on; all operations if empty."""
    is_rejected: bool = False
    """True if the diff was rejected."""
    earlier: tuple[Approval, ...] = ()
    """Approvals of the same operations by other people, which count where a rule asks for several; newest first."""

    @property
    def people(self) -> tuple[str, ...]:
        """Who approves it; nobody if it was rejected."""
        return () if self.is_rejected else (self.by, *(one.by for one in self.earlier))

    def after(self, before: Approval | None) -> Approval:
        """Return this approval with those of other people that count beside it; a rejection ends the ones before it."""
        if before is None or before.is_rejected or self.is_rejected:
            return self
        given = (before.model_copy(update={"earlier": ()}), *before.earlier)
        own = _person(self.by)
        counting = tuple(one for one in given if one.checksum == self.checksum and _person(one.by) != own)
        return self.model_copy(update={"earlier": counting})


class WindowOverride(BaseModel):
    """Why a sync has written although no window of it was open, and who has applied the diff then."""

    by: str
    at: datetime
    reason: str

    def __str__(self) -> str:
        return f"outside of the windows, by {self.by} at {self.at:%Y-%m-%d %H:%M} UTC: {self.reason}"


def _person(name: str) -> str:
    """Return a name without what does not tell people apart."""
    return " ".join(name.casefold().split())


class ApprovalRequest(BaseModel):
    """A run that waits for somebody to approve a diff."""

    by: str
    """Who waits, such as the name of a flow run."""
    link: str = ""
    """Where to decide."""
    until: datetime | None = None
    """When it stops waiting; None if it waits without end."""
    earlier_decision: datetime | None = None
    """Time of the decision that the diff had before the request; it does not answer the request."""
    rehearsed_at: datetime | None = None
    """Time of the rehearsal that the request shows; None if it shows none."""


class RefusedOperation(BaseModel):
    """An operation that a target would refuse, without secrets. Threads may share it."""

    model_config = ConfigDict(frozen=True)

    operation_id: str
    action: str
    model: str
    unique_id: str
    state: str
    """`failed`, `conflict` or `blocked`."""
    reason: str

    def __str__(self) -> str:
        return f"{self.action} of {self.model} {self.unique_id}: {self.reason}"


class RehearsalReport(BaseModel):
    """What the rehearsal of a diff found before it is applied. Threads may share it."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    checksum: str
    """Checksum of the diff that was rehearsed."""
    scope: str
    """Which operations were rehearsed: the `scope` of the request."""
    accepted: int
    """Number of operations that the target would accept."""
    refused: int
    """Number of operations that the target would refuse."""
    operations: tuple[RefusedOperation, ...] = ()
    """The first of those."""
    stopped: str = ""
    """Why not all operations were rehearsed; empty if all were."""
    asks_target: bool
    """Whether the target was asked; otherwise only the models have checked the values."""
    not_rehearsed: int = 0
    """Operations that cannot be rehearsed: objects that move to another parent."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was refused, and all was rehearsed."""
        return not (self.refused or self.stopped)

    def is_answered_by(self, approval: Approval | None) -> bool:
        """Return whether somebody has approved the same diff after the rehearsal."""
        return (
            approval is not None
            and not approval.is_rejected
            and approval.checksum == self.checksum
            and approval.at >= self.at
        )


class Journal(ABC):
    """The states of the operations of one diff, by their ids. An operation without an entry is pending."""

    @abstractmethod
    def is_empty(self) -> bool:
        """True if no sync has begun."""

    def begin(self, by: str) -> bool:
        """Become the only writer: later writes of an earlier sync are refused.

        Returns:
            True if earlier entries may have been lost.

        Raises:
            DiffNotFound: the diff is gone, or was replaced.
        """
        return False

    def end(self) -> None:
        """Record that this sync has ended, whether it succeeded or not."""

    @abstractmethod
    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        """Return the entries of those of the operations that have one."""

    @abstractmethod
    def write(self, entries: Mapping[str, Entry]) -> None:
        """Write entries in one round trip; they are stored when this returns.

        Raises:
            SyncTakenOver: another sync has begun since this one.
            JournalLost: entries written earlier are gone.
        """

    @abstractmethod
    def application(self) -> Application | None:
        """Return who has applied the whole diff; None if nobody has."""

    @abstractmethod
    def conclude(self, application: Application) -> None:
        """Record that the whole diff was applied."""

    @abstractmethod
    def approval(self) -> Approval | None:
        """Return who has approved or rejected the diff; None if nobody has."""

    @abstractmethod
    def approve(self, approval: Approval) -> None:
        """Record an approval or a rejection."""

    @abstractmethod
    def rehearsal(self) -> RehearsalReport | None:
        """Return what the last rehearsal before an application found; None if there was none."""

    @abstractmethod
    def record_rehearsal(self, report: RehearsalReport) -> None:
        """Record what a rehearsal found."""


class MemoryJournal(Journal):
    """A journal that lives as long as the process."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._application: Application | None = None
        self._approval: Approval | None = None
        self._rehearsal: RehearsalReport | None = None

    def is_empty(self) -> bool:
        return not self._entries

    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        return {name: self._entries[name] for name in ids if name in self._entries}

    def write(self, entries: Mapping[str, Entry]) -> None:
        self._entries.update(entries)

    def application(self) -> Application | None:
        return self._application

    def conclude(self, application: Application) -> None:
        self._application = application

    def approval(self) -> Approval | None:
        return self._approval

    def approve(self, approval: Approval) -> None:
        self._approval = approval.after(self._approval)

    def rehearsal(self) -> RehearsalReport | None:
        return self._rehearsal

    def record_rehearsal(self, report: RehearsalReport) -> None:
        self._rehearsal = report
