"""Taking held operations out of a diff."""

from __future__ import annotations

from collections.abc import Callable

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions

Place = tuple[str, str]
"""Model and unique id of an object."""
Why = Callable[..., str | None]
"""Called with an element, and model and unique id of what it stands below: why its operation is held."""
Held = list[tuple[DiffElement, str]]
"""Elements whose operations are held, each with the reason."""


def withhold(diff: Diff, why_held: Why, above: tuple[Place, ...] = ()) -> Held:
    """Take out of a diff in memory what is held, with everything that cannot be done without it."""
    found: Held = []
    gone = []
    for element in [element for group in diff.children.values() for element in group.values()]:
        held, is_held = withhold_below(element, why_held, above)
        found += held
        if is_held:
            gone.append(element)
    diff.leave_out(gone)
    return found


def withhold_below(element: DiffElement, why_held: Why, above: tuple[Place, ...] = ()) -> tuple[Held, bool]:
    """Take out what is held below an element; tell whether the element itself is held, and is among what was found.

    A delete is held too where one below it is: what stands below the object must not go with it.
    """
    found = withhold(element.child_diff, why_held, (*above, place_of(element)))
    reason = why_held(element, above)
    if reason is None and found and element.action == DiffSyncActions.DELETE:
        reason = f"a {found[-1][0].type} below it is held"
    if reason is not None:
        found.append((element, reason))
    return found, reason is not None


def place_of(element: DiffElement) -> Place:
    """Model and unique id of an element's object."""
    return element.type, element.uid or element.name
