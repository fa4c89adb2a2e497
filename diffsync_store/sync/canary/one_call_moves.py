"""Objects that move in one call: their create and their delete are chosen together, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.suppression import place_of
from diffsync_store.sync.filters import Selection
from diffsync_store.sync.moves import Key, Move, find_moves, movable
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync_elements import SyncElements


@dataclass(slots=True)
class OneCallMoves:
    """The operations of objects that move in one call, by id. For one thread."""

    creates: dict[str, str] = field(default_factory=dict)
    """The create for each delete, of these objects and of those below them."""
    tops: set[str] = field(default_factory=set)
    """Deletes of objects that do not move together with one above them."""
    kept: dict[str, str] = field(default_factory=dict)
    """Creates of objects whose delete is left out, with the reason: they do not move."""

    @classmethod
    def of(cls, diff: Diff, options: SyncOptions, elements: SyncElements) -> OneCallMoves:
        """Return those of a diff. It is read only if there are models whose objects move in one call."""
        moves, models, counts = cls(), movable(elements.models()), diff.summary()
        selection = Selection(options.select, options.exclude, options.suppress, options.rulings)
        if models and counts.get("create") and counts.get("delete"):
            below: set[str] = set()
            for move in find_moves(diff, elements.key, models).values():
                pairs = _pairs(move, elements)
                below |= pairs.keys() - {move.delete.operation_id}
                moves.creates.update(pairs)
                moves.tops.add(move.delete.operation_id)
                if selection.has_rules:
                    moves._keep(move, selection)
            moves.tops -= below
        return moves

    def _keep(self, move: Move, selection: Selection) -> None:
        left_out = selection.suppressed(move.delete, tuple(map(place_of, move.old)))
        if reason := left_out.get(move.delete.operation_id):
            self.kept[move.create.operation_id] = reason


def _pairs(move: Move, elements: SyncElements) -> dict[str, str]:
    """Return the create for each delete, of an object that moves and of those that move with it."""
    created, deleted = (_by_key(place, elements) for place in (move.create, move.delete))
    return {deleted[key]: created[key] for key in created.keys() & deleted.keys()}


def _by_key(top: DiffElement, elements: SyncElements) -> dict[Key, str]:
    """Return the ids of the operations at and below an element."""
    return {elements.key(one): one.operation_id for one, _ in walk(iter([top]), None) if one.action is not None}
