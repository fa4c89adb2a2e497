"""The decision about one operation, from its journal entry and the options. The dry run uses it too."""

from __future__ import annotations

import enum
from typing import NamedTuple

from diffsync_store.enum import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Entry
from diffsync_store.sync.options import SyncOptions

NOT_REJECTED = "not rejected before, so not retried"
REJECTED = {State.FAILED, State.CONFLICT, State.BLOCKED}
"""States of operations that a sync tried and did not do."""


class Decision(enum.Enum):
    """What to do with an operation."""

    SEND = "send"
    SKIP = "skip"
    """It is done already."""
    LOOK_UP = "look up"
    """An interrupted sync has sent it: find out whether it was done."""
    SUPPRESS = "suppress"
    REJECT = "reject"


class Verdict(NamedTuple):
    """A decision and its reason."""

    decision: Decision
    reason: str = ""
    state: State = State.PENDING
    """The state of a rejected operation."""


_SENT_AND_BLOCKED = Verdict(Decision.REJECT, "", State.SENT)
_SEND, _SKIP, _LOOK_UP = Verdict(Decision.SEND), Verdict(Decision.SKIP), Verdict(Decision.LOOK_UP)


def decide(
    entry: Entry | None, options: SyncOptions, flags: DiffSyncFlags, *, suppressed: str = "", blocked: str = ""
) -> Verdict:
    """Decide about one operation.

    Args:
        entry: Its journal entry, if it has one.
        options: How the diff is applied.
        flags: How the diff is applied.
        suppressed: Why it is suppressed; empty if it is not.
        blocked: Why it cannot be done; empty if it can.
    """
    state = State.PENDING if entry is None else entry.state
    if state is State.DONE:
        return _SKIP
    suppressed = suppressed or _not_retried(entry, options)
    if blocked and not suppressed:
        return _SENT_AND_BLOCKED if state is State.SENT else Verdict(Decision.REJECT, blocked, State.BLOCKED)
    if state is State.SENT and not blocked:
        return _LOOK_UP
    if entry is not None and not blocked and _stays_rejected(state, options, flags):
        return Verdict(Decision.REJECT, entry.reason, state)
    return Verdict(Decision.SUPPRESS, suppressed) if suppressed else _SEND


def _stays_rejected(state: State, options: SyncOptions, flags: DiffSyncFlags) -> bool:
    if state is State.FAILED and DiffSyncFlags.CONTINUE_ON_FAILURE not in flags:
        return False  # the sync stopped there, and resumes there
    return not options.retry_rejected and state in REJECTED


def _not_retried(entry: Entry | None, options: SyncOptions) -> str:
    """Return why `retry_rejected` leaves an operation out; empty if it does not."""
    if not options.retry_rejected:
        return ""
    if entry is not None and entry.state is not State.PENDING and not entry.state.is_left_out:
        return ""
    reason = entry.reason if entry is not None and entry.state is State.SUPPRESSED else ""
    return reason or NOT_REJECTED
