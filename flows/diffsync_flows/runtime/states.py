"""How flow runs end.

States have Prefect's own names only: the pages of Prefect list the runs of a deployment by these names, and leave out others.
What such a state does not tell is the outcome of the run. It is in the message of the state, in the name of the run and in one of
its tags, such as `outcome:partial`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from prefect.client.schemas import FlowRun, State
from prefect.client.schemas.objects import StateType
from prefect.states import Completed

from diffsync_store.printable import printable

COMPLETED, FAILED, CANCELLED, CRASHED, SUSPENDED = "Completed", "Failed", "Cancelled", "Crashed", "Suspended"
"""Names of states. A suspended run waits for an approval and has no process."""
OUTCOME_TAG = "outcome:"
"""Prefix of the tag with the outcome of a run."""


class Outcome(StrEnum):
    """How a run ended that did not fail."""

    COMPLETE = "complete"
    """It did all of its work; such a run has no tag."""
    PARTIAL = "partial"
    """A load that lacks records, a sync that did not apply every operation, a reconcile with one of them, or an undo that does
    not take everything back."""
    DRY_RUN = "dry-run"
    """Nothing was changed, as asked."""
    ALREADY_PENDING = "already-pending"
    """A sync whose changes already wait for an approval in an older run, or its reconcile."""
    SKIPPED = "skipped"
    """The target is locked for maintenance, or another reconcile of it was running."""
    REJECTED = "rejected"
    """A sync whose diff was rejected, or its reconcile."""
    WAITS_FOR_WINDOW = "waits-for-window"
    """A sync that is approved and scheduled for the next window of its sync; it has not ended."""
    SUPERSEDED = "superseded"
    """A sync that waited for the approval of a diff which a newer one has replaced, or its reconcile."""

    @property
    def label(self) -> str:
        """Return the outcome as the beginning of a sentence."""
        return self.value.replace("-", " ").capitalize()

    @property
    def prefix(self) -> str:
        """Return the beginning of the name of a run; empty for a complete one."""
        return "" if self is Outcome.COMPLETE else f"{self.label.upper()}: "


_CANCELLED = (Outcome.REJECTED, Outcome.SUPERSEDED)


@dataclass(frozen=True)
class Ending:
    """How a run ends: its outcome, what a person has to know, and its result."""

    outcome: Outcome = Outcome.COMPLETE
    message: str = ""
    data: Any = field(default_factory=dict)
    is_cancelled: bool = False
    """Whether the state is Cancelled, also if the outcome does not imply it."""
    must_ask: bool = False
    """Whether nothing was done, because a person has to decide first, and this run cannot ask."""

    def to_state(self) -> State[Any]:
        """Return the state in which the run ends."""
        if self.is_cancelled or self.outcome in _CANCELLED:
            return cancelled(self.outcome, self.message)
        return Completed(message=outcome_message(self.outcome, self.message) or None, data=self.data)


def cancelled(outcome: Outcome, message: str) -> State[Any]:
    """Return the state of a run that was ended without doing its work."""
    return State[Any](type=StateType.CANCELLED, name=CANCELLED, message=outcome_message(outcome, message))


def outcome_message(outcome: Outcome, message: str) -> str:
    """Return a message that begins with the outcome; a complete run needs no such word."""
    text = printable(message)
    return text if outcome is Outcome.COMPLETE else f"{outcome.label}: {text}"


def outcome_of(tags: Iterable[str]) -> Outcome:
    """Return the outcome in the tags of a run that has ended."""
    names = (tag.removeprefix(OUTCOME_TAG) for tag in tags if tag.startswith(OUTCOME_TAG))
    return next((Outcome(name) for name in names if name in list(Outcome)), Outcome.COMPLETE)


def waits_for_window(run: FlowRun) -> bool:
    """Return whether a run is approved and scheduled for a window; one that has begun is not."""
    is_scheduled = run.state is not None and run.state.is_scheduled()
    return is_scheduled and outcome_of(run.tags) is Outcome.WAITS_FOR_WINDOW
