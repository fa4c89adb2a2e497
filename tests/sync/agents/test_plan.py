"""The plan of several agents: what is in which unit, and in which phase."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest

from diffsync_store.agents import Element, Task, Unit
from diffsync_store.sync.agents import plan
from diffsync_store.sync.agents.plan import Planner, Tops, read_tops

ACTIONS = ["create", "update", "delete", None]


def elements(dice: random.Random, models: int = 3) -> list[Element]:
    """Return random subtrees. Some devices are deleted below one object and created below another."""
    found, gone = list[Element](), list[str]()
    for model in range(models):
        for top in range(dice.randint(1, 12)):
            found.append(Element(True, f"m{model}", f"{model}-{top}", dice.choice(ACTIONS)))
            for child in range(dice.randint(0, 5)):
                name, action = f"{model}-{top}-{child}", dice.choice(ACTIONS)
                if action == "delete" and dice.random() < 0.3:
                    gone.append(name)
                elif action == "create" and gone and dice.random() < 0.5:
                    name = gone.pop()
                found.append(Element(False, "device", name, action))
    return found


def phases(tops: Tops, needs: dict[int, set[int]] | None = None, agents: int = 4, at_once: int = 1) -> list[list[Unit]]:
    found = list(Planner(tops, needs or {}, agents=agents, at_once=at_once).phases())
    assert [unit.task for unit in found[-1]] == [Task.CLOSE]
    return found[:-1]


def numbers(unit: Unit) -> set[int]:
    return {number for start, length in unit.ranges for number in range(start, start + length)}


def tops_of(tops: Tops, unit: Unit) -> set[int]:
    held = numbers(unit)
    return {number for number, start in enumerate(tops.starts[:-1]) if start in held}


def places(tops: Tops, found: Iterable[list[Unit]], task: Task) -> dict[int, tuple[int, int]]:
    """Return, by top-level object, the phase and the unit that has it."""
    return {
        top: (phase, number)
        for phase, units in enumerate(found)
        for number, unit in enumerate(units)
        if unit.task is task
        for top in tops_of(tops, unit)
    }


@pytest.mark.parametrize("seed", range(60))
def test_each_subtree_is_in_one_unit_and_models_come_in_order(seed: int) -> None:
    dice = random.Random(seed)
    diff = elements(dice)
    tops = read_tops(diff, may_move=True, deletes_last=True)
    needs = {
        number: {dice.choice(range(run.first, run.end))} - {number}
        for run in tops.runs
        for number in range(run.first, run.end)
        if dice.random() < 0.3
    }
    found = phases(tops, needs, agents=dice.randint(1, 6), at_once=dice.choice([1, 10]))
    for units in found:
        assert len({unit.task for unit in units}) == 1
        held = [number for unit in units for number in numbers(unit)]
        assert len(held) == len(set(held))
    for task, actions, sign in ((Task.CHANGES, {"create", "update"}, 1), (Task.DELETES, {"delete"}, -1)):
        at = places(tops, found, task)
        for number, (start, end) in enumerate(zip(tops.starts, tops.starts[1:], strict=False)):
            assert number in at or not any(element.action in actions for element in diff[start:end])
        assert_order(tops, needs, at, sign)
    tasks = [units[0].task for units in found]
    assert tasks == sorted(tasks, key=[Task.CHANGES, Task.DELETES].index)


def assert_order(tops: Tops, needs: dict[int, set[int]], at: dict[int, tuple[int, int]], sign: int) -> None:
    def before(first: int, second: int) -> bool:
        """Whether an object comes before another one, or in the same unit."""
        return at[first] == at[second] or at[first][0] * sign < at[second][0] * sign

    for earlier, later in _pairs(tops):
        assert before(earlier, later) or earlier not in at or later not in at
    for number, others in needs.items():
        assert all(before(other, number) for other in others if other in at and number in at)
    for created, deleted in tops.moves:
        assert at.get(created) == at.get(deleted)


def _pairs(tops: Tops) -> Iterator[tuple[int, int]]:
    """Yield objects of two models, that of the earlier model first; only those that have something to do."""
    for position, run in enumerate(tops.runs):
        for other in tops.runs[position + 1 :]:
            yield from (
                (first, second)
                for first in range(run.first, run.end)
                for second in range(other.first, other.end)
                if tops.tasks[first] == tops.tasks[second] == 3
            )


def test_units_become_smaller_and_all_agents_have_some() -> None:
    tops = read_tops(
        [Element(True, "m", str(number), "create") for number in range(1000)], may_move=False, deletes_last=True
    )
    [units] = phases(tops)
    sizes = [unit.elements for unit in units]
    assert sum(sizes) == 1000
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 1000 / 4 / 3 + 1
    assert sizes[-1] <= 1000 / 4 / 32 + 1
    assert len(units) < 60


def test_a_unit_has_enough_for_one_call_of_a_batch_hook() -> None:
    tops = read_tops(
        [Element(True, "m", str(number), "create") for number in range(900)], may_move=False, deletes_last=True
    )
    [units] = phases(tops, at_once=200)
    assert {unit.elements for unit in units[:-1]} == {200}
    [few] = phases(
        read_tops([Element(True, "m", str(n), "create") for n in range(8)], may_move=False, deletes_last=True),
        at_once=200,
    )
    assert [unit.elements for unit in few] == [2, 2, 2, 2]


def test_objects_that_need_each_other_in_a_circle_are_one_unit() -> None:
    tops = read_tops(
        [Element(True, "m", str(number), "create") for number in range(5)], may_move=False, deletes_last=True
    )
    first, last = phases(tops, {0: {1}, 1: {2}, 2: {0}, 4: {2}}, agents=1)
    assert [tops_of(tops, unit) for unit in first] == [{3}]
    assert [tops_of(tops, unit) for unit in last] == [{0, 1, 2, 4}]


def test_many_short_runs_are_applied_one_unit_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MAX_RUNS", 3)
    monkeypatch.setattr(plan, "_MAX_OPERATIONS", 4)
    mixed = [Element(True, f"m{number % 2}", str(number), "update") for number in range(10)]
    tops = read_tops(mixed, may_move=False, deletes_last=True)
    found = phases(tops)
    assert [len(units) for units in found] == [1, 1, 1]
    assert [tops_of(tops, units[0]) for units in found] == [set(range(4)), set(range(4, 8)), {8, 9}]


def test_an_empty_diff_is_only_closed() -> None:
    assert phases(read_tops([], may_move=False, deletes_last=True)) == []
