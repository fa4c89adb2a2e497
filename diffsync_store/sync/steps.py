"""A diff as a list of steps, in stages: within a stage nothing orders one step against another."""

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
"""The place of a kind of child among those of a model; of the top, where there is no model."""


class Step:
    """One operation of a diff; or, without an action, an object that stands above one."""

    __slots__ = (
        "action",
        "children",
        "element",
        "id",
        "is_last",
        "is_stuck",
        "is_waiting",
        "missing",
        "move",
        "obj",
        "parent",
        "rides",
    )

    def __init__(self, element: DiffElement, parent: Step | None, move: Move | None = None) -> None:
        self.element = element
        self.id = element.operation_id
        self.action = element.action
        self.parent = parent
        self.children: list[Step] = []
        self.move = move
        """Where its object changes its parent: at the place where it goes to, and at the one that it leaves."""
        self.obj: DiffSyncModel | None = None
        """The target store's object, while it is at hand."""
        self.missing = ""
        """Why nothing below it can be done."""
        self.is_last = False
        """It is a delete that is done after everything else, and after those below it."""
        self.is_stuck = False
        """It is a delete, and something below it stays."""
        self.is_waiting = False
        """It is a create that is suppressed: there is no object yet."""
        self.rides: bool = (
            self.action == DiffSyncActions.DELETE
            and parent is not None
            and parent.action == DiffSyncActions.DELETE
            and (parent.rides or parent.skips_children)
        )
        """It is a delete of what goes together with the object that it stands below."""

    @property
    def skips_children(self) -> bool:
        """Whether a delete takes along what stands below."""
        return bool(self.element.flags & _SKIPS)

    @property
    def is_natural(self) -> bool:
        """Whether a delete comes after those below it, in any case."""
        return bool(self.element.flags & _NATURAL) and not self.skips_children

    def blocked_by(self) -> str:
        """Why it cannot be done, in view of what stands above it and comes before it."""
        above = self.parent
        while above is not None and not above.missing and above.is_last:
            above = above.parent
        return "" if above is None else above.missing

    def path(self) -> tuple[tuple[str, str], ...]:
        """Model and unique id of what it stands below, outermost first."""
        return () if self.parent is None else (*self.parent.path(), place_of(self.parent.element))

    def below(self) -> Iterator[Step]:
        """Everything below it, from the top down."""
        waiting = list(reversed(self.children))
        while waiting:
            step = waiting.pop()
            yield step
            waiting += reversed(step.children)


def stages_of(
    tops: list[Step], children: Callable[[Step], list[Step]], rank: Rank = lambda _parent, _child: 0
) -> list[list[Step]]:
    """The steps at and below these, in stages; each has steps of one model.

    What stands below an object comes after it. Of the children of one object those of one model come together, with all
    that is below them, in the order of the diff; and so they do for all objects of one stage, whose children of one model
    are one stage.

    Args:
        tops: the steps to begin with, in their order.
        children: makes the steps below one.
        rank: which kind comes first where no object has both.
    """
    stages: list[list[Step]] = []
    waiting = [_Families([tops], None, rank)]
    while waiting:
        stage = waiting[-1].next_stage()
        if stage is None:
            waiting.pop()
            continue
        stages.append(stage)
        families = []
        for step in stage:
            step.children = children(step)
            if step.children:
                families.append(step.children)
        if families:
            waiting.append(_Families(families, stage[0].element.type, rank))
    return stages


class _Families:
    """The children of several objects, to be taken kind by kind."""

    def __init__(self, families: Iterable[list[Step]], above: str | None, rank: Rank) -> None:
        self._above = above
        self._rank = rank
        self._alike: dict[tuple[str, ...], list[tuple[int, list[list[Step]]]]] = {}
        """By the kinds in their order: the families that have these, each with its number."""
        self._at: dict[tuple[str, ...], int] = {}
        for number, family in enumerate(families):
            runs = [list(run) for _, run in groupby(family, key=lambda step: step.element.type)]
            kinds = tuple(run[0].element.type for run in runs)
            self._alike.setdefault(kinds, []).append((number, runs))
            self._at[kinds] = 0

    def next_stage(self) -> list[Step] | None:
        waiting = {kinds: at for kinds, at in self._at.items() if at < len(kinds)}
        if not waiting:
            return None
        kind = self._next_kind(waiting)
        found: list[tuple[int, list[Step]]] = []
        for kinds, at in waiting.items():
            if kinds[at] == kind:
                found += [(number, runs[at]) for number, runs in self._alike[kinds]]
                self._at[kinds] += 1
        if len(waiting) > 1:
            found.sort(key=lambda numbered: numbered[0])
        return [step for _, run in found for step in run]

    def _next_kind(self, waiting: dict[tuple[str, ...], int]) -> str:
        """A kind that nobody has behind another one, where there is such a kind."""
        heads = list(dict.fromkeys(kinds[at] for kinds, at in waiting.items()))
        if len(heads) == 1:
            return heads[0]
        later = {kind for kinds, at in waiting.items() for kind in kinds[at + 1 :] if kind != kinds[at]}
        free = [kind for kind in heads if kind not in later] or heads
        return min(free, key=lambda kind: self._rank(self._above, kind))


def windows(elements: Iterator[DiffElement], most: int) -> Iterator[tuple[list[DiffElement], bool]]:
    """Elements of the top, with so many below them or a little more; and whether these are the last ones."""
    window: list[DiffElement] = []
    size = 0
    for element in elements:
        if size >= most:
            yield window, False
            window, size = [], 0
        window.append(element)
        size += len(element)
    if window:
        yield window, True


def backwards(diff: Diff) -> Iterator[DiffElement]:
    """The elements of the top, the last first."""
    read = getattr(diff, "get_children_backwards", None)
    return read() if read is not None else iter(list(diff.get_children())[::-1])
