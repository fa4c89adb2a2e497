"""What guards suppress of a saved diff, and what a person has to allow to release it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.exceptions import ChangeLimitExceeded, ObjectStoreException
from diffsync_store.project import SyncContext, UserError
from diffsync_store.runs.target import find_suppressions, require_stores


@dataclass(frozen=True)
class Suppressed:
    """Operations that guards suppress, by the allowance that releases them."""

    allowance: str
    reasons: tuple[str, ...]
    """How many operations, and why; a line for each model and action."""


_COUNTED = 5000
"""Elements of a diff that are counted for a page, where guards suppress operations below certain objects."""


def find_suppressed(context: SyncContext[Any], saved: SavedDiff, *, counts_all: bool = False) -> tuple[Suppressed, ...]:
    """Return what guards suppress: what they suppressed when the diff was made, then what exceeds the change limits.

    The limits count what is applied without an allowance, and what is applied with all of them.

    Args:
        context: the project.
        saved: the diff.
        counts_all: check the limits even if that reads all of a large diff.
    """
    record = saved.record
    reasons: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for one in record.suppressions:
        if not one.count_in(record.by_model):
            continue
        reasons[one.allowance][f"{one.count_in(record.by_model):,} {one.action}s of {one.model}: {one.reason}"] = None
    is_read = any(one.below for one in record.suppressions) and record.elements > _COUNTED
    for allow in dict.fromkeys([(), tuple(reasons)]) if counts_all or not is_read else ():
        for allowance, reason in _excesses(context, saved, allow):
            reasons[allowance][reason] = None
    return tuple(Suppressed(allowance, tuple(found)) for allowance, found in reasons.items())


def allowances_for_all(context: SyncContext[Any], saved: SavedDiff, allow: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the allowances with which guards let the whole diff through, those that are given included."""
    return tuple(dict.fromkeys((*allow, *(one.allowance for one in find_suppressed(context, saved)))))


def require_releasable(context: SyncContext[Any], saved: SavedDiff, allow: Sequence[str]) -> None:
    """Refuse to approve allowances of which one releases nothing, or with which the change limits refuse the diff.

    Raises:
        UserError: an allowance releases nothing.
        ChangeLimitExceeded: the limits refuse the diff; the message has the allowances that are missing.
    """
    known = {one.allowance for one in find_suppressed(context, saved, counts_all=True)} if allow else set()
    for each in allow:
        others = [other for other in allow if other != each]
        if each not in known and each not in dict(_excesses(context, saved, others)):
            advice = f"Allow any of: {', '.join(sorted(known))}." if known else "Allow nothing."
            raise UserError(
                f"Nothing is approved: the guards suppress nothing of this diff that {each!r} releases. {advice}"
            )
    if excesses := list(_excesses(context, saved, allow)):
        missing = ", ".join(allowance for allowance, _ in excesses)
        raise UserError(
            f"Nothing is approved: {'; '.join(text for _, text in excesses)}. Allow also {missing}, or reject the diff."
        )


def _excesses(context: SyncContext[Any], saved: SavedDiff, allow: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the allowance and the text of each change limit that the diff exceeds; nothing if its stores are gone."""
    with suppress(ObjectStoreException, UserError):
        _, target = require_stores(context, saved.record)
        try:
            find_suppressions(context, saved, target, allow)
        except ChangeLimitExceeded as error:
            yield from ((excess.allowance, str(excess)) for excess in error.excesses)
