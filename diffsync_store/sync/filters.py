"""The selection of the operations to apply. The others can be applied later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.selection import Select
from diffsync_store.suppression import Suppressions, place_of
from diffsync_store.sync.rulings import RuledOut, Rulings, state_of

Path = tuple[tuple[str, str], ...]
NOT_SELECTED = "not selected"
"""Reason of an operation that no rule of `select` matches."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Selected operations and those that they depend on.

    A create includes the creates above it; a delete includes the deletes below it. An operation that depends on an excluded
    one is left out too.
    """

    select: Sequence[Select] = ()
    exclude: Sequence[Select] = ()
    suppress: Callable[[DiffElement], str | None] | Suppressions | None = None
    """Returns the reason to leave an operation out, or None."""
    rulings: Rulings | None = None
    """What the rules of the diff leave out."""

    @property
    def has_rules(self) -> bool:
        """Whether anything may be left out."""
        return bool(self.select or self.exclude or self.suppress or self.rulings)

    def _excluded(self, element: DiffElement, path: Path) -> str:
        if element.action is None:
            return ""
        for rule in self.exclude:
            if rule.matches(element):
                return f"excluded: {rule}"
        return self._suppressed(element, path) or (self.rulings(element) if self.rulings is not None else None) or ""

    def _suppressed(self, element: DiffElement, path: Path) -> str | None:
        if self.suppress is None:
            return None
        return self.suppress(element, path) if isinstance(self.suppress, Suppressions) else self.suppress(element)

    def suppressed(self, top: DiffElement, path: Path = ()) -> dict[str, str]:
        """Return the operations at and below an element that are left out, by id, with the reason.

        Args:
            top: The element.
            path: Model and unique id of the objects above it.
        """
        suppressed: dict[str, str] = {}
        self._visit(top, path, "", False, suppressed)
        return suppressed

    def _visit(
        self, element: DiffElement, path: Path, above: str, is_required: bool, suppressed: dict[str, str]
    ) -> bool:
        """Visit an element and those below it; return whether any operation is applied.

        Args:
            element: the element.
            path: model and unique id of its ancestors.
            above: why nothing can be applied here; empty if something can.
            is_required: a selected delete above it includes the element.
            suppressed: receives the reasons by operation id.
        """
        action = element.action
        excluded = self._excluded(element, path)
        path = (*path, place_of(element))
        selected = action is not None and (not self.select or any(rule.matches(element) for rule in self.select))
        if action == DiffSyncActions.CREATE:
            why = above or excluded
            below = [
                self._visit(child, path, why and _as(why, _parent_left_out(element)), False, suppressed)
                for child in _below(element)
            ]
            done = not why and (selected or any(below))
            return self._note(element, why or NOT_SELECTED, done, suppressed)
        included = action == DiffSyncActions.DELETE and (is_required or selected) and not excluded
        below = [self._visit(child, path, above, included, suppressed) for child in _below(element)]
        if action == DiffSyncActions.DELETE:
            done = included and not above and all(below)
            why = above or excluded or (_kept_below(element, suppressed) if included else NOT_SELECTED)
            return self._note(element, why, done, suppressed)
        if action is None:
            return any(below)
        return self._note(element, above or excluded or NOT_SELECTED, selected and not excluded, suppressed)

    @staticmethod
    def _note(element: DiffElement, why: str, is_done: bool, suppressed: dict[str, str]) -> bool:
        if not is_done:
            suppressed[element.operation_id] = why
        return is_done


def _parent_left_out(element: DiffElement) -> str:
    return f"{element.type} {element.uid or element.name} above it is left out"


def _as(reason: str, text: str) -> str:
    """Return a text as the reason of an operation that is left out together with another one, for the same state."""
    return RuledOut(text, reason.state) if isinstance(reason, RuledOut) else text


def _kept_below(element: DiffElement, suppressed: Mapping[str, str]) -> str:
    """Return the reason of a delete that is left out because one below it is."""
    reasons = [suppressed[below.operation_id] for below in _below(element) if below.operation_id in suppressed]
    states = {state_of(reason) for reason in reasons} - {State.IGNORED}
    state = State.WAITING if states == {State.WAITING} else State.SUPPRESSED if states else State.IGNORED
    text = "a delete below it is left out"
    return text if not reasons or state is State.SUPPRESSED else RuledOut(text, state)


def _below(element: DiffElement) -> Iterator[DiffElement]:
    return (child for child in element.get_children() if child.has_diffs())
