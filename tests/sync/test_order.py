"""The order of a sync: what needs another thing comes after it, whatever comes, changes, goes and moves, and in few calls."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.calls import count, device_types, minimum_calls
from diffsync_store import Diff, DiffElement, DiffSyncFlags, DiffSyncModelFlags, Sync, SyncOptions
from diffsync_store.diff import walk
from diffsync_store.journal import MemoryJournal
from diffsync_store.sync import scheduler
from diffsync_store.sync.steps import Step, stages_of, windows
from tests.sync.constrained import Data, ManyRing, MixedRing, ParentMissing, Ring

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
SITES = ("a", "b", "c")
DEVICES = ("d0", "d1", "d2", "d3")
FLAGS = (
    DiffSyncModelFlags.NONE,
    DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE,
    DiffSyncModelFlags.NATURAL_DELETION_ORDER,
)


@st.composite
def networks(draw: st.DrawFn) -> Data:
    """Site a with device d0, to whose interfaces addresses elsewhere may refer; and all else at random."""
    sites = ["a", *sorted(draw(st.sets(st.sampled_from(SITES[1:]))))]
    devices: dict[str, tuple[str, str]] = {"d0": ("a", draw(st.sampled_from("xy")))}
    for name in DEVICES[1:]:
        if draw(st.booleans()):
            devices[name] = draw(st.sampled_from(sites)), draw(st.sampled_from("xy"))
    interfaces = {
        (device, name): draw(st.sampled_from("xy")) for device in devices for name in "01" if draw(st.booleans())
    }
    addresses: dict[str, tuple[str, str]] = {}
    for ip in "123":
        device = draw(st.sampled_from(sorted(devices)))
        known = [f"{of}__{name}" for of, name in interfaces if of in {device, "d0"}]
        is_there: bool = draw(st.booleans())
        if known and is_there:
            addresses[ip] = device, draw(st.sampled_from(known))
    vlans: dict[int, str] = {number: draw(st.sampled_from(sites)) for number in (1, 2) if draw(st.booleans())}
    return {"sites": sites, "devices": devices, "interfaces": interfaces, "addresses": addresses, "vlans": vlans}


flags = st.dictionaries(
    st.sampled_from([*(("site", name) for name in SITES), *(("device", name) for name in DEVICES)]),
    st.sampled_from(FLAGS),
    max_size=3,
)
rings = st.sampled_from([Ring, ManyRing, MixedRing])
options = st.builds(
    SyncOptions, batch_size=st.sampled_from([1, 2, 200]), workers=st.sampled_from([1, 1, 3]), deletes_last=st.just(True)
)


@contextmanager
def window_of(elements: int) -> Iterator[None]:
    """So many elements of a diff are in memory at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "_WINDOW", elements)
        patch.setattr(scheduler, "_MAX_WINDOW", elements)
        patch.setattr(scheduler, "_CHUNK", min(elements, 1000))
        yield


def can_go(source: Data, target: Data, flagged: Data) -> bool:
    """Whether a system with foreign keys allows it at all: what cascades takes nothing along that stays, or is referred to."""
    cascading: set[Any] = {key for key, flag in flagged.items() if flag is DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE}
    gone: set[Any] = {("site", name) for name in target["sites"] if name not in source["sites"]}
    gone |= {
        ("device", name)
        for name, (site, _) in target["devices"].items()
        if name not in source["devices"] or source["devices"][name][0] != site
    }
    taken = {name for name, (site, _) in target["devices"].items() if ("site", site) in cascading & gone}
    taken |= {name for name in target["devices"] if ("device", name) in cascading & gone}
    return all(
        (device in taken) is (interface.split("__")[0] in taken) for device, interface in target["addresses"].values()
    ) and not any(name in source["devices"] for name in taken)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(networks(), networks(), flags, rings, options, st.sampled_from([1, 4, 20_000]))
def test_no_operation_is_sent_before_its_dependencies(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, flagged: Data, ring: type[Ring], asked: SyncOptions, window: int
) -> None:
    assume(can_go(source, target, flagged))
    wanted, there = ring("source").fill(source), ring("target").fill({**target, "flags": flagged})
    diff = there.diff_from(wanted)
    with window_of(window):
        planned = len([1 for element, _ in walk(diff.get_children(), None) if element.action])
        result = Sync(diff, wanted, there, asked).run()
    assert there.system.faults == []
    assert result.is_complete
    assert result.applied <= planned
    assert max(there.system.done.values(), default=1) == 1
    assert there.system.records == there.content() == wanted.content()
    assert not there.diff_from(wanted).has_diffs()


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(networks(), networks(), rings, options, st.sampled_from([1, 4, 20_000]), st.data())
def test_a_failure_blocks_its_dependents_and_nothing_is_applied_twice(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, ring: type[Ring], asked: SyncOptions, window: int, data: st.DataObject
) -> None:
    wanted, there = ring("source").fill(source), ring("target").fill(target)
    diff = there.diff_from(wanted)
    calls = sorted(
        f"{element.action} {element.type} {element.uid}"
        for element, _ in walk(diff.get_children(), None)
        if element.action is not None
    )
    assume(calls)
    poisoned = data.draw(st.sets(st.sampled_from(calls), min_size=1, max_size=3))

    def refuse(call: str) -> None:
        if call in poisoned:
            raise ValueError(call)

    journal = MemoryJournal()
    there.system.before = refuse
    with window_of(window):
        first = Sync(diff, wanted, there, asked, journal=journal, flags=GO_ON).run()
        assert not [fault for fault in there.system.faults if isinstance(fault, ParentMissing)]
        assert first.failed
        assert there.system.records == there.content()
        there.system.before = lambda _: None
        again = SyncOptions(batch_size=asked.batch_size, workers=asked.workers, retry_rejected=True)
        for _ in range(
            2
        ):  # what referred to something that failed fails with it, and is not kept back by the first retry
            first = Sync(diff, wanted, there, again, journal=journal, flags=GO_ON).run()
    assert first.is_complete, first
    assert max(there.system.done.values(), default=1) == 1
    assert there.system.records == there.content() == wanted.content()


@settings(max_examples=40, deadline=None)
@given(networks(), networks(), flags, st.sampled_from([ManyRing, MixedRing, Ring]), st.sampled_from([1, 4, 20_000]))
def test_deletes_in_diff_order_have_the_same_result(
    source: Data, target: Data, flagged: Data, ring: type[Ring], window: int
) -> None:
    """A system without foreign keys."""
    wanted, there = ring("source").fill(source), ring("target").fill({**target, "flags": flagged})
    done: Counter[tuple[str, Any]] = Counter()

    def write(action: str, records: list[tuple[Any, Data]], **_: Any) -> None:
        done.update((action, key) for key, _ in records)

    there.system.call = write  # type: ignore[method-assign]
    with window_of(window):
        result = Sync(there.diff_from(wanted), wanted, there, SyncOptions(deletes_last=False)).run()
    assert result.is_complete
    assert there.content() == wanted.content()
    assert max(done.values(), default=1) == 1


@pytest.mark.slow
def test_calls_on_device_types_are_near_the_minimum() -> None:
    source, target = device_types()
    operations, calls, least = count(source, target, SyncOptions(batch_size=200))
    assert operations > 10_000
    assert calls <= 1.2 * least


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3, 8])
def test_workers_make_hardly_more_calls(workers: int) -> None:
    source, target = device_types()
    _, calls, least = count(source, target, SyncOptions(batch_size=200, workers=workers))
    assert calls <= 1.2 * least


@settings(max_examples=40, deadline=None)
@given(networks(), networks(), st.integers(1, 7))
def test_without_moves_the_number_of_calls_is_the_minimum(source: Data, target: Data, bulk: int) -> None:
    for name in set(source["devices"]) & set(
        target["devices"]
    ):  # a device that moves is deleted ahead, by a call of its own
        assume(source["devices"][name][0] == target["devices"][name][0])
    for ip in set(source["addresses"]) & set(target["addresses"]):
        assume(source["addresses"][ip][0] == target["addresses"][ip][0])
    bulk = max(bulk, 2)
    wanted, there = ManyRing("source").fill(source), ManyRing("target").fill(target)
    diff = there.diff_from(wanted)
    least = minimum_calls(diff, bulk)
    Sync(diff, wanted, there, SyncOptions(batch_size=bulk)).run()
    assert sum(there.system.calls.values()) == least


def test_a_parent_whose_system_cascades_is_deleted_in_bulk() -> None:
    names = [f"d{number}" for number in range(200)]
    target: Data = {
        "sites": ["a"],
        "devices": dict.fromkeys(names, ("a", "x")),
        "interfaces": {(name, "0"): "x" for name in names},
        "addresses": {},
        "vlans": {},
        "flags": {("device", name): DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE for name in names},
    }
    there = ManyRing("target").fill(target)
    wanted = ManyRing("source").fill({**target, "devices": {}, "interfaces": {}, "flags": {}})
    result = Sync(there.diff_from(wanted), wanted, there).run()
    assert dict(there.system.calls) == {"delete device": 1}
    assert (result.deleted, result.is_complete, there.content()) == (200, True, wanted.content())


# The stages


def tree(kinds: Any, name: str = "") -> DiffElement:
    element = DiffElement(kinds[0], name, {"name": name})
    element.add_attrs(source={"x": 1})
    for number, below in enumerate(kinds[1]):
        element.add_child(tree(below, f"{name}.{number}"))
    return element


shapes: st.SearchStrategy[Any] = st.recursive(
    st.tuples(st.sampled_from("pqr"), st.just([])),
    lambda below: st.tuples(st.sampled_from("pqr"), st.lists(below, max_size=4)),
    max_leaves=25,
)


def staged(elements: list[DiffElement]) -> list[list[Step]]:
    return stages_of(
        [Step(element, None) for element in elements],
        lambda step: [Step(element, step) for element in step.element.get_children()],
    )


@given(st.lists(shapes, max_size=5))
def test_each_element_has_one_place_after_all_that_come_before_it(kinds: list[Any]) -> None:
    elements = [tree(kind, str(number)) for number, kind in enumerate(kinds)]
    stages = staged(elements)
    place = {step.element.name: number for number, stage in enumerate(stages) for step in stage}
    assert sorted(step.element.name for stage in stages for step in stage) == sorted(
        element.name for element, _ in walk(iter(elements), None)
    )
    assert all(len({step.element.type for step in stage}) == 1 for stage in stages)

    def check(siblings: list[DiffElement]) -> None:
        for before, after in pairwise(siblings):
            if before.type != after.type:  # all of the one, with what is below it, before the other
                below = [before, *(element for element, _ in walk(before.get_children(), None))]
                assert max(place[element.name] for element in below) < place[after.name]
        for element in siblings:
            children = list(element.get_children())
            assert all(place[element.name] < place[child.name] for child in children)
            check(children)

    check(elements)


@given(st.lists(st.lists(st.sampled_from("pqrs"), unique=True, max_size=4).map(sorted), max_size=6))
def test_kinds_that_all_parents_have_in_one_order_are_one_stage_each(families: list[list[str]]) -> None:
    elements = [tree(("o", [(kind, []) for kind in family]), str(number)) for number, family in enumerate(families)]
    kinds = [stage[0].element.type for stage in staged(elements)]
    assert len(kinds) == len(set(kinds))


@given(st.lists(st.integers(1, 5), max_size=20), st.integers(1, 10))
def test_windows_hold_everything_once_in_order(sizes: list[int], most: int) -> None:
    elements = [tree(("o", [("p", [])] * (size - 1)), str(number)) for number, size in enumerate(sizes)]
    found = list(windows(iter(elements), most))
    assert [element for window, _ in found for element in window] == elements
    assert [is_last for _, is_last in found] == [*([False] * (len(found) - 1)), *([True] if found else [])]
    assert all(sum(map(len, window[:-1])) < most for window, _ in found)


def test_a_diff_goes_in_the_order_of_its_own_class() -> None:
    """One that says which kind comes first is followed, whatever the models say."""

    class VlansFirst(Diff):
        def get_children(self) -> Iterator[DiffElement]:
            yield from sorted(super().get_children(), key=lambda element: element.type, reverse=True)

    data: Data = {"sites": ["a"], "devices": {}, "interfaces": {}, "addresses": {}, "vlans": {}}
    wanted, there = Ring("source").fill({**data, "sites": ["a", "b"], "vlans": {1: "a"}}), Ring("target").fill(data)
    Sync(there.diff_from(wanted, diff_class=VlansFirst), wanted, there).run()
    assert there.system.log == ["create vlan 1", "create site b"]


def test_counts_add_up() -> None:
    data: Data = {"sites": ["a"], "devices": {}, "interfaces": {}, "addresses": {}, "vlans": {}}
    wanted, there = ManyRing("source").fill({**data, "sites": list("abcdefg")}), ManyRing("target").fill(data)
    done: list[tuple[int, int]] = []
    diff = there.diff_from(wanted)
    Sync(diff, wanted, there, SyncOptions(batch_size=4), callback=lambda _, at, of: done.append((at, of))).run()
    assert done == [(number, 6) for number in range(1, 7)]
    assert there.system.calls == Counter({"create site": math.ceil(6 / 4)})


def test_a_delete_that_waits_for_a_full_call_is_not_sent_ahead_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_CHUNK", 1)
    data: Data = {
        "sites": ["a"],
        "devices": {"d0": ("a", "x"), "d1": ("a", "x")},
        "interfaces": {("d0", "0"): "x"},
        "addresses": {"1": ("d1", "d0__0")},
        "vlans": {},
    }
    wanted = ManyRing("source").fill(data)
    there = ManyRing("target").fill({**data, "addresses": {"1": ("d0", "d0__0")}})
    result = Sync(there.diff_from(wanted), wanted, there, SyncOptions(deletes_last=False)).run()
    assert there.system.log == ["delete address 1", "create address 1"]
    assert (result.created, result.deleted, result.is_complete) == (1, 1, True)
