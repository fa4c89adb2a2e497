"""Choose the operations of a canary: those that a sync would apply, with what they need."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from diffsync_store.canary import MAX_OPERATIONS, Canary
from diffsync_store.diff import Diff, DiffElement, walk
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import InvalidRule
from diffsync_store.journal import Journal
from diffsync_store.store.reported_values import reported_values_of
from diffsync_store.sync.canary.needs import Needs
from diffsync_store.sync.canary.one_call_moves import OneCallMoves
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.simulation import Simulation
from diffsync_store.sync.steps import Step
from diffsync_store.sync_elements import SyncElements

_TOO_MANY = f"The canary fits more than {MAX_OPERATIONS:,} operations. Give `first`, or a narrower `where`. Nothing was applied."


class _Enough(Exception):
    """All operations are found."""


class _Search(Simulation):
    """Goes through a diff as a sync would, and finds operations.

    Args:
        moves: Objects that move in one call.
        fits: Whether an operation is found that the sync applies now.
        limit: How many operations are found; all if it is None.
        again: Operations that are found in any state, unless the sync leaves them out.
    """

    def __init__(
        self,
        *arguments: Any,
        moves: OneCallMoves,
        fits: Callable[[DiffElement], bool],
        limit: int | None = None,
        again: Collection[str] = (),
    ) -> None:
        super().__init__(*arguments)
        self._moves = moves
        self._creates = frozenset(moves.creates.values())
        self._done: set[str] = set()
        """Creates of objects that move, and of those below them, that are done."""
        self._fits = fits
        self._limit = limit
        self._again = again
        self.found: dict[str, DiffElement] = {}
        """In the order of the sync."""

    def run(self) -> dict[str, DiffElement]:
        """Return the operations by id."""
        try:
            for stage in self.stages():
                self.handle(stage)
        except _Enough:
            pass
        return self.found

    def send(self, steps: list[Step]) -> None:
        for step in steps:
            if self._fits(step.element):
                self._add(step)
            self.finish(step, True)

    def recover(self, steps: list[Step]) -> list[Step]:
        self.send(steps)
        return []

    def _decide(self, step: Step, blocked: str, to_send: list[Step], to_recover: list[Step]) -> None:
        create = self._moves.creates.get(step.id)
        if create is not None and create not in self._done:
            self.finish(step, step.id not in self._moves.tops)
            return
        if create is not None:
            blocked = ""  # one call does both
        if step.id in self._again and not blocked and not self.suppression_of(step):
            self._add(step)
            self.finish(step, True)
        else:
            super()._decide(step, blocked, to_send, to_recover)

    def suppression_of(self, step: Step) -> str:
        return super().suppression_of(step) or self._moves.kept.get(step.id, "")

    def _is_deferred(self, step: Step) -> bool:
        return step.id in self._moves.tops or super()._is_deferred(step)

    def contains_moved(self, element: DiffElement) -> bool:
        tops = self._moves.tops
        return bool(tops) and any(below.operation_id in tops for below, _ in walk(element.get_children(), None))

    def finish(self, step: Step, is_done: bool, blocked: str = "") -> None:
        if is_done and step.id in self._creates:
            self._done.add(step.id)
        super().finish(step, is_done, blocked)

    def remember_cascaded(self, step: Step) -> None:
        create = self._moves.creates.get(step.id)
        if create is not None and create not in self._done:
            return
        if step.id in self._again or self._fits(step.element):  # it may be deleted before its turn
            self._add(step)

    def _add(self, step: Step) -> None:
        self.found[step.id] = step.element
        if len(self.found) == self._limit:
            raise _Enough


def choose(
    diff: Diff,
    journal: Journal,
    options: SyncOptions,
    flags: DiffSyncFlags,
    elements: SyncElements,
    *,
    canary: Canary,
    needs: Needs | None = None,
    ids: Collection[str] = (),
) -> dict[str, DiffElement]:
    """Return the operations of a canary by id, in the order of the sync.

    Args:
        diff: the diff, with the ids of its operations.
        journal: its journal.
        options: how the diff is applied. What they leave out is no canary.
        flags: how the diff is applied.
        elements: its elements.
        canary: which operations to choose.
        needs: finds what chosen operations need; None if that does not matter.
        ids: operations that an earlier sync has chosen; they are chosen again, as far as this one applies them.

    Raises:
        InvalidRule: The canary names a field that no model has, or more than 10,000 operations fit.
    """
    moves = OneCallMoves.of(diff, options, elements)
    search = partial(_Search, diff, journal, options, flags, elements, moves=moves)
    if ids and (again := search(fits=_nothing, limit=len(ids), again=set(ids)).run()):
        return again
    _require_known_names(canary, elements)
    found = search(fits=canary.fits, limit=canary.first or MAX_OPERATIONS + 1).run()
    if len(found) > MAX_OPERATIONS:
        raise InvalidRule(_TOO_MANY)
    asked = set(found)
    while needs is not None and (more := needs.of(found) - asked):
        asked |= more
        found = search(fits=_is_in(asked), limit=len(asked)).run()
    return found


def _is_in(ids: Collection[str]) -> Callable[[DiffElement], bool]:
    return lambda element: element.operation_id in ids


def _nothing(_element: DiffElement) -> bool:
    return False


def _require_known_names(canary: Canary, elements: SyncElements) -> None:
    models = elements.models()
    if not models or not canary.is_limited:
        return
    fields = {
        name: None if reported_values_of(model) else frozenset({*model._identifiers, *model._attributes})
        for name, model in models.items()
    }
    for message in canary.problems(fields):
        raise InvalidRule(f"The canary ({canary}) fits nothing: {message}. Nothing was applied. Correct it.")
