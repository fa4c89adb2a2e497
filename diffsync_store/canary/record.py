"""What the journal of a diff knows of its canary."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from diffsync_store.enum import OperationState
from diffsync_store.journal import Entry, Journal
from diffsync_store.result import CanaryReport

_ID = "canary"
"""Its place in the journal. No operation has this id: theirs are digests."""


class CanarySkip(BaseModel):
    """Why a sync has applied everything at once although it has a canary, and who has applied the diff then."""

    by: str
    at: datetime
    reason: str

    def __str__(self) -> str:
        return f"without the canary, by {self.by} at {self.at:%Y-%m-%d %H:%M} UTC: {self.reason}"


class CanaryRecord(BaseModel):
    """The operations of a canary, and how its check ended. Threads may share it."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    ids: tuple[str, ...] = ()
    """Ids of the operations, in the order in which they were chosen."""
    report: CanaryReport
    scope: str = ""
    """Digest of what decides which operations the sync applies."""
    is_over: bool = False
    """Whether the sync has ended regularly after the check: the next one begins with another canary."""

    skips: tuple[CanarySkip, ...] = ()
    """Each time that somebody has skipped a canary of the diff."""

    @property
    def is_open(self) -> bool:
        """Whether its operations have to be applied and checked before any other."""
        return self.report.state in {"open", "failed"}

    def goes_on(self, scope: str) -> bool:
        """Return whether a sync of this scope has to begin with the same operations."""
        return self.is_open or (self.report.state == "passed" and not self.is_over and self.scope == scope)


def read_canary(journal: Journal) -> CanaryRecord | None:
    """Return the last canary of a diff; None if there was none."""
    entry = journal.read([_ID]).get(_ID)
    return None if entry is None else CanaryRecord.model_validate_json(entry.fields)


def write_canary(journal: Journal, record: CanaryRecord) -> None:
    """Record a canary, as an entry of the journal: a sync that was taken over cannot write it."""
    state = OperationState.PENDING if record.is_open else OperationState.DONE
    journal.write({_ID: Entry(state, fields=record.model_dump_json())})


def end_canary(journal: Journal) -> None:
    """Record that the rest of a diff was applied after its canary: the next sync begins with another one."""
    record = read_canary(journal)
    if record is not None:
        write_canary(journal, record.model_copy(update={"is_over": True}))
