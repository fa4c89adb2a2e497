"""A diff as a list of steps in stages; the steps of a stage may be done in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncModelFlags
from diffsync_store.model import DiffSyncModel
from diffsync_store.suppression import place_of
from diffsync_store.sync.moves import Move

MOVE = "move"
_NATURAL = DiffSyncModelFlags.NATURAL_DELETION_ORDER.value
_SKIPS = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE.value

Rank = Callable[[str | None, str], int]
"""Position of a model among the children of another one; among top-level models if that is None."""


class Step:
    """One operation of a diff; or, without an action, an unchanged object above one."""

    __slots__ = (
        "action",
        "block_reason",
        "children",
        "element",
        "has_kept_child",
        "id",
        "is_cascaded",
        "is_deferred",
        "is_suppressed_create",
        "move",
        "obj",
        "parent",
    )

    def __init__(self, element: DiffElement, parent: Step | None, move: Move | None = None) -> None:
        self.element = element
        self.id = element.operation_id
        self.action = element.action
        self.parent = parent
        self.children: list[Step] = []
        self.move = move
        """Set on the create and on the delete of an object that moves to another parent."""
        self.obj: DiffSyncModel | None = None
        """The target store's object, while it is loaded."""
        self.block_reason = ""
        """Why nothing below it can be done."""
        self.is_deferred = False
        """A delete after all creates and updates, children before their parents."""
        self.has_kept_child = False
        """A delete with an object below it that was not deleted."""
        self.is_suppressed_create = False
        """A create that is suppressed: there is no object yet."""
        self.is_cascaded: bool = (
            self.action == DiffSyncActions.DELETE
            and parent is not None
            and parent.action == DiffSyncActions.DELETE
            and (parent.is_cascaded or parent.skips_children)
        )
        """A delete that the delete of an object above it includes."""

    @property
    def skips_children(self) -> bool:
        """Whether a delete includes the children."""
        return bool(self.element.flags & _SKIPS)

    @property
    def is_natural(self) -> bool:
        """Whether a delete always comes after those below it."""
        return bool(self.element.flags & _NATURAL) and not self.skips_children

    def blocked_by(self) -> str:
        """Return why it cannot be done, because of an object above it; empty if it can."""
        ancestor = self.parent
        while ancestor is not None and not ancestor.block_reason and ancestor.is_deferred:
            ancestor = ancestor.parent
        return "" if ancestor is None else ancestor.block_reason

    def path(self) -> tuple[tuple[str, str], ...]:
        """Return model and unique id of the objects above it, outermost first."""
        return () if self.parent is None else (*self.parent.path(), place_of(self.parent.element))

    def descendants(self) -> Iterator[Step]:
        """Yield all steps below it, from the top down."""
        waiting = list(reversed(self.children))
        while waiting:
            step = waiting.pop()
            yield step
            waiting += reversed(step.children)


def stages_of(
    tops: list[Step], children: Callable[[Step], list[Step]], rank: Rank = lambda _parent, _child: 0
) -> list[list[Step]]:
    """Return the steps at and below these in stages; each stage has steps of one model.

    Children come after their parents. All children of one model below the objects of a stage are one stage, followed by the
    stages below it, and then by the children of the next model.

    Args:
        tops: Steps to begin with, in order.
        children: Makes the steps below a step.
        rank: Decides which model comes first if no object has children of both.
    """
    stages: list[list[Step]] = []
    waiting = [_SiblingGroups([tops], None, rank)]
    while waiting:
        stage = waiting[-1].next_stage()
        if stage is None:
            waiting.pop()
            continue
        stages.append(stage)
        groups = []
        for step in stage:
            step.children = children(step)
            if step.children:
                groups.append(step.children)
        if groups:
            waiting.append(_SiblingGroups(groups, stage[0].element.type, rank))
    return stages


class _SiblingGroups:
    """The children of several objects, taken model by model."""

    def __init__(self, groups: Iterable[list[Step]], parent: str | None, rank: Rank) -> None:
        self._parent = parent
        self._rank = rank
        self._by_models: dict[tuple[str, ...], list[tuple[int, list[list[Step]]]]] = {}
        """Groups with the same models in the same order, each with its number and its steps by model."""
        self._position: dict[tuple[str, ...], int] = {}
        for number, group in enumerate(groups):
            runs = [list(run) for _, run in groupby(group, key=lambda step: step.element.type)]
            models = tuple(run[0].element.type for run in runs)
            self._by_models.setdefault(models, []).append((number, runs))
            self._position[models] = 0

    def next_stage(self) -> list[Step] | None:
        waiting = {models: at for models, at in self._position.items() if at < len(models)}
        if not waiting:
            return None
        model = self._next_model(waiting)
        found: list[tuple[int, list[Step]]] = []
        for models, at in waiting.items():
            if models[at] == model:
                found += [(number, runs[at]) for number, runs in self._by_models[models]]
                self._position[models] += 1
        if len(waiting) > 1:
            found.sort(key=lambda numbered: numbered[0])
        return [step for _, run in found for step in run]

    def _next_model(self, waiting: dict[tuple[str, ...], int]) -> str:
        """Return a model that no group has after another one, if there is one."""
        heads = list(dict.fromkeys(models[at] for models, at in waiting.items()))
        if len(heads) == 1:
            return heads[0]
        later = {model for models, at in waiting.items() for model in models[at + 1 :] if model != models[at]}
        free = [model for model in heads if model not in later] or heads
        return min(free, key=lambda model: self._rank(self._parent, model))


def windows(elements: Iterator[DiffElement], size: int) -> Iterator[tuple[list[DiffElement], bool]]:
    """Yield lists of top-level elements that have about `size` elements in all, and whether a list is the last one."""
    window: list[DiffElement] = []
    total = 0
    for element in elements:
        if total >= size:
            yield window, False
            window, total = [], 0
        window.append(element)
        total += len(element)
    if window:
        yield window, True


def backwards(diff: Diff) -> Iterator[DiffElement]:
    """Yield the top-level elements in reverse order."""
    read = getattr(diff, "get_children_backwards", None)
    return read() if read is not None else iter(list(diff.get_children())[::-1])
