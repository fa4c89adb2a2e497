"""Applying a diff in which operations on records of one model go together, in one call of the target's system."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from diffsync_store.canonical import restored
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncFlags
from diffsync_store.exceptions import ObjectCrudException, SyncStopped
from diffsync_store.sync.guarded import GuardedSyncer, Outcome
from diffsync_store.sync.hooks import hook

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

T = TypeVar("T")
Placed = tuple[DiffElement, "DiffSyncModel | None"]
"""An element, and the target's object that it stands below."""
Ready = tuple[DiffElement, "DiffSyncModel | None", "DiffSyncModel | None"]
"""An element, its object, and the object above it."""

_FETCHED = 500
"""Elements whose objects are fetched at once."""
_HOOKS = ("create_many", "update_many", "delete_many")


class BulkSyncer(GuardedSyncer):
    """A guarded sync that uses the `..._many` hooks that models offer.

    What stands below several objects is done together too, once all of these are done.
    """

    def _apply(self, elements: Iterator[DiffElement], parent: DiffSyncModel | None) -> None:
        self._apply_placed([(element, parent) for element in self._wanted(elements)])

    def _apply_placed(self, placed: list[Placed]) -> None:
        for start in range(0, len(placed), _FETCHED):
            batch = placed[start : start + _FETCHED]
            held = self._fetch([element for element, _ in batch])
            for unit in self._units(batch):
                self._apply_unit(unit)
            held.clear()

    def _units(self, placed: list[Placed], workers: int = 1) -> Iterator[list[Placed]]:
        """The elements in their order, those together that can be done by one call, or have such below them.

        So many workers share those that are done one by one.
        """
        for way, alike in groupby(placed, key=lambda found: self._way(found[0])):
            group = list(alike)
            most = len(group) if way and way[2] else math.ceil(len(group) / workers)
            size = min(self.options.bulk, most) if way else 1
            for start in range(0, len(group), size):
                yield group[start : start + size]

    def _way(self, element: DiffElement) -> tuple[str, str | None, bool] | None:
        """Elements of the same way are done together; one without a way is done by itself, with what is below it."""
        if self.options.bulk == 1 or self.logs_unchanged or not self._has_bulk_hooks:
            return None
        if self._has_bulk_hook(element):
            return element.type, element.action, True
        if element.action != DiffSyncActions.DELETE and any(map(self._way, self._wanted(element.get_children()))):
            return element.type, element.action, False
        return None

    @cached_property
    def _has_bulk_hooks(self) -> bool:
        models = self.target._get_initial_value_order()
        return any(hook(getattr(self.target, model, None), name) for model in models for name in _HOOKS)

    def _has_bulk_hook(self, element: DiffElement) -> bool:
        if element.action is None or (element.action == DiffSyncActions.DELETE and not self._is_leaf(element)):
            return False
        return self._offers(element.type, f"{element.action}_many")

    def _is_leaf(self, element: DiffElement) -> bool:
        return self.deleting and not element.child_diff.has_diffs()

    def _apply_unit(self, unit: list[Placed]) -> None:
        if len(unit) == 1:
            [(element, parent)] = unit
            self._apply_element(element, self.target.store.at_hand(element.type, self._uid(element)), parent)
            return
        together = self._operate_together if self._has_bulk_hook(unit[0][0]) else self._operate_singly
        families: list[list[Placed]] = []
        for (element, _), (goes_on, done) in zip(unit, together(unit), strict=True):
            if goes_on:
                families.append([(below, done) for below in self._wanted(element.get_children())])
            else:
                self._block(element)
        self._apply_placed(list(merged_families(families)))

    def _operate_singly(self, unit: list[Placed]) -> list[Outcome]:
        return [self._pass_or_operate(element, parent) for element, parent in unit]

    def _pass_or_operate(self, element: DiffElement, parent: DiffSyncModel | None) -> Outcome:
        obj = self.target.store.at_hand(element.type, self._uid(element))
        if element.action is not None:
            return self._operate(element, obj, parent)
        self._advance()
        return obj is not None, obj

    def _operate_together(self, unit: list[Placed]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        ready: list[Ready] = []
        for element, parent in unit:
            obj = self.target.store.at_hand(element.type, self._uid(element))
            settled = self._settled(element, obj, parent)
            if settled is None:
                ready.append((element, None if element.action == DiffSyncActions.CREATE else obj, parent))
            else:
                outcomes[id(element)] = settled
        if ready:
            self._send([element for element, _, _ in ready])
            results = self._call_many([(element, obj) for element, obj, _ in ready])
            errors: list[Exception] = []
            stops: list[SyncStopped] = []
            for (element, obj, parent), result in zip(ready, results, strict=True):
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
        return [outcomes[id(element)] for element, _ in unit]

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


def merged_families(families: list[list[tuple[DiffElement, T]]]) -> Iterator[tuple[DiffElement, T]]:
    """Children of several parents, those of one model together, without a change of order between those of one parent."""
    waiting = [deque(list(run) for _, run in groupby(family, key=lambda found: found[0].type)) for family in families]
    while waiting := [runs for runs in waiting if runs]:
        model = waiting[0][0][0][0].type
        for runs in waiting:
            if runs[0][0][0].type == model:
                yield from runs.popleft()


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
