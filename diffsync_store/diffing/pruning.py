"""Leave out what is equal by the indexes of two stores. It is counted and never read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store._adapter_like import AdapterLike
from diffsync_store.diffing.coverage import Coverage
from diffsync_store.diffing.elements import Pair
from diffsync_store.diffing.marks import Marks
from diffsync_store.store.index.store_index import ABSENT, IndexUnusable

_MAX_DIFFERING = 250_000
"""If more objects differ, all are compared: the differing ones would need too much memory."""

Counts = tuple[int, int]
"""Number of objects that a diff counts, and that it skips."""


def pruner_for(source: AdapterLike, target: AdapterLike, models: list[str]) -> IndexPruner | None:
    """Return what leaves out equal objects of these top-level models; None if the indexes cannot be used."""
    if not (source.store.keeps_index or target.store.keeps_index):
        return None
    try:
        of_source = source.store.index()
        of_target = None if of_source is None else target.store.index()
        if of_source is None or of_target is None:
            return None
        coverage = Coverage((source, target), (of_source, of_target))
        covered = [model for model in coverage.with_models_below(models) if coverage.covers(model)]
        return IndexPruner(Marks(of_source, of_target, covered, _MAX_DIFFERING)) if covered else None
    except IndexUnusable:
        return None


class IndexPruner:
    """Leaves out the objects that are not marked. Use it from one thread."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def covers(self, model: str) -> bool:
        """Whether a model and its child models are compared by their indexes."""
        return model in self._marks

    def marked(self, model: str) -> Mapping[str, Any]:
        """Return the objects of a covered model that have to be compared, with those that they are below."""
        return self._marks.of(model)

    def is_equal(self, model: str, uid: str) -> bool:
        """Whether an object that has to be compared is equal on both sides, without those below it."""
        return self._marks.is_equal(model, uid)

    def counts_of_unmarked(self, model: str) -> Counts:
        """Return the nodes of all other objects of a covered model, added up."""
        totals = self._marks.side.totals.get(model)
        if totals is None:
            return 0, 0
        counted, skipped = self._sum(model, self._marks.stored(model))
        return totals.counted - counted, totals.skipped - skipped

    def equal_children(self, parent: Pair, model: str, source: Sequence[str], target: Sequence[str]) -> set[str]:
        """Return the children of a parent that are equal on both sides, with everything below them."""
        marked = self._marks.of(model)
        equal = {uid for uid in source if uid not in marked}
        equal.intersection_update(target)
        if equal and self._marks.was_written_on_both(parent.model, parent.uid):  # it may list what is not stored
            uids = list(equal)
            flags = self._marks.side.flags(model, uids)
            equal = {uid for uid, flag in zip(uids, flags, strict=True) if flag != ABSENT}
        return equal

    def marked_below(self, model: str, uid: str) -> list[str]:
        """Return the children that have to be compared of an object that is equal on both sides, of all child models."""
        return [child for _, children in self._marks.below(model, uid) for child in children]

    def counts_below(self, model: str, uids: Sequence[str]) -> list[Counts]:
        """Return for each of these objects, which are equal on both sides, the nodes of its equal children, added up.

        They are its own node without itself and without its marked children.
        """
        counts = [[counted - 1, skipped] for counted, skipped in self._marks.side.nodes(model, uids)]
        marked: dict[str, list[tuple[list[int], str]]] = {}
        for uid, of_uid in zip(uids, counts, strict=True):
            for child, children in self._marks.below(model, uid):
                marked.setdefault(child, []).extend(
                    (of_uid, each) for each in children if self._marks.is_stored(child, each)
                )
        for child, of_child in marked.items():
            nodes = self._marks.side.nodes(child, [uid for _, uid in of_child])
            for (of_uid, _), (counted, skipped) in zip(of_child, nodes, strict=True):
                of_uid[0] -= counted
                of_uid[1] -= skipped
        return [(counted, skipped) for counted, skipped in counts]

    def counts_of(self, model: str, uids: Sequence[str]) -> Sequence[Counts]:
        """Return the nodes of objects that are equal."""
        return self._marks.side.nodes(model, uids)

    def _sum(self, model: str, uids: list[str]) -> Counts:
        nodes = self._marks.side.nodes(model, uids)
        return sum(counted for counted, _ in nodes), sum(skipped for _, skipped in nodes)
