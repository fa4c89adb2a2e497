"""What operations need that are applied before the rest of their diff."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff, DiffElement, paths, walk
from diffsync_store.enum import DiffSyncActions
from diffsync_store.sync.moves import Key, find_moves, movable
from diffsync_store.sync.references import ReferenceOrder
from diffsync_store.sync_elements import SyncElements

_BATCH = 1000


class Needs:
    """Finds the operations that others need. For one thread.

    Args:
        diff: the diff.
        target: the adapter to change; None in a dry run, which does not know which objects change their parent.
        elements: the elements of the diff.
        is_prefix: whether the operations are the first of a sync, so that those they refer to are among them.
    """

    def __init__(self, diff: Diff, target: Adapter | None, elements: SyncElements, *, is_prefix: bool) -> None:
        self._diff = diff
        self._target = target
        self._elements = elements
        self._is_prefix = is_prefix
        self._movable = movable(elements.models())
        self._references = ReferenceOrder(elements.models(), lambda step: elements.uid(step.element))

    def of(self, found: Mapping[str, DiffElement]) -> set[str]:
        """Return the ids of the operations that these need, with their own."""
        ids = {*found, *self._moved(found.values())}
        return ids if self._is_prefix and len(ids) == len(found) else {*ids, *self._around(ids)}

    def _moved(self, elements: Collection[DiffElement]) -> Iterator[str]:
        """Yield what comes with objects that change their parent: their deletes and creates, and all of one that moves in one call."""
        counts = self._diff.summary()
        if self._target is None or not (counts.get("create") and counts.get("delete")):
            return
        keys = {
            action: {self._elements.key(one) for one in elements if one.action == action}
            for action in (DiffSyncActions.CREATE, DiffSyncActions.DELETE)
        }
        deleted = keys[DiffSyncActions.DELETE]
        whole = {key for of_action in keys.values() for key in of_action if key[0] in self._movable}
        colliding = set(self._present(self._target, keys[DiffSyncActions.CREATE]))
        either = colliding | deleted
        models = {model for model, _ in whole | either}
        for key, move in find_moves(self._diff, self._elements.key, models).items() if models else ():
            places = [move.create, move.delete] if key in whole else [move.delete] if key in either else []
            below = walk(iter(places), None)
            yield from (element.operation_id for element, _ in below if element.action is not None)
            if key in deleted:  # otherwise the object is lost if the canary does not pass
                yield move.create.operation_id

    def _present(self, target: Adapter, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the objects that the target has: one that is created was in another place, and is deleted there first."""
        for model, group in groupby(sorted(keys), key=itemgetter(0)):
            uids = [uid for _, uid in group]
            for start in range(0, len(uids), _BATCH):
                found = target.store.fetch(model, uids[start : start + _BATCH])
                yield from ((model, uid) for uid in found)

    def _around(self, ids: set[str]) -> Iterator[str]:
        """Yield the creates above, the deletes below, and what refers to deleted objects or is referred to."""
        names, deleted = set[Key](), set[Key]()
        for element, above in paths(self._diff.get_children()):
            if element.operation_id in ids and element.action is not None:
                yield from (one.operation_id for one in above if one.action == DiffSyncActions.CREATE)
                if element.action == DiffSyncActions.DELETE:
                    deleted.add(self._elements.key(element))
                    below = walk(element.get_children(), None)
                    yield from (one.operation_id for one, _ in below if one.action == DiffSyncActions.DELETE)
                else:
                    names.update(self._references.named(element))
        if names or (deleted and any(self._references.deletes_last(model) for model, _ in deleted)):
            yield from self._referred(names, deleted)

    def _referred(self, names: set[Key], deleted: set[Key]) -> Iterator[str]:
        for element, _ in walk(self._diff.get_children(), None):
            is_named = element.action == DiffSyncActions.CREATE and self._elements.key(element) in names
            if is_named or (deleted and not deleted.isdisjoint(self._references.named_before(element))):
                yield element.operation_id
