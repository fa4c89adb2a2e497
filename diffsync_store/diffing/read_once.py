"""Which objects are read on the source only, because they are equal on both sides, and with which of their children."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from diffsync_store._adapter_like import AdapterLike, is_stored
from diffsync_store.diffing.pruning import IndexPruner
from diffsync_store.diffing.readers import NONE_BELOW, NOTHING, Below, Objects


class ReadOnce:
    """The objects of one comparison that are marked only because objects below them are, where both sides have the same classes."""

    def __init__(self, source: AdapterLike, target: AdapterLike, pruner: IndexPruner | None) -> None:
        self._sides = source, target
        self._are_stored = is_stored(source) and is_stored(target)
        self._pruner = pruner

    def known(self, model: str, *found: Objects) -> Objects:
        """Return those objects of the source that the target has as they are, so that they need not be read there."""
        pruner = self._pruner_of(model)
        if pruner is None:
            return NOTHING
        return {uid: obj for objects in found for uid, obj in objects.items() if pruner.is_equal(model, uid)}

    def below(self, model: str, groups: Iterable[tuple[Sequence[str], Sequence[str]]]) -> Below:
        """Return the objects of which only the marked children are needed, with these children.

        Args:
            model: the model.
            groups: the unique ids of siblings on the source and on the target.
        """
        pruner = self._pruner_of(model)
        if pruner is None:
            return NONE_BELOW
        on_both, on_one_side = set[str](), set[str]()
        for group in groups:
            source, target = ({uid for uid in uids if pruner.is_equal(model, uid)} for uids in group)
            on_both |= source & target
            on_one_side |= source ^ target  # created or deleted there, with everything below it
        return {uid: pruner.marked_below(model, uid) for uid in on_both - on_one_side}

    def _pruner_of(self, model: str) -> IndexPruner | None:
        pruner, (source, target) = self._pruner, self._sides
        if pruner is None or not self._are_stored or not pruner.covers(model):
            return None
        return pruner if getattr(source, model, None) is getattr(target, model, None) else None
