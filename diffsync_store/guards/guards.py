"""Guards: what a sync must not do, checked before its first operation. Options and pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from diffsync_store.diff import Diff
from diffsync_store.exceptions import ChangeLimitExceeded
from diffsync_store.guards.allowances import Allowances, parse_allowances
from diffsync_store.guards.change_limits import ChangeLimits, Counts, Excess
from diffsync_store.guards.completeness import Completeness
from diffsync_store.store.record import StoreRecord
from diffsync_store.suppression import Suppressions

_MAX_SHOWN = 5
"""Excesses that a message shows."""
_NOTHING = Allowances({}, frozenset(), frozenset())


class Guards(BaseModel):
    """The guards of one sync."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    completeness: Completeness = Field(Completeness(), description="Delete only what a complete load proves to be gone")
    change_limits: ChangeLimits = Field(ChangeLimits(), description="How much one sync may change")
    _allowed: Allowances = PrivateAttr(_NOTHING)

    def allowing(self, allowances: Iterable[str]) -> Self:
        """Return these guards with allowances, as a guard's message prints them.

        Raises:
            ValueError: A text is not a valid allowance.
        """
        allowed = parse_allowances(allowances)
        completeness = Completeness(
            allow_partial=self.completeness.allow_partial | allowed.partial,
            allow_empty=self.completeness.allow_empty | allowed.empty,
        )
        guards = self.model_copy(update={"completeness": completeness})
        guards._allowed = allowed
        return guards

    def suppressions(self, source: StoreRecord, target: StoreRecord) -> Suppressions:
        """Return what the records of the two stores suppress."""
        return Suppressions(self.completeness.suppressions(source, target))

    def check(self, counts: Counts, target: StoreRecord, suppressions: Suppressions | None = None) -> None:
        """Check a sync before its first operation.

        Args:
            counts: Operations by model and action, with or without suppressed ones.
            target: Record of the target's store.
            suppressions: Operations that do not count.

        Raises:
            ChangeLimitExceeded: The sync would change more than the limits allow.
        """
        applied = {
            model: {
                action: number
                for action, number in actions.items()
                if suppressions is None or not suppressions.find(model, action)
            }
            for model, actions in counts.items()
        }
        found = self.change_limits.exceeded(applied, target.counts, self._allowed.numbers)
        if found:
            raise ChangeLimitExceeded(_message(found), tuple(found))


def count_operations(diff: Diff) -> dict[str, dict[str, int]]:
    """Count a diff's operations by model and action. A saved diff is read in full."""
    counts: dict[str, dict[str, int]] = {}
    waiting: list[Any] = [diff.get_children()]
    while waiting:
        element = next(waiting[-1], None)
        if element is None:
            waiting.pop()
            continue
        if element.action is not None:
            of_model = counts.setdefault(element.type, {})
            of_model[element.action] = of_model.get(element.action, 0) + 1
        waiting.append(element.get_children())
    return counts


def _message(found: list[Excess]) -> str:
    lines = [f"  {excess}" for excess in found[:_MAX_SHOWN]]
    if len(found) > _MAX_SHOWN:
        lines.append(f"  and {len(found) - _MAX_SHOWN} more")
    return "\n".join(
        [
            "Nothing was applied: the sync exceeds its change limits:",
            *lines,
            "Check the diff. If the changes are correct, allow them once:",
            f"  guards.allowing({[excess.allowance for excess in found]})",
        ]
    )
