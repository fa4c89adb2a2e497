"""What rules say of an operation."""

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What becomes of an operation."""

    APPLY = "apply"
    """It is applied without a question."""
    REVIEW = "review"
    """It waits until it is approved."""
    HOLD = "hold"
    """It is left out, and listed with its rule."""
    IGNORE = "ignore"
    """It is left out, and only counted."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one operation. Threads may share it."""

    decision: Decision
    rule: str = ""
    """The rule that decided; empty for the sync's `approval`."""
    approvers: int = 1
    """Number of different people who must approve it, if it is to be reviewed."""
