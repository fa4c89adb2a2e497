"""What became of a saved diff, in a few words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from diffsync_store.diffs import SavedDiff
from diffsync_store.journal import Application, Approval, ApprovalRequest
from diffsync_store.project import SyncEntry

Tone = Literal["good", "bad", "waits", "plain"]


@dataclass(frozen=True)
class Status:
    """The state of a diff."""

    text: str
    tone: Tone
    approval: Approval | None
    application: Application | None
    waiting: tuple[ApprovalRequest, ...]

    @property
    def is_open(self) -> bool:
        """Whether somebody may still decide about the diff."""
        return self.application is None

    @property
    def in_sync_at(self) -> datetime | None:
        """When the diff was applied as a whole."""
        return self.application.at if self.application else None


def status_of(saved: SavedDiff, declared: SyncEntry | None) -> Status:
    """Return the status of a diff.

    Args:
        saved: the diff.
        declared: its sync; None if no sync of its adapters is declared.
    """
    journal, record = saved.journal(), saved.record
    approval, application = journal.approval(), journal.application()
    waiting = tuple(journal.approval_requests().values())
    text, tone = _text(saved, declared, approval, application, waiting)
    if not record.operations:
        text, tone = "no changes", "good"
    return Status(text, tone, approval, application, waiting)


def _text(
    saved: SavedDiff,
    declared: SyncEntry | None,
    approval: Approval | None,
    application: Application | None,
    waiting: tuple[ApprovalRequest, ...],
) -> tuple[str, Tone]:
    journal = saved.journal()
    begun = journal.last_writer()
    is_rejected = approval is not None and approval.is_rejected
    needs_approval = declared is not None and declared.needs_approval(saved.record.summary)
    cases: list[tuple[bool, str, Tone]] = [
        (application is not None, f"applied by {application.by if application else ''}", "good"),
        (journal.is_running(), "is being applied", "plain"),
        (is_rejected, f"rejected by {approval.by if approval else ''}", "bad"),
        (bool(begun), f"not finished, last applied by {begun}", "bad"),
        (approval is not None, f"approved by {approval.by if approval else ''}, not applied", "waits"),
        (bool(waiting) or needs_approval, "waits for approval", "waits"),
    ]
    return next(((text, tone) for is_so, text, tone in cases if is_so), ("not applied", "plain"))
