"""Applying a diff in which operations on records of one model go together, in one call of the target's system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from diffsync_store.canonical import restored
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.exceptions import ObjectCrudException, SyncStopped
from diffsync_store.sync.guarded import GuardedSyncer, Outcome
from diffsync_store.sync.hooks import hook
from diffsync_store.syncer import batches

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

T = TypeVar("T")


class BulkSyncer(GuardedSyncer):
    """A guarded sync that uses the `..._many` hooks that models offer."""

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        for batch in batches(self._wanted(elements)):
            held = self._fetch(batch)
            for unit in self._units(batch):
                self._apply_unit(unit, parent)
            held.clear()

    def _units(self, elements: list[DiffElement]) -> Iterator[list[DiffElement]]:
        """The elements in their order, those together that can be done by one call."""
        for hooked, alike in groupby(elements, key=self._bulk_hook):
            group = list(alike)
            size = self.options.bulk if hooked else 1
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _bulk_hook(self, element: DiffElement) -> tuple[str, str] | None:
        action = element.action
        if (
            action is None
            or self.options.bulk == 1
            or (action == DiffSyncActions.DELETE and not self._is_leaf(element))
        ):
            return None
        return (element.type, action) if self._offers(element.type, f"{action}_many") else None

    def _is_leaf(self, element: DiffElement) -> bool:
        return self.deleting and not element.child_diff.has_diffs()

    def _apply_unit(self, unit: list[DiffElement], parent: DiffSyncModel | None) -> None:
        if len(unit) > 1:
            self._apply_many(unit, parent)
            return
        [element] = unit
        self._apply_element(element, self.target.store.at_hand(element.type, self._uid(element)), parent)

    def _apply_many(self, unit: list[DiffElement], parent: DiffSyncModel | None) -> None:
        outcomes: dict[int, Outcome] = {}
        ready: list[tuple[DiffElement, DiffSyncModel | None]] = []
        for element in unit:
            obj = self.target.store.at_hand(element.type, self._uid(element))
            settled = self._settled(element, obj, parent)
            if settled is None:
                ready.append((element, None if element.action == DiffSyncActions.CREATE else obj))
            else:
                outcomes[id(element)] = settled
        if ready:
            self._send([element for element, _ in ready])
            results = self._call_many(ready)
            errors: list[Exception] = []
            stops: list[SyncStopped] = []
            for (element, obj), result in zip(ready, results, strict=True):
                try:
                    done, error = self._taken_in(element, obj, result, parent)
                except SyncStopped as stop:  # what else the call has done is kept before
                    stops.append(stop)
                    continue
                outcomes[id(element)] = done is not None, done
                errors += [error] if error else []
            if stops:
                raise stops[0]
            if errors and DiffSyncFlags.CONTINUE_ON_FAILURE not in self.flags:
                raise errors[0]
        for element in unit:
            goes_on, done = outcomes[id(element)]
            if goes_on:
                self._apply(element.get_children(), done)
            else:
                self._block(element)

    def _call_many(self, ready: list[tuple[DiffElement, DiffSyncModel | None]]) -> list[Any]:
        element = ready[0][0]
        model, action = self._class(element.type), element.action
        many = hook(model, f"{action}_many")
        with self.team.elsewhere():
            return call_many(
                lambda pairs: self.pace.call(
                    lambda: many(self.target, [_argument(model, *pair) for pair in pairs]), lambda: None
                ),
                lambda pair: self._call_single(*pair),
                ready,
            )

    def _taken_in(
        self, element: DiffElement, obj: DiffSyncModel | None, result: Any, parent: DiffSyncModel | None
    ) -> tuple[DiffSyncModel | None, Exception | None]:
        """Take in what a bulk call has returned for one record."""
        told = self._told(element)
        self.logger.debug(f"Attempting model {element.action}", **told)
        self.attempted = True
        error = result if isinstance(result, Exception) else None
        if error is None and result is not None:
            try:
                self._keep(element, obj, result, parent)
            except SyncStopped:
                raise
            except Exception as found:  # noqa: BLE001  # as for a single operation
                error = found
        self._advance()
        if error is not None:
            self._fail(element, told, error)
            return None, error
        self._land(element, told, result)
        return result, None


def _argument(model: type[DiffSyncModel], element: DiffElement, obj: DiffSyncModel | None) -> Any:
    """What a bulk hook is given for one record."""
    if element.action == DiffSyncActions.CREATE:
        return restored(model, element.keys), restored(model, element.source_attrs or {})
    if element.action == DiffSyncActions.UPDATE:
        return obj, restored(model, element.get_attrs_diffs()["+"])
    return obj


def call_many(many: Callable[[list[T]], Any], one: Callable[[T], Any], items: list[T]) -> list[Any]:
    """What became of each item: what the hook returned for it, or the exception.

    A call that raises has done nothing: its items are tried again by halves, the last ones by `one`.
    """
    if len(items) == 1:
        try:
            return [one(items[0])]
        except Exception as error:  # noqa: BLE001  # whatever an adapter's code raises is this operation's failure
            return [error]
    try:
        found = list(many(items))
    except Exception:  # noqa: BLE001  # the single record that it is about is found by halves
        half = len(items) // 2
        return call_many(many, one, items[:half]) + call_many(many, one, items[half:])
    if len(found) == len(items):
        return found
    lack = f"The bulk hook returned {len(found)} results for {len(items)} records, so it is not known what was done."
    return [ObjectCrudException(lack)] * len(items)
