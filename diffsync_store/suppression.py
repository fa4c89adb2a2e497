"""Operations that a guard suppresses: they stay in a saved diff and are not applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions

Place = tuple[str, str]
"""Model and unique id of an object."""
Reason = Callable[..., str | None]
"""Takes an element and the places of its ancestors; returns why its operation is suppressed, or None."""
Removed = list[tuple[DiffElement, str]]
"""Elements whose operations are suppressed, each with the reason."""
_MAX_NAMED = 3
"""Objects that a message names."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Suppressed operations: those of one action on one model."""

    model: str
    action: str
    reason: str
    allowance: str
    """The text that `Guards.allowing` takes to apply them anyway."""
    below: tuple[Place, ...] = ()
    """Only these objects and their descendants are suppressed; all objects of the model if empty."""
    count: int | None = field(default=None, compare=False)
    """Suppressed operations of the diff, if they were counted."""

    def __str__(self) -> str:
        return (
            f"{self.action}s of {self.model}{self._below_text()} are suppressed: {self.reason}. To apply them once, allow "
            f"{self.allowance!r}: guards.allowing([{self.allowance!r}]), `diffsync-store apply --allow {self.allowance}`, or the "
            "parameter `allow` of a sync's flow run."
        )

    def count_in(self, by_model: Mapping[str, Mapping[str, int]]) -> int:
        """Return the number of suppressed operations of a diff.

        Args:
            by_model: The diff's operations by model and action.
        """
        return by_model.get(self.model, {}).get(self.action, 0) if self.count is None else self.count

    def _below_text(self) -> str:
        if not self.below:
            return ""
        named = ", ".join(f"{model} {uid}" for model, uid in self.below[:_MAX_NAMED])
        return f" below {named}{f' and {len(self.below) - _MAX_NAMED} more' if len(self.below) > _MAX_NAMED else ''}"


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppressions of one sync.

    Calling it with an element of a diff returns why the element's operation is suppressed, or None.
    """

    all: tuple[Suppression, ...] = ()
    _by_operation: dict[tuple[str, str | None], list[tuple[Suppression, frozenset[Place]]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Index them by model and action."""
        for one in self.all:
            self._by_operation.setdefault((one.model, one.action), []).append((one, frozenset(one.below)))

    @property
    def is_scoped(self) -> bool:
        """Whether any of them concerns only certain objects and their descendants."""
        return any(one.below for one in self.all)

    def __call__(self, element: DiffElement, ancestors: Sequence[Place] = ()) -> str | None:
        """Return why the element's operation is suppressed, or None."""
        return self.reason(element.type, element.action, (*ancestors, place_of(element)))

    def reason(self, model: str, action: str | None, places: Sequence[Place] = ()) -> str | None:
        """Return why an action on an object of the model is suppressed, or None. `places` are those of its ancestors and its own."""
        found = self.find(model, action, places)
        return None if found is None else str(found)

    def find(self, model: str, action: str | None, places: Sequence[Place] = ()) -> Suppression | None:
        """Return the suppression of an action on an object of the model, or None. `places` as for `reason`."""
        for one, below in self._by_operation.get((model, action), ()):
            if not below or not below.isdisjoint(places):
                return one
        return None


def suppress(diff: Diff, reason: Reason, ancestors: tuple[Place, ...] = ()) -> Removed:
    """Remove suppressed operations from a diff in memory, and those that depend on them."""
    removed: Removed = []
    suppressed = []
    for element in [element for group in diff.children.values() for element in group.values()]:
        below, is_suppressed = suppress_below(element, reason, ancestors)
        removed += below
        if is_suppressed:
            suppressed.append(element)
    diff.leave_out(suppressed)
    return removed


def suppress_below(element: DiffElement, reason: Reason, ancestors: tuple[Place, ...] = ()) -> tuple[Removed, bool]:
    """Remove suppressed operations below an element.

    A delete is suppressed too if a delete below it is: the object's children must not be deleted with it.

    Returns:
        The removed elements, including this one if its own operation is suppressed; and whether it is suppressed.
    """
    removed = suppress(element.child_diff, reason, (*ancestors, place_of(element)))
    why = reason(element, ancestors)
    if why is None and removed and element.action == DiffSyncActions.DELETE:
        why = f"a {removed[-1][0].type} below it is suppressed"
    if why is not None:
        removed.append((element, why))
    return removed, why is not None


def place_of(element: DiffElement) -> Place:
    """Return model and unique id of an element's object."""
    return element.type, element.uid or element.name
