"""Whether a person must approve what a sync would apply."""

from collections.abc import Sequence

from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.guards import Completeness
from diffsync_store.journal import Approval
from diffsync_store.project import SyncEntry
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.selection import Select
from diffsync_store.sync.approval import uncovered


def needs_approval(declared: SyncEntry, record: DiffRecord, allow: Sequence[str] = ()) -> bool:
    """Return whether the file requires an approval; a diff of which guards suppress every operation needs none."""
    return declared.needs_approval(record.summary) and (
        bool(allow) or not _is_all_suppressed(record, declared.guards.completeness)
    )


def _is_all_suppressed(record: DiffRecord, completeness: Completeness) -> bool:
    """Return whether the guards suppress every operation of a diff, also as the file declares them now."""
    lifted = {
        *(f"partial:{model}" for model in completeness.allow_partial),
        *(f"empty:{model}" for model in completeness.allow_empty),
    }
    suppressed = {
        (one.model, str(one.action))
        for one in record.suppressions
        if not one.below and one.allowance not in lifted and one.model not in completeness.allow_partial
    }
    found = [(model, action) for model, actions in record.by_model.items() for action in actions if actions[action]]
    return bool(found) and suppressed.issuperset(found)


def approved_request(saved: SavedDiff, *, select: tuple[Select, ...] = (), retry_rejected: bool = False) -> SyncRequest:
    """Return the request to apply what the approval of a diff covers; the whole diff within the guards if nobody has approved it.

    Args:
        saved: the diff.
        select: only these operations.
        retry_rejected: only those that were rejected.
    """
    approval, diff_id = saved.journal().approval(), saved.record.diff_id
    if approval is None or approval.is_rejected:
        return SyncRequest(diff_id, select=select, retry_rejected=retry_rejected)
    return SyncRequest(
        diff_id, allow=approval.allowed, select=select or approval.selected, retry_rejected=retry_rejected
    )


def uncovered_by(approval: Approval | None, request: SyncRequest) -> tuple[str, ...]:
    """Return what a request applies that the approval does not cover, in words."""
    return () if approval is None else uncovered(approval, allow=request.allow, select=request.select)
