"""Moves: objects that a diff deletes under one parent and creates under another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from diffsync_store.diff import Diff, DiffElement, paths, walk
from diffsync_store.enum import DiffSyncActions
from diffsync_store.hooks import hook
from diffsync_store.model import DiffSyncModel

Key = tuple[str, str]
"""Model and unique id of an object."""


@dataclass(slots=True)
class Move:
    """An object that changes its parent."""

    create: DiffElement
    new: tuple[DiffElement, ...]
    """Its new ancestors, outermost first."""
    delete: DiffElement
    old: tuple[DiffElement, ...]
    """Its old ancestors, outermost first."""
    is_done: bool = False


def movable(models: Mapping[str, type[DiffSyncModel]]) -> set[str]:
    """Return the names of the models whose objects move in one call."""
    return {name for name, model in models.items() if hook(model, "move")}


def find_moves(diff: Diff, key: Callable[[DiffElement], Key], models: Collection[str] | None = None) -> dict[Key, Move]:
    """Return the objects that a diff deletes in one place and creates in another.

    A saved diff is read once; a second time if there are any.

    Args:
        diff: The diff.
        key: Returns model and unique id of an element.
        models: Models to consider; all if None.
    """
    found: dict[str | None, set[Key]] = {DiffSyncActions.CREATE: set(), DiffSyncActions.DELETE: set()}
    for element, _ in walk(diff.get_children(), None):
        if element.action in found and (models is None or element.type in models):
            found[element.action].add(key(element))
    moved = found[DiffSyncActions.CREATE] & found[DiffSyncActions.DELETE]
    if not moved:
        return {}
    places: dict[str | None, dict[Key, tuple[DiffElement, tuple[DiffElement, ...]]]] = {
        DiffSyncActions.CREATE: {},
        DiffSyncActions.DELETE: {},
    }
    for element, ancestors in paths(diff.get_children()):
        if element.action in places and key(element) in moved:
            places[element.action][key(element)] = element, ancestors
    deletes = places[DiffSyncActions.DELETE]
    return {name: Move(*place, *deletes[name]) for name, place in places[DiffSyncActions.CREATE].items()}


def merge(move: Move, key: Callable[[DiffElement], Key]) -> DiffElement:
    """Return a moved object as one element, with the changes of its attributes and the changes below it."""
    return _merge(move.create, move.delete, key)


def _merge(create: DiffElement, delete: DiffElement, key: Callable[[DiffElement], Key]) -> DiffElement:
    element = DiffElement(create.type, create.name, create.keys, create.source_name, create.dest_name)
    element.add_attrs(create.source_attrs, delete.dest_attrs)
    element.uid, element.operation_id = create.uid, create.operation_id
    element.flags = create.flags | delete.flags
    deleted = {key(child): child for child in delete.get_children()}
    for child in create.get_children():
        before = deleted.pop(key(child), None)
        element.add_child(child if before is None else _merge(child, before, key))
    for child in deleted.values():
        element.add_child(child)
    return element
