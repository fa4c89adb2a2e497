"""What applying a saved diff would do now, guards included."""

from dataclasses import dataclass
from typing import Any

from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ChangeLimitExceeded
from diffsync_store.guards import Suppressions
from diffsync_store.journal import Approval
from diffsync_store.project import SyncContext, SyncEntry
from diffsync_store.result import SyncResult
from diffsync_store.runs.approval import applies_unasked, has_all_approvals, needs_approval, uncovered_by
from diffsync_store.runs.filters import count_matching
from diffsync_store.runs.suppressed import allowances_for_all
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.target import find_suppressions, find_sync, require_stores
from diffsync_store.store.record import StoreRecord


@dataclass(frozen=True)
class Plan:
    """A saved diff, and what applying it would do."""

    saved: SavedDiff
    sync_name: str
    declared: SyncEntry
    source: StoreRecord
    target: StoreRecord
    result: SyncResult
    """The counts of a sync whose target refuses nothing; those of the whole diff if `refusal` is not empty."""
    suppressions: Suppressions
    refusal: str
    """Why the guards refuse the whole diff; empty if they do not."""
    allowances: tuple[str, ...]
    """What would let a refused diff through."""
    approval: Approval | None
    """The decision of a person about the diff, if there is one."""
    allow: tuple[str, ...] = ()
    """What the plan lets through the guards."""
    allow_all: tuple[str, ...] = ()
    """The allowances with which guards let the whole diff through; empty if they hold nothing of it."""
    uncovered: tuple[str, ...] = ()
    """What the approval does not cover of the plan."""

    @property
    def needs_approval(self) -> bool:
        """Whether the file requires that a person approves the diff."""
        return needs_approval(self.declared, self.saved.record, self.allow)

    @property
    def is_approved(self) -> bool:
        """Whether a person has approved the diff as it is now, with all that the plan applies."""
        return (
            self.approval is not None
            and not self.uncovered
            and not self.approval.is_rejected
            and self.approval.checksum == self.saved.checksum()
            and has_all_approvals(self.approval, self.saved.record)
        )

    @property
    def applies_unasked(self) -> bool:
        """Whether what the rules let through is applied before the rest is approved."""
        return applies_unasked(self.saved.record, self.allow)

    @property
    def has_changes(self) -> bool:
        """Whether applying the diff would change the target."""
        return bool(self.refusal or self.result.applied or self.result.unknown or self.result.waiting)


def make_plan(context: SyncContext[Any], request: SyncRequest) -> Plan:
    """Plan the application of a saved diff. Neither system is called.

    Raises:
        DiffNotFound: there is no such diff.
        StoreReloaded: the target's store was loaded again since.
        DiffNotApproved: a person has rejected the diff.
        UserError: no sync of its adapters is declared, or a rule of the request matches no operation.
    """
    saved = context.diffs().open(request.diff_id)
    name, declared = find_sync(context.project, saved.record)
    if request.sync_name:
        context.project.require_pair(
            request.sync_name, saved.record.source_name, saved.record.target_name, f"Diff {request.diff_id} is"
        )
    count_matching(saved, request.rules)
    refusal = ""
    allowances: tuple[str, ...] = ()
    suppressions = Suppressions()
    is_applied = saved.journal().application() is not None  # then the stores may have been dropped
    source, target = _former_stores(saved.record) if is_applied else require_stores(context, saved.record)
    try:
        if not is_applied:
            suppressions = find_suppressions(context, saved, target, request.allow)
    except ChangeLimitExceeded as error:
        refusal, allowances = str(error), tuple(excess.allowance for excess in error.excesses)
        suppressions = Suppressions(saved.record.suppressions)
    options = declared.options(suppress=suppressions, **request.options)
    result = saved.dry_run(options, flags=declared.combined_flags)
    approval = saved.journal().approval()
    return Plan(
        saved,
        name,
        declared,
        source,
        target,
        result,
        suppressions,
        refusal,
        allowances,
        approval,
        request.allow,
        allowances_for_all(context, saved, request.allow) if suppressions.all or refusal else (),
        uncovered_by(approval, request),
    )


def _former_stores(record: DiffRecord) -> tuple[StoreRecord, StoreRecord]:
    """Return what the record of a diff knows about its stores."""
    sides = (record.source_name, record.source_store_id), (record.target_name, record.target_store_id)
    source, target = (
        StoreRecord(
            store_id=store_id, name=name, state=StoreState.COMPLETE, created=record.created, updated=record.created
        )
        for name, store_id in sides
    )
    return source, target
