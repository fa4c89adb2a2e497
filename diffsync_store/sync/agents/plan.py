"""The plan of several agents: the units of a diff, in phases.

Agents claim the units of a phase in any order; a phase begins once the one before it is done. So no agent waits for another one that
waits for it. The top-level objects of one model are one phase, as a sync by one process comes to them. Within it, what refers to
another top-level object, or to something below it, is in a later phase; objects that depend on each other are in one unit. The deletes
that come last have phases of their own, in reverse order.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from diffsync_store.agents import Element, Task, Unit
from diffsync_store.diff import DiffElement, walk
from diffsync_store.enum import DiffSyncActions
from diffsync_store.sync.references import ReferenceOrder

_SHARE = 3
"""A unit has this part of what one agent would have of the rest of a phase: units become smaller, so that all agents end together."""
_SMALLEST_SHARE = 32
"""The smallest unit has this part of what one agent has of the phase."""
_MAX_OPERATIONS = 1000
"""Operations of a unit; more only below one top-level object, or if one call takes more."""
_MAX_RUNS = 1000
"""Runs of top-level objects of one model, above which several are one unit."""

_CHANGES, _DELETES = 1, 2

Phase = list[list[int]]
"""Groups of top-level objects, by number. The objects of a group are in one unit."""


class Run(NamedTuple):
    """Top-level objects one after the other, by number."""

    first: int
    end: int
    is_one_unit: bool = False


@dataclass(slots=True)
class Tops:
    """The top-level objects of a diff, in its order: a few bytes for each."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    """Numbers of their elements in the diff; the last one is the number of all elements."""
    operations: array[int] = field(default_factory=lambda: array("Q"))
    tasks: bytearray = field(default_factory=bytearray)
    runs: list[Run] = field(default_factory=list)
    """By model, in order."""
    moves: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of objects of which something is deleted below the one and created below the other."""


def read_tops(elements: Iterable[Element], *, may_move: bool, deletes_last: bool) -> Tops:
    """Return the top-level objects of a diff.

    Args:
        elements: all elements, in order.
        may_move: whether the diff has both creates and deletes.
        deletes_last: whether deletes come after all creates and updates.
    """
    tops, model, first, number = Tops(), None, 0, -1
    places: dict[str | None, dict[tuple[str, str], int]] = {DiffSyncActions.CREATE: {}, DiffSyncActions.DELETE: {}}
    at = 0
    for at, element in enumerate(elements, start=1):
        if element.is_top:
            number += 1
            tops.starts.append(at - 1)
            tops.operations.append(0)
            tops.tasks.append(0)
            if element.model != model:
                if number:
                    tops.runs.append(Run(first, number))
                model, first = element.model, number
        if element.action is None:
            continue
        tops.operations[number] += 1
        is_delete = element.action == DiffSyncActions.DELETE
        tops.tasks[number] |= _DELETES if is_delete else _CHANGES
        if is_delete and not deletes_last:
            tops.tasks[number] |= _CHANGES
        if may_move and element.action in places:
            places[element.action][element.model, element.unique_id] = number
    tops.starts.append(at)
    if number >= 0:
        tops.runs.append(Run(first, number + 1))
    created, deleted = places[DiffSyncActions.CREATE], places[DiffSyncActions.DELETE]
    tops.moves = [
        (created[key], deleted[key]) for key in created.keys() & deleted.keys() if created[key] != deleted[key]
    ]
    return tops


def dependencies(
    elements: Iterable[DiffElement], references: ReferenceOrder, key: Callable[[DiffElement], tuple[str, str]]
) -> dict[int, set[int]]:
    """Return, by the number of a top-level object, those that have to be created before it and deleted after it.

    Args:
        elements: the top-level elements, in order.
        references: what the models refer to.
        key: Returns model and unique id of an element.
    """
    found: dict[str | None, dict[tuple[str, str], int]] = {DiffSyncActions.CREATE: {}, DiffSyncActions.DELETE: {}}
    names: list[tuple[int, str, tuple[str, str]]] = []
    for number, top in enumerate(elements):
        for element, _ in walk(iter([top]), None):
            if element.action in found:
                found[element.action][key(element)] = number
            is_delete = element.action == DiffSyncActions.DELETE
            kind = DiffSyncActions.DELETE if is_delete else DiffSyncActions.CREATE
            names += ((number, kind, name) for name in references.named(element))
    needs = defaultdict[int, set[int]](set)
    for number, kind, name in names:
        other = found[kind].get(name)
        if other is not None and other != number:
            needs[number].add(other)
    return needs


class Planner:
    """Divides the top-level objects of a diff into units.

    Args:
        tops: the objects.
        needs: by number, those that have to come before.
        agents: about how many agents there are.
        at_once: operations that one agent has in calls at the same time.
    """

    def __init__(self, tops: Tops, needs: dict[int, set[int]], *, agents: int, at_once: int) -> None:
        self._tops = tops
        self._needs = needs
        self._agents = agents
        self._at_once = at_once

    def phases(self) -> Iterator[list[Unit]]:
        """Yield the units of each phase. The last one closes the diff."""
        groups = [phase for run in self._runs() for phase in self._phases_of(run)]
        for task, wanted, order in ((Task.CHANGES, _CHANGES, groups), (Task.DELETES, _DELETES, groups[::-1])):
            for phase in order:
                found = [kept for group in phase if (kept := self._with_task(group, wanted))]
                if found:
                    yield list(self._units(task, found))
        yield [Unit(task=Task.CLOSE)]

    def _with_task(self, group: list[int], wanted: int) -> list[int]:
        return group if any(self._tops.tasks[number] & wanted for number in group) else []

    def _runs(self) -> Iterator[Run]:
        """Yield the runs; those that a move spans are one unit."""
        runs = self._tops.runs
        if len(runs) > _MAX_RUNS:
            runs = list(self._long_runs(runs))
        spans = deque(sorted((min(pair), max(pair)) for pair in self._tops.moves))
        merged: Run | None = None
        reach = -1
        for run in runs:
            while spans and spans[0][0] < run.first:
                reach = max(reach, spans.popleft()[1])
            if merged is None:
                merged = run
            elif reach >= run.first:
                merged = Run(merged.first, run.end, is_one_unit=True)
            else:
                yield merged
                merged = run
        if merged is not None:
            yield merged

    def _long_runs(self, runs: list[Run]) -> Iterator[Run]:
        """Yield several short runs as one."""
        first, operations = 0, 0
        for run in runs:
            operations += sum(self._tops.operations[run.first : run.end])
            if operations >= _MAX_OPERATIONS or run is runs[-1]:
                yield Run(first, run.end, is_one_unit=True)
                first, operations = run.end, 0

    def _phases_of(self, run: Run) -> list[Phase]:
        numbers = range(run.first, run.end)
        if run.is_one_unit:
            return [[list(numbers)]]
        groups = self._groups(numbers)
        return _levels(groups, self._needs) if self._needs else [groups]

    def _groups(self, numbers: range) -> Phase:
        """Return the objects; those between which something moves are in one group."""
        above: dict[int, int] = {}

        def root(number: int) -> int:
            while (parent := above.get(number, number)) != number:
                number = parent
            return number

        for pair in self._tops.moves:
            if pair[0] in numbers and pair[1] in numbers:
                low, high = sorted(map(root, pair))
                above[high] = low
        if not above:
            return [[number] for number in numbers]
        groups = defaultdict[int, list[int]](list)
        for number in numbers:
            groups[root(number)].append(number)
        return list(groups.values())

    def _units(self, task: Task, groups: Phase) -> Iterator[Unit]:
        operations = self._tops.operations
        left = sum(operations[number] for group in groups for number in group)
        smallest = max(left / (self._agents * _SMALLEST_SHARE), min(self._at_once, math.ceil(left / self._agents)))
        largest = max(_MAX_OPERATIONS, self._at_once)
        numbers: list[int] = []
        held = 0
        for group in groups:
            added = sum(operations[number] for number in group)
            if numbers and held + added > min(max(smallest, left / (self._agents * _SHARE)), largest):
                yield Unit(task=task, ranges=self._ranges(numbers))
                left -= held
                numbers, held = [], 0
            numbers += group
            held += added
        if numbers:
            yield Unit(task=task, ranges=self._ranges(numbers))

    def _ranges(self, numbers: list[int]) -> tuple[tuple[int, int], ...]:
        starts, ranges = self._tops.starts, list[tuple[int, int]]()
        for number in sorted(numbers):
            first, end = starts[number], starts[number + 1]
            if ranges and sum(ranges[-1]) == first:
                ranges[-1] = ranges[-1][0], end - ranges[-1][0]
            else:
                ranges.append((first, end - first))
        return tuple(ranges)


def _levels(groups: Phase, needs: dict[int, set[int]]) -> list[Phase]:
    """Return the groups in levels: each needs only groups of levels before it. Those in a circle, and what needs them, are one group."""
    group_of = {number: place for place, group in enumerate(groups) for number in group}
    needed = [
        {group_of[other] for number in group for other in needs.get(number, ()) if other in group_of} - {place}
        for place, group in enumerate(groups)
    ]
    later = defaultdict[int, list[int]](list)
    for place, others in enumerate(needed):
        for other in others:
            later[other].append(place)
    missing = [len(others) for others in needed]
    ready = [place for place, count in enumerate(missing) if not count]
    levels: list[Phase] = []
    placed: set[int] = set()
    while ready:
        levels.append([groups[place] for place in ready])
        placed.update(ready)
        following = []
        for place in ready:
            for other in later[place]:
                missing[other] -= 1
                if not missing[other]:
                    following.append(other)
        ready = sorted(following)
    circle = sorted(number for place, group in enumerate(groups) if place not in placed for number in group)
    return [*levels, [circle]] if circle else levels
