"""The approval of a diff, checked before it is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from diffsync_store.diff import DiffElement
from diffsync_store.exceptions import DiffNotApproved
from diffsync_store.journal import Approval
from diffsync_store.selection import Select
from diffsync_store.suppression import Suppression, Suppressions
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


def uncovered(approval: Approval, *, allow: Iterable[str] = (), select: Sequence[Select] = ()) -> tuple[str, ...]:
    """Return what a sync with these allowances and this selection would apply that nobody was shown, in words."""
    found = [f"allow {text!r}" for text in allow if text not in approval.allowed]
    if approval.selected and tuple(select) != approval.selected:
        found.append(f"operations other than select {', '.join(map(str, approval.selected))}")
    return tuple(found)


def require_covered(approval: Approval | None, *, allow: Iterable[str] = (), select: Sequence[Select] = ()) -> None:
    """Refuse a sync that would apply more than its approval covers.

    Raises:
        DiffNotApproved: It would.
    """
    if approval is None or approval.is_rejected:
        return
    if found := uncovered(approval, allow=allow, select=select):
        raise DiffNotApproved(
            f"Nothing was applied: the approval by {approval.by} at {approval.at:%Y-%m-%d %H:%M:%S} UTC does not cover "
            f"{' and '.join(found)}. Check what this adds, then approve the diff with it: "
            "saved.approve(..., allow=..., select=...), or answer the question of the sync."
        )


def suppress_unapproved(approval: Approval | None, options: SyncOptions, shown: Iterable[Suppression]) -> SyncOptions:
    """Return options that also suppress what guards suppressed when the diff was made, if an approval is required.

    Args:
        approval: The approval.
        options: How the diff is applied.
        shown: What guards suppressed when the diff was made.
    """
    if approval is None or not options.require_approval:
        return options
    why = f"the approval by {approval.by} does not cover them. Approve the diff together with the allowance"
    lacking = Suppressions(tuple(replace(one, reason=why) for one in shown if one.allowance not in approval.allowed))
    given = options.suppress
    if not lacking.all:
        return options
    if given is None:
        return replace(options, suppress=lacking)
    if isinstance(given, Suppressions):
        known = {(one.model, one.action, one.below) for one in given.all}
        more = [one for one in lacking.all if (one.model, one.action, one.below) not in known]
        return replace(options, suppress=Suppressions((*given.all, *more)))
    anywhere = Suppressions(
        tuple(replace(one, below=()) for one in lacking.all)
    )  # a function does not get the ancestors

    def either(element: DiffElement) -> str | None:
        return given(element) or anywhere(element)

    return replace(options, suppress=either)
