"""Rehearse a saved diff as the file declares it for its sync, and keep what was found until somebody decides about it."""

from datetime import UTC, datetime
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.exceptions import RehearsalRefused
from diffsync_store.journal import RefusedOperation, RehearsalReport
from diffsync_store.project import SyncContext, SyncEntry, UserError
from diffsync_store.result import Reject
from diffsync_store.runs.approval import may_ask, needs_approval
from diffsync_store.runs.operations import parse_operations
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.target import find_suppressions, find_sync, open_target
from diffsync_store.selection import Select
from diffsync_store.sync.decide import REJECTED
from diffsync_store.sync.rehearsal import SECONDS, Rehearsed

MAX_REFUSED = 1000
"""Refused operations that are kept with a diff."""
_NAMED = 5
"""Refused operations that a message names."""
_MAX_REASON = 500


def rehearse(
    context: SyncContext[Any], request: SyncRequest, *, seconds: float = SECONDS, assumes_approval: bool = False
) -> Rehearsed:
    """Find what the target of a diff would refuse now; nothing is changed.

    Args:
        context: the project.
        request: which operations to rehearse, and what the guards let through.
        seconds: how long it may take.
        assumes_approval: rehearse also what waits for an approval.

    Raises:
        CannotRehearse: the target cannot be rehearsed without side effects.
        ChangeLimitExceeded: the diff changes more than the change limits allow.
        Exception: of the target, without secrets in its message.
    """
    with open_target(context, request.diff_id) as (saved, target), context.project.secrets.redacted_errors():
        _, declared = find_sync(context.project, saved.record)
        suppressions = find_suppressions(context, saved, target.store.record(), request.allow)
        must_approve = needs_approval(declared, saved.record, request.allow)
        options = declared.options(suppress=suppressions, require_approval=must_approve, **request.options)
        return saved.rehearse(
            target, options, flags=declared.combined_flags, seconds=seconds, assumes_approval=assumes_approval
        )


def rehearse_first(context: SyncContext[Any], request: SyncRequest) -> Rehearsed | None:
    """Rehearse what a sync is going to apply or to ask about, and keep what was found with the diff.

    The caller has the lease on the target.

    Args:
        context: the project.
        request: what the sync is going to apply.

    Returns:
        What was found. None if there is nothing to rehearse: the sync does not rehearse, the diff is being applied or was applied, or
        somebody has approved it since it was rehearsed.

    Raises:
        Exception: as for `rehearse`.
    """
    saved = context.diffs().open(request.diff_id)
    if not must_rehearse(context, saved, request):
        return None
    found = rehearse_now(context, request)
    saved.journal().record_rehearsal(_report(context, saved, request, found))
    return found


def rehearse_now(context: SyncContext[Any], request: SyncRequest) -> Rehearsed:
    """Rehearse what a sync applies or asks about, and keep nothing. The caller has the lease on the target.

    Raises:
        Exception: as for `rehearse`.
    """
    _, declared = find_sync(context.project, context.diffs().open(request.diff_id).record)
    return rehearse(context, request, seconds=declared.rehearsal_timeout, assumes_approval=True)


def must_rehearse(context: SyncContext[Any], saved: SavedDiff, request: SyncRequest) -> bool:
    """Return whether a sync rehearses its diff before it applies it or asks about it."""
    _, declared = find_sync(context.project, saved.record)
    if not (declared.rehearse and saved.record.operations):
        return False
    journal = saved.journal()
    if journal.application() is not None or journal.is_running():
        return False
    report = find_rehearsal(saved, request)
    return report is None or not report.is_answered_by(journal.approval())


def _report(context: SyncContext[Any], saved: SavedDiff, request: SyncRequest, found: Rehearsed) -> RehearsalReport:
    refused, redact = find_refused(saved, request, found), context.project.secrets.redact
    return RehearsalReport(
        at=datetime.now(UTC),
        checksum=saved.checksum(),
        scope=request.scope,
        accepted=found.result.applied,
        refused=len(refused),
        operations=tuple(
            RefusedOperation(
                operation_id=each.operation_id,
                action=each.action,
                model=each.model,
                unique_id=each.unique_id,
                state=each.state,
                reason=redact(each.reason)[:_MAX_REASON],
            )
            for each in refused[:MAX_REFUSED]
        ),
        stopped=found.result.stopped,
        asks_target=found.asks_target,
        not_rehearsed=found.not_rehearsed,
    )


def find_refused(saved: SavedDiff, request: SyncRequest, found: Rehearsed) -> list[Reject]:
    """Return the operations that the target would refuse, without those that an earlier sync has sent already."""
    rejects = [each for each in found.result.rejects if each.state != "unknown"]
    if request.retry_rejected:
        return rejects
    entries = saved.journal().read([each.operation_id for each in rejects])
    before = {name for name, entry in entries.items() if entry.state in REJECTED}
    return [each for each in rejects if each.operation_id not in before]


def find_rehearsal(saved: SavedDiff, request: SyncRequest) -> RehearsalReport | None:
    """Return what the last rehearsal of the same operations found; None if there was none."""
    report = saved.journal().rehearsal()
    return report if report is not None and report.scope == request.scope else None


def undecided_refusal(saved: SavedDiff, request: SyncRequest) -> RehearsalReport | None:
    """Return the rehearsal of these operations that was not clean, if nobody has approved the diff since; None otherwise."""
    report, journal = find_rehearsal(saved, request), saved.journal()
    if report is None or report.is_clean or report.is_answered_by(journal.approval()):
        return None
    return report if journal.application() is None else None


def find_whole_rehearsal(saved: SavedDiff, allow: tuple[str, ...] = ()) -> RehearsalReport | None:
    """Return what the last rehearsal of the whole diff found, with these allowances or without; None if it was of other operations."""
    diff_id = saved.record.diff_id
    return find_rehearsal(saved, SyncRequest(diff_id, allow=allow)) or find_rehearsal(saved, SyncRequest(diff_id))


def require_last_rehearsal(saved: SavedDiff, at: datetime | None) -> None:
    """Check that a person decides about the last rehearsal of a diff.

    Args:
        saved: the diff.
        at: when the rehearsal was that the person has seen; None if there was none.

    Raises:
        UserError: it was rehearsed since, by any run and of any operations.
    """
    report = saved.journal().rehearsal()
    if report is not None and report.at != at:
        raise UserError(f"The diff {saved.record.diff_id} was rehearsed again since. Look at it again.")


def refused_operations(saved: SavedDiff, report: RehearsalReport | None) -> tuple[Select, ...]:
    """Return rules that match what a rehearsal of a diff found to be refused.

    Args:
        saved: the diff.
        report: what the rehearsal found, as the person who decides has seen it.

    Raises:
        UserError: it was not rehearsed, was rehearsed again since, or the rehearsal found more than are kept.
    """
    require_last_rehearsal(saved, report.at if report is not None else None)
    if report is None:
        raise UserError(f"The diff {saved.record.diff_id} was not rehearsed. Name what to leave out.")
    if report.refused > len(report.operations):
        raise UserError(
            f"The target would refuse {report.refused:,} operations, and {len(report.operations):,} of them are known. Leave out whole "
            "models or actions."
        )
    return parse_operations(saved, [each.operation_id for each in report.operations])


def refusal_text(report: RehearsalReport, *, asks: bool) -> str:
    """Return what a rehearsal found, and what to do.

    Args:
        report: what it found; not clean.
        asks: whether a person may approve the rest.
    """
    parts = []
    if report.refused:
        total = report.accepted + report.refused
        named = "; ".join(str(each).rstrip(".") for each in report.operations[:_NAMED])
        more = f"; and {report.refused - _NAMED:,} more" if report.refused > _NAMED else ""
        parts.append(f"The target would refuse {report.refused:,} of {total:,} operations: {named}{more}.")
    if report.stopped:
        parts.append(report.stopped)
    approve = "approve the diff, where you can leave them out, " if asks else ""
    leave_out = "" if asks else "leave them out with `exclude`, "
    parts.append(
        f"Nothing was applied. Correct the data, {leave_out}{approve}or set `rehearse: false` for the sync."
        if report.refused
        else f"Nothing was applied. Raise `rehearsal_timeout` of the sync, {approve}or set `rehearse: false`."
    )
    return " ".join(parts)


def require_decided(saved: SavedDiff, declared: SyncEntry, request: SyncRequest) -> None:
    """Refuse to apply what a rehearsal found to be refused, before somebody has approved the diff.

    Raises:
        RehearsalRefused: nobody has.
    """
    if declared.rehearse and (report := undecided_refusal(saved, request)):
        raise RehearsalRefused(refusal_text(report, asks=may_ask(declared, saved.record)))
