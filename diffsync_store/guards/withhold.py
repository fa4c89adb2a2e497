"""Taking held operations out of a diff in memory."""

from __future__ import annotations

from collections.abc import Callable

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions

Why = Callable[[DiffElement], str | None]


class _Below:
    """Holds everything below an element."""

    def __init__(self, above: DiffElement) -> None:
        self._above = above

    def __call__(self, element: DiffElement) -> str | None:
        return f"{self._above.type} {self._above.name} above it is held" if element.action else None


def withhold(diff: Diff, why_held: Why) -> list[tuple[DiffElement, str]]:
    """Take out what is held, with everything that cannot be done without it; return that, each with the reason.

    A delete is held too where one below it is: what stands below the object must not go with it.
    """
    found: list[tuple[DiffElement, str]] = []
    for elements in diff.children.values():
        for name, element in list(elements.items()):
            below = withhold(element.child_diff, why_held)
            found += below
            reason = why_held(element)
            if reason is None and below and element.action == DiffSyncActions.DELETE:
                reason = f"{below[-1][0].type} {below[-1][0].name} below it is held"
            if reason is not None:
                found.append((element, reason))
                found += withhold(element.child_diff, _Below(element))
                del elements[name]
    return found
