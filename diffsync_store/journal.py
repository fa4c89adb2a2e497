"""The journal of a sync: what became of each operation, so that a sync that was killed goes on where it stood."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel

from diffsync_store.enum import OperationState
from diffsync_store.selection import Select

LEFT_ALONE = "left alone by the model"
"""Reason of an operation that was given to its model, which has done nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one operation."""

    state: OperationState
    reason: str = ""
    fields: str = ""
    """The object as a create has left it, as JSON: a store that had no time to take it in gets it from here."""
    at: float = field(default_factory=lambda: time.time())  # noqa: PLW0108  # the clock as it is then
    """Seconds since 1970; in Redis by the clock of Redis."""

    @property
    def is_left_alone(self) -> bool:
        """Whether its model has returned None: there is nothing left to do, and the target is as it was."""
        return self.state is OperationState.DONE and self.reason == LEFT_ALONE

    @property
    def is_applied(self) -> bool:
        """Whether the target has it."""
        return self.state is OperationState.DONE and not self.is_left_alone

    def dumped(self, ahead: float = 0.0) -> str:
        """The entry as JSON; its time by a clock that is `ahead` of this machine's by so many seconds."""
        at = round(self.at + ahead, 6)
        if not self.reason and not self.fields:  # most are
            return f'["{self.state.value}",{at!r},"",""]'
        return json.dumps([self.state.value, at, self.reason, self.fields], separators=(",", ":"))

    @classmethod
    def parsed(cls, text: str | bytes) -> Entry:
        """The entry again."""
        state, at, reason, fields = json.loads(text)
        return cls(OperationState(state), reason, fields, at)


PENDING = Entry(OperationState.PENDING, at=0.0)
"""The state of an operation without an entry."""


class Application(BaseModel):
    """That a diff was applied as a whole, by whom and when."""

    by: str
    at: datetime
    operations: int
    """Creates, updates and deletes that were done."""
    skipped: int = 0
    """Those of them that their models have left alone."""


class Approval(BaseModel):
    """That somebody has approved, or rejected, a diff as it was then."""

    by: str
    at: datetime
    reason: str
    checksum: str
    """Of the diff's elements."""
    excluded: tuple[Select, ...] = ()
    """What the approval leaves out: no sync applies it until somebody approves it too."""
    is_rejected: bool = False
    """It is the other way round: nobody is to apply the diff."""


class Question(BaseModel):
    """That somebody is asked to decide about a diff, and that a run waits for it."""

    by: str
    """What asks, such as the name of a flow run."""
    link: str = ""
    """Where it can be answered."""
    until: datetime | None = None
    """When it ends to wait."""
    decided: datetime | None = None
    """When the decision was made that there was before; it is no answer."""


class Journal(ABC):
    """What became of the operations of one diff, by their ids. An operation without an entry is pending."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether no sync has begun."""

    def begin(self, by: str) -> bool:
        """Be the one who applies the diff: what a sync that began before still writes is refused.

        Returns:
            Whether what was written before may have been lost.

        Raises:
            DiffNotFound: the diff is not there any more, or is another one.
        """
        return False

    def end(self) -> None:
        """Say that the sync that has begun here is not at work any more, however it has ended."""

    @abstractmethod
    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        """The entries of those of the operations that have one."""

    @abstractmethod
    def write(self, entries: Mapping[str, Entry]) -> None:
        """Set entries, all of them in one round trip; they are kept when this returns.

        Raises:
            SyncTakenOver: another sync has begun since this one did.
            JournalLost: what was written before is not there any more.
        """

    @abstractmethod
    def application(self) -> Application | None:
        """Whether the diff was applied as a whole."""

    @abstractmethod
    def conclude(self, application: Application) -> None:
        """Set down that the diff was applied as a whole."""

    @abstractmethod
    def approval(self) -> Approval | None:
        """Who has approved the diff."""

    @abstractmethod
    def approve(self, approval: Approval) -> None:
        """Set down who has approved the diff."""


class MemoryJournal(Journal):
    """A journal that lives as long as the process."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._application: Application | None = None
        self._approval: Approval | None = None

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
        self._approval = approval
