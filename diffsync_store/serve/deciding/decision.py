"""Record what a person has decided about a diff."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from diffsync_store.diffs import SavedDiff
from diffsync_store.exceptions import DiffNotApproved
from diffsync_store.journal import Approval, RehearsalReport
from diffsync_store.printable import printable_lines
from diffsync_store.project import SyncContext, UserError
from diffsync_store.runs import (
    find_whole_rehearsal,
    parse_operations,
    refused_operations,
    require_last_rehearsal,
    require_releasable,
)

MAX_COMMENT = 2000


class StaleForm(DiffNotApproved):
    """The form was made for another diff, or the diff has changed since."""


@dataclass(frozen=True)
class Decision:
    """What a person sends."""

    decision: Literal["approve", "reject"]
    checksum: str
    """The checksum of the diff as it was shown to the person."""
    comment: str = ""
    exclude: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    """What the guards suppress and the approval releases."""
    exclude_refused: bool = False
    """Leave out what a rehearsal found to be refused."""
    rehearsed_at: datetime | Literal[""] | None = None
    """When the rehearsal was that was shown to the person; empty if none was. None if it is not known."""


def record_decision(context: SyncContext[Any], saved: SavedDiff, decision: Decision, by: str) -> Approval:
    """Save a decision with its diff.

    Args:
        context: the project.
        saved: the diff.
        decision: what was sent.
        by: who decides, as the identity says.

    Raises:
        StaleForm: the decision is about another diff, or the diff has changed.
        UserError: the diff was applied already or rehearsed again since, the comment is too long, an exclusion matches nothing, an
            allowance releases nothing, or the change limits refuse the diff.
    """
    if decision.checksum != saved.checksum():
        raise StaleForm(
            f"The decision is not about the diff {saved.record.diff_id} as it is now: it was made for another diff, or the diff "
            "has changed. Load the page again, check the diff, and decide again."
        )
    applied = saved.journal().application()
    if applied is not None:
        raise UserError(
            f"{applied.by} has applied the diff at {applied.at:%Y-%m-%d %H:%M:%S} UTC. Nothing is left to decide."
        )
    if len(decision.comment) > MAX_COMMENT:
        raise UserError(f"The comment has {len(decision.comment):,} characters. Write {MAX_COMMENT:,} at most.")
    comment = printable_lines(decision.comment.replace("\r\n", "\n").strip())
    if decision.decision == "reject":
        return saved.reject(by=by, reason=comment)
    shown = _shown_rehearsal(saved, decision)
    allow = tuple(dict.fromkeys(decision.allow))
    require_releasable(context, saved, allow)
    excluded = parse_operations(saved, decision.exclude)
    if decision.exclude_refused:
        excluded = tuple(dict.fromkeys((*excluded, *refused_operations(saved, shown))))
    return saved.approve(by=by, reason=comment, checksum=decision.checksum, exclude=excluded, allow=allow)


def _shown_rehearsal(saved: SavedDiff, decision: Decision) -> RehearsalReport | None:
    """Return what was shown of a rehearsal; by default that of the whole diff.

    Raises:
        UserError: the diff was rehearsed again since.
    """
    if decision.rehearsed_at is None:
        return find_whole_rehearsal(saved, decision.allow)
    require_last_rehearsal(saved, decision.rehearsed_at or None)
    return saved.journal().rehearsal()
