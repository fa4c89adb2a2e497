"""Moves: an object that a diff deletes under one parent and creates under another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diffsync_store.diff import Diff, DiffElement, paths
from diffsync_store.enum import DiffSyncActions


@dataclass(slots=True)
class Move:
    """An object of a model that offers `move`, and what it stands under on either side."""

    create: DiffElement
    new: tuple[DiffElement, ...]
    """What it comes to stand below, outermost first."""
    delete: DiffElement
    old: tuple[DiffElement, ...]
    """What it stands below now."""
    is_done: bool = False


def moves_in(
    diff: Diff, key: Callable[[DiffElement], tuple[str, str]], models: set[str]
) -> dict[tuple[str, str], Move]:
    """What a diff deletes at one place and creates at another, of models that offer a `move`, by model and unique id."""
    places: dict[str | None, dict[tuple[str, str], tuple[DiffElement, tuple[DiffElement, ...]]]] = {
        DiffSyncActions.CREATE: {},
        DiffSyncActions.DELETE: {},
    }
    for element, above in paths(diff.get_children()):
        if element.type in models and element.action in places:
            places[element.action][key(element)] = element, above
    deletes = places[DiffSyncActions.DELETE]
    return {
        found: Move(create, new, *deletes[found])
        for found, (create, new) in places[DiffSyncActions.CREATE].items()
        if found in deletes
    }


def merged(move: Move, key: Callable[[DiffElement], tuple[str, str]]) -> DiffElement:
    """The moved object as one element: what changes of it, and below it what changes, comes and goes."""
    return _merged(move.create, move.delete, key)


def _merged(create: DiffElement, delete: DiffElement, key: Callable[[DiffElement], tuple[str, str]]) -> DiffElement:
    element = DiffElement(create.type, create.name, create.keys, create.source_name, create.dest_name)
    element.add_attrs(create.source_attrs, delete.dest_attrs)
    element.uid, element.operation_id = create.uid, create.operation_id
    element.flags = create.flags | delete.flags
    gone = {key(child): child for child in delete.get_children()}
    for child in create.get_children():
        before = gone.pop(key(child), None)
        element.add_child(child if before is None else _merged(child, before, key))
    for child in gone.values():
        element.add_child(child)
    return element
