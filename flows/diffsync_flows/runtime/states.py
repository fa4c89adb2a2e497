"""Names of states of these flows' runs; Prefect knows their types alone."""

from enum import StrEnum

SUSPENDED = "Suspended"
"""A run waits for somebody's decision, and has no process."""


class EndState(StrEnum):
    """In which a run ends. The automation for dead runs leaves alone what has come into one of these."""

    COMPLETED = "Completed"
    PARTIAL = "Partial"
    """Completed: a sync that has not applied everything, or a reconcile with one."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """Completed: a reconcile whose sync waits for a decision."""
    PENDING_ELSEWHERE = "PendingElsewhere"
    """Completed: a sync that leaves the question to an older run."""
    SKIPPED = "Skipped"
    """Completed: a reconcile while another one of its target was under way."""
    FAILED = "Failed"
    APPROVAL_TIMED_OUT = "ApprovalTimedOut"
    """Failed: nobody has decided in time."""
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    """Cancelled: a sync whose diff somebody has rejected."""
    SUPERSEDED = "Superseded"
    """Cancelled: a sync that asked about a diff that does not count any more."""
    CRASHED = "Crashed"
