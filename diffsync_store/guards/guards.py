"""What a sync must not do, told before it begins: options and pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.exceptions import ChangeLimitExceeded
from diffsync_store.guards.change_limits import ChangeLimits, Counts, Excess, Limit, Limits
from diffsync_store.guards.completeness import Completeness, Hold, holds
from diffsync_store.guards.overrides import Allowances, read_allowances
from diffsync_store.guards.withholding import Place, withhold
from diffsync_store.store.record import StoreRecord

__all__ = [
    "ChangeLimits",
    "Completeness",
    "Excess",
    "Guards",
    "Hold",
    "Holds",
    "Limit",
    "Limits",
    "counted",
    "holds",
    "withhold",
]

_WORST = 5
_NOTHING = Allowances({}, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds of one sync; called with an element of a diff, the reason why its operation is held, or None."""

    all: tuple[Hold, ...] = ()
    _by_operation: dict[tuple[str, str | None], list[tuple[Hold, frozenset[Place]]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Sort them."""
        for hold in self.all:
            self._by_operation.setdefault((hold.model, hold.action), []).append((hold, frozenset(hold.below)))

    @property
    def is_scoped(self) -> bool:
        """Whether some hold only what stands below certain objects."""
        return any(hold.below for hold in self.all)

    def __call__(self, element: DiffElement, above: Sequence[Place] = ()) -> str | None:
        """Why the element's operation is held; None where it is not.

        Args:
            element: the element.
            above: model and unique id of what it stands below.
        """
        return self.reason(element.type, element.action, above)

    def reason(self, model: str, action: str | None, above: Sequence[Place] = ()) -> str | None:
        """Why operations of an action on a model are held, of objects below these; None where they are not."""
        hold = self.holding(model, action, above)
        return None if hold is None else str(hold)

    def holding(self, model: str, action: str | None, above: Sequence[Place] = ()) -> Hold | None:
        """What holds operations of an action on a model, of objects below these."""
        for hold, below in self._by_operation.get((model, action), ()):
            if not below or not below.isdisjoint(above):
                return hold
        return None


class Guards(BaseModel):
    """The guards of one sync."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    completeness: Completeness = Field(Completeness(), description="Deletes only from a load proven complete")
    change_limits: ChangeLimits = Field(ChangeLimits(), description="How much may change")
    _allowed: Allowances = PrivateAttr(_NOTHING)

    def allowing(self, allowances: Iterable[str]) -> Self:
        """These guards, with something let through, as the message of a guard writes it.

        Raises:
            ValueError: an allowance has none of the forms.
        """
        allowed = read_allowances(allowances)
        completeness = Completeness(
            allow_partial=self.completeness.allow_partial | allowed.partial,
            allow_empty=self.completeness.allow_empty | allowed.empty,
        )
        guards = self.model_copy(update={"completeness": completeness})
        guards._allowed = allowed
        return guards

    def holds(self, source: StoreRecord, target: StoreRecord) -> Holds:
        """What is held, by the records of the two stores."""
        return Holds(holds(source, target, self.completeness))

    def check(self, counts: Counts, target: StoreRecord, held: Holds | None = None) -> None:
        """Check a sync before its first operation.

        Args:
            counts: number of operations by model and action; what is held may be among them and does not count.
            target: the record of the target's store.
            held: what `holds` found.

        Raises:
            ChangeLimitExceeded: it would change more than the change limits allow.
        """
        applied = {
            model: {
                action: number for action, number in actions.items() if held is None or not held.reason(model, action)
            }
            for model, actions in counts.items()
        }
        found = self.change_limits.exceeded(applied, target.counts, self._allowed.numbers)
        if found:
            raise ChangeLimitExceeded(_message(found), tuple(found))


def counted(diff: Diff) -> dict[str, dict[str, int]]:
    """The operations of a diff by model and action; of one that is read piece by piece, by reading all of it."""
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
    lines = [f"  {excess}" for excess in found[:_WORST]]
    if len(found) > _WORST:
        lines.append(f"  and {len(found) - _WORST} more")
    return "\n".join(
        [
            "Nothing was applied: the sync exceeds its change limits:",
            *lines,
            "Check the diff. If the changes are correct, allow them once:",
            f"  guards.allowing({[excess.allowance for excess in found]})",
        ]
    )
