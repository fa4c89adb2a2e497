"""The approval of a diff, checked before it is applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from diffsync_store.exceptions import DiffNotApproved
from diffsync_store.journal import Approval
from diffsync_store.sync.options import SyncOptions

_APPROVE = "approve it: saved.approve(by=..., reason=...), or `diffsync-store approve DIFF_ID --by NAME --reason WHY`"


def check_approval(approval: Approval | None, checksum: Callable[[], str] | None, *, is_required: bool) -> None:
    """Refuse a diff that is rejected, not approved although that is required, or changed since it was approved.

    Raises:
        DiffNotApproved: It is one of these.
    """
    refuse_rejected(approval)
    if approval is None:
        if is_required:
            raise DiffNotApproved(
                f"This diff is not approved, and the sync requires it. Check the diff, then {_APPROVE}."
            )
        return
    if checksum is None and not is_required:
        return
    if checksum is None or checksum() != approval.checksum:
        raise DiffNotApproved(
            f"This is not the diff that {approval.by} approved at {approval.at:%Y-%m-%d %H:%M:%S} UTC: its elements have "
            f"changed. Check the diff again, then {_APPROVE}."
        )


def refuse_rejected(approval: Approval | None) -> None:
    """Refuse a diff that somebody has rejected.

    Raises:
        DiffNotApproved: It is rejected.
    """
    if approval is not None and approval.is_rejected:
        raise DiffNotApproved(
            f"{approval.by} rejected this diff at {approval.at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{approval.reason or 'no reason given'}. Make a new diff; or, to apply this one after all, {_APPROVE}."
        )


def exclude_unapproved(approval: Approval | None, options: SyncOptions) -> SyncOptions:
    """Return options that also exclude the operations that the approval excludes."""
    if approval is None or not approval.excluded:
        return options
    return replace(options, exclude=(*options.exclude, *approval.excluded))
