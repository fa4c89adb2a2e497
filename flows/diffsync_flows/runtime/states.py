"""Names of the states of flow runs. Prefect itself only knows their types."""

from enum import StrEnum

SUSPENDED = "Suspended"
"""The run waits for an approval and has no process."""


class EndState(StrEnum):
    """States in which a run ends. The automation for dead runs ignores a run in one of these."""

    COMPLETED = "Completed"
    PARTIAL = "Partial"
    """Completed: a sync that did not apply every operation, a load that lacks a shard, or a reconcile with one of them."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """Completed: a reconcile whose sync waits for an approval."""
    PENDING_ELSEWHERE = "PendingElsewhere"
    """Completed: a sync whose changes already wait for an approval in an older run."""
    SKIPPED = "Skipped"
    """Completed: a reconcile that was due while another one of its target was running."""
    FAILED = "Failed"
    APPROVAL_TIMED_OUT = "ApprovalTimedOut"
    """Failed: nobody approved the diff in time."""
    CANCELLED = "Cancelled"
    REJECTED = "Rejected"
    """Cancelled: a sync whose diff was rejected."""
    SUPERSEDED = "Superseded"
    """Cancelled: a sync that waited for the approval of a diff which a newer one has replaced."""
    CRASHED = "Crashed"
