"""Moves: an object that a diff deletes under one parent and creates under another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions

Deletes = dict[tuple[str, str], tuple[DiffElement, DiffElement | None]]
"""By model and unique id: the element that deletes the object, and the one above it."""


def deletes_in(diff: Diff, uid: Callable[[DiffElement], str]) -> Deletes:
    """What a diff deletes."""
    return {
        (element.type, uid(element)): (element, above)
        for element, above in walk(diff.get_children(), None)
        if element.action == DiffSyncActions.DELETE
    }


def walk(
    elements: Iterator[DiffElement], above: DiffElement | None
) -> Iterator[tuple[DiffElement, DiffElement | None]]:
    """All elements that have something to say, each with the one above it."""
    for element in elements:
        if element.has_diffs():
            yield element, above
            yield from walk(element.get_children(), element)
