"""Which operations of a diff are applied now; the others are held, and can be applied later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.guards.guards import Holds
from diffsync_store.guards.withholding import place_of
from diffsync_store.selection import Select

Path = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected and not excluded, with what it depends on.

    A create pulls in the creates that it stands below; a delete pulls in the deletes below it. What cannot be done
    without something excluded is held too.
    """

    select: Sequence[Select] = ()
    exclude: Sequence[Select] = ()
    hold: Callable[[DiffElement], str | None] | Holds | None = None
    """Says why an operation is held; None lets it pass."""

    @property
    def has_rules(self) -> bool:
        """Whether anything may be held."""
        return bool(self.select or self.exclude or self.hold)

    def _excluded(self, element: DiffElement, path: Path) -> str:
        if element.action is None:
            return ""
        for rule in self.exclude:
            if rule.matches(element):
                return f"excluded: {rule}"
        if self.hold is None:
            return ""
        return (self.hold(element, path) if isinstance(self.hold, Holds) else self.hold(element)) or ""

    def held(self, top: DiffElement, path: Path = ()) -> dict[str, str]:
        """By id, the operations at and below an element that are held, with the reason.

        Args:
            top: the element.
            path: model and unique id of what it stands below.
        """
        held: dict[str, str] = {}
        self._visit(top, path, "", False, held)
        return held

    def _visit(self, element: DiffElement, path: Path, above: str, is_pulled: bool, held: dict[str, str]) -> bool:
        """Judge an element and what is below it; `above` says why nothing can be done here. Tells if anything is done."""
        action = element.action
        excluded = self._excluded(element, path)
        path = (*path, place_of(element))
        selected = action is not None and (not self.select or any(rule.matches(element) for rule in self.select))
        if action == DiffSyncActions.CREATE:
            why = above or excluded
            below = [self._visit(child, path, why and _needs(element), False, held) for child in _below(element)]
            done = not why and (selected or any(below))
            return self._note(element, why or "not selected", done, held)
        pulled = action == DiffSyncActions.DELETE and (is_pulled or selected) and not excluded
        below = [self._visit(child, path, above, pulled, held) for child in _below(element)]
        if action == DiffSyncActions.DELETE:
            done = pulled and not above and all(below)
            why = above or excluded or ("a delete below it is held" if pulled else "not selected")
            return self._note(element, why, done, held)
        if action is None:
            return any(below)
        return self._note(element, above or excluded or "not selected", selected and not excluded, held)

    @staticmethod
    def _note(element: DiffElement, why: str, is_done: bool, held: dict[str, str]) -> bool:
        if not is_done:
            held[element.operation_id] = why
        return is_done


def _needs(element: DiffElement) -> str:
    return f"{element.type} {element.uid or element.name} above it is held"


def _below(element: DiffElement) -> Iterator[DiffElement]:
    return (child for child in element.get_children() if child.has_diffs())
