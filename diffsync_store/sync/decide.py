"""What is to be done about one operation: decided from what is known of it, without asking anybody."""

from __future__ import annotations

import enum
from typing import NamedTuple

from diffsync_store.enum import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Entry
from diffsync_store.sync.options import SyncOptions

NOT_TRIED = "not tried before, so not tried again"
_STAYING = {State.FAILED, State.CONFLICT, State.BLOCKED}


class Do(enum.Enum):
    """What is to be done about an operation."""

    SEND = "send"
    COUNT = "count"
    """It was done before."""
    ASK = "ask"
    """A sync that ended has sent it: find out what became of it."""
    SUPPRESS = "suppress"
    REFUSE = "refuse"


class Verdict(NamedTuple):
    """What is to be done about an operation, and why."""

    do: Do
    reason: str = ""
    state: State = State.PENDING
    """What it is refused as."""


_SEND, _COUNT, _ASK = Verdict(Do.SEND), Verdict(Do.COUNT), Verdict(Do.ASK)


def decide(
    entry: Entry | None, options: SyncOptions, flags: DiffSyncFlags, *, suppressed: str = "", missing: str = ""
) -> Verdict:
    """Decide about one operation.

    Args:
        entry: what the journal knows of it.
        options: how the diff is applied.
        flags: likewise.
        suppressed: why it is suppressed; empty if it is not.
        missing: what it needs and will not have; empty where it has everything.
    """
    state = State.PENDING if entry is None else entry.state
    if state is State.DONE:
        return _COUNT
    suppressed = suppressed or not_retried(entry, options)
    if missing:
        if suppressed:
            return Verdict(Do.SUPPRESS, suppressed)
        return Verdict(Do.REFUSE, "", State.SENT) if state is State.SENT else Verdict(Do.REFUSE, missing, State.BLOCKED)
    if state is State.SENT:
        return _ASK
    if entry is not None and stays(state, options, flags):
        return Verdict(Do.REFUSE, entry.reason, state)
    return Verdict(Do.SUPPRESS, suppressed) if suppressed else _SEND


def stays(state: State, options: SyncOptions, flags: DiffSyncFlags) -> bool:
    """Whether an operation that was not done before is not tried again."""
    if state is State.FAILED and DiffSyncFlags.CONTINUE_ON_FAILURE not in flags:
        return False  # the sync stopped there: this is where it goes on
    return not options.retry_rejected and state in _STAYING


def not_retried(entry: Entry | None, options: SyncOptions) -> str:
    """Why an operation is not among those that are tried again; empty where it is, or where nothing is."""
    if not options.retry_rejected or (
        entry is not None and entry.state is not State.PENDING and entry.state is not State.SUPPRESSED
    ):
        return ""
    return entry.reason if entry is not None and entry.reason else NOT_TRIED
