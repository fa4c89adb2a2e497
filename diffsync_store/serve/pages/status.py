"""What became of a saved diff, in a few words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from diffsync_store.diffs import SavedDiff
from diffsync_store.project import SyncEntry
from diffsync_store.runs import lacks_approvals, needs_approval
from diffsync_store.serve.api.models import RunView

Tone = Literal["good", "bad", "waits", "plain"]


@dataclass(frozen=True)
class Status:
    """The state of a diff."""

    text: str
    tone: Tone


def is_busy(runs: Iterable[RunView]) -> bool:
    """Whether one of the runs has not ended and waits for no window, so that the page will change."""
    return any(run.state not in {"done", "failed", "stopped"} and run.waits_until is None for run in runs)


def status_of(saved: SavedDiff, declared: SyncEntry) -> Status:
    """Return the status of a diff of a declared sync."""
    journal = saved.journal()
    application = journal.application()
    if not saved.record.operations:
        return Status("no changes", "good")
    if application is not None:
        override = journal.window_override()
        outside = f", outside of the windows: {override.reason}" if override else ""
        return Status(f"applied by {application.by}{outside}", "good")
    return _status_of_open(saved, declared)


def _status_of_open(saved: SavedDiff, declared: SyncEntry) -> Status:
    """Return the status of a diff with changes that were not all applied."""
    journal = saved.journal()
    approval, begun = journal.approval(), journal.last_writer()
    if journal.is_running():
        return Status("is being applied", "plain")
    if approval is not None and approval.is_rejected:
        return Status(f"rejected by {approval.by}", "bad")
    is_undecided = (
        not begun and approval is None and (needs_approval(declared, saved.record) or journal.approval_requests())
    )
    if is_undecided or lacks_approvals(declared, saved):
        return Status("waits for approval", "waits")
    if begun:
        return Status(f"not finished, last applied by {begun}", "bad")
    if approval is not None:
        return Status(f"approved by {approval.by}, not applied", "waits")
    return Status("not applied", "plain")
