"""Whether a person must approve what a sync would apply."""

from collections.abc import Collection, Sequence

from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.guards import Completeness
from diffsync_store.journal import Approval
from diffsync_store.project import SyncEntry
from diffsync_store.rules import Decision
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.selection import Select
from diffsync_store.sync.approval import uncovered


def needs_approval(declared: SyncEntry, record: DiffRecord, allow: Sequence[str] = ()) -> bool:
    """Return whether a person must approve some of a diff; one of which guards suppress all that is reviewed needs nobody."""
    return _is_asked(declared, record, allow) and not asks_nobody(declared, record, allow)


def asks_nobody(declared: SyncEntry, record: DiffRecord, allow: Sequence[str] = ()) -> bool:
    """Return whether nobody has to approve a diff only because guards suppress all that would need it."""
    if allow or not _is_asked(declared, record):
        return False
    return _are_suppressed(_reviewed(record), record, declared.guards.completeness)


def _is_asked(declared: SyncEntry, record: DiffRecord, allow: Sequence[str] = ()) -> bool:
    """Return whether a diff needs an approval, whatever guards suppress of it."""
    if not record.operation_rules:
        return declared.needs_approval(record.summary)
    return bool(_reviewed(record)) or (bool(allow) and record.operation_rules.asks)


def _reviewed(record: DiffRecord) -> set[tuple[str, str]]:
    """Return the models and actions that an approval of a diff is about."""
    if record.operation_rules:
        return {(one.model, one.action) for one in record.rulings if one.decision is Decision.REVIEW}
    return {(model, action) for model, of in record.by_model.items() for action in of if of[action]}


def may_ask(declared: SyncEntry, record: DiffRecord) -> bool:
    """Return whether a person may be asked about a diff of a sync."""
    return declared.approval != "never" or (bool(record.operation_rules) and record.operation_rules.asks)


def may_wait(declared: SyncEntry, record: DiffRecord) -> bool:
    """Return whether a sync of a diff waits for a person, or will if a rehearsal finds that the target would refuse something."""
    return needs_approval(declared, record) or (declared.rehearse and may_ask(declared, record))


def applies_unasked(record: DiffRecord, allow: Sequence[str] = ()) -> bool:
    """Return whether a sync applies at once what its rules let through, and only the rest waits for an approval.

    What guards suppress is not let through by a rule: a sync with allowances waits as a whole.
    """
    return bool(record.operation_rules) and not allow


def has_all_approvals(approval: Approval | None, record: DiffRecord) -> bool:
    """Return whether as many people have approved a diff as its rules ask for. Whether the diff has changed is not checked."""
    return not missing_people(approval, record)


def missing_people(approval: Approval | None, record: DiffRecord) -> int:
    """Return how many more people must approve a diff. Whether it has changed since the last one did is not checked."""
    given = 0 if approval is None or approval.is_rejected else 1 + len(approval.earlier)
    return max(required_people(record) - given, 0)


def more_people(approval: Approval | None, record: DiffRecord) -> str:
    """Say how many more people must approve a diff; empty if enough have."""
    missing = missing_people(approval, record)
    who = "person" if missing == 1 else "people"
    return f"The rules of the sync need the approval of {missing} more {who}." if missing else ""


def lacks_approvals(declared: SyncEntry, saved: SavedDiff) -> bool:
    """Return whether a diff with rules has operations that wait for an approval, after what the rules let through was applied."""
    record = saved.record
    return (
        bool(record.operation_rules)
        and needs_approval(declared, record)
        and not has_all_approvals(saved.journal().approval(), record)
    )


def required_people(record: DiffRecord) -> int:
    """Return how many different people must approve a diff, so that nothing of it waits."""
    needed = (one.approvers for one in record.rulings if one.decision is Decision.REVIEW)
    return max(needed, default=1)


def _are_suppressed(operations: Collection[tuple[str, str]], record: DiffRecord, completeness: Completeness) -> bool:
    """Return whether the guards suppress all operations of these models and actions, also as the file declares them now."""
    lifted = {
        *(f"partial:{model}" for model in completeness.allow_partial),
        *(f"empty:{model}" for model in completeness.allow_empty),
    }
    suppressed = {
        (one.model, str(one.action))
        for one in record.suppressions
        if not one.below and one.allowance not in lifted and one.model not in completeness.allow_partial
    }
    return bool(operations) and suppressed.issuperset(operations)


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
