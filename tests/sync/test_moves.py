"""A child under another parent: one call where the model offers it, else a delete and then a create."""

from __future__ import annotations

from typing import Any, Self

import pytest

from diffsync_store import DiffSyncFlags
from diffsync_store.sync.options import SyncOptions
from tests.sync.conftest import Bench
from tests.sync.systems import Data, Device, Network, Seen, Site


class Rack(Seen):
    _modelname = "rack"
    _identifiers = ("name",)
    _attributes = ("height",)
    _children = {"device": "devices"}

    name: str
    height: int = 42
    devices: list[str] = []


class MovableRack(Rack):
    def move(self, old_parent: Any, new_parent: Any, attrs: Data) -> Self | None:
        self.adapter.system.call("update", "rack", self.name, attrs)
        self.adapter.moves.append(f"{self.name}: {old_parent} -> {new_parent}")
        return self


class Hall(Site):
    _children = {"rack": "racks"}

    racks: list[str] = []


class Halls(Network):
    site = Hall
    rack = Rack
    device = Device
    top_level = ["site"]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.moves: list[str] = []

    def fill(self, halls: dict[str, dict[str, tuple[int, list[str]]]]) -> None:
        """Load as hall: {rack: (height, devices)}."""
        with self.store.loading():
            for name, racks in halls.items():
                hall = self.site(name=name)
                self.add(hall)
                for rack_name, (height, devices) in racks.items():
                    rack = self.rack(name=rack_name, height=height)
                    self.add(rack)
                    hall.add_child(rack)
                    for device in devices:
                        obj = Device(site=rack_name, name=device, role="leaf")
                        self.add(obj)
                        rack.add_child(obj)


class MovableHalls(Halls):
    rack = MovableRack


@pytest.fixture(params=[{}, {"deletes_last": True}, {"workers": 3}], ids=["plain", "deletes last", "workers"])
def options(request: pytest.FixtureRequest) -> SyncOptions:
    return SyncOptions(**request.param)


def prepare(bench: Bench, target_class: type[Halls], source: Any, target: Any) -> Halls:
    bench.adapter_class = target_class
    wanted, there = Halls("source", bench.store("source")), target_class("target", bench.store("target"), bench.system)
    wanted.fill(source)
    there.fill(target)
    bench.system.fill(there)
    bench.diffs.compare(wanted, there, bench.name)
    return there


def assert_settled(bench: Bench, target: Halls) -> None:
    target.store.flush()
    source = Halls("source", bench.store("source"))
    again = type(target)("target", bench.store("target"), bench.system)
    assert again.diff_from(source).str() == "(no diffs)"
    names = ("site", "rack", "device")
    held = {(name, obj.get_unique_id()): obj.get_attrs() for name in names for obj in source.get_all(name)}
    assert bench.system.records() == held


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("b", "a")], ids=["to a later parent", "to an earlier parent"])
def test_a_move_is_one_call_and_what_stands_below_goes_along(
    bench: Bench, options: SyncOptions, old: str, new: str
) -> None:
    source: dict[str, Any] = {"a": {}, "b": {}} | {new: {"r": (48, ["d1", "d2", "d4"])}}
    target = prepare(bench, MovableHalls, source, {"a": {}, "b": {}} | {old: {"r": (42, ["d1", "d2", "d3"])}})
    result = bench.saved().apply(bench.source(), target, options=options)
    assert target.moves == [f"r: {old} -> {new}"]
    assert sorted(bench.system.calls()) == ["create device r__d4", "delete device r__d3", "update rack r"]
    assert (result.moved, result.created, result.deleted, result.is_complete) == (1, 1, 1, True)
    assert_settled(bench, target)


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("b", "a")], ids=["to a later parent", "to an earlier parent"])
def test_a_move_from_a_parent_that_goes_to_one_that_comes(
    bench: Bench, options: SyncOptions, old: str, new: str
) -> None:
    target = prepare(bench, MovableHalls, {new: {"r": (42, ["d1"])}}, {old: {"r": (42, ["d1"])}})
    result = bench.saved().apply(bench.source(), target, options=options)
    assert bench.system.calls() == [f"create site {new}", "update rack r", f"delete site {old}"]
    assert (result.moved, result.is_complete) == (1, True)
    assert_settled(bench, target)


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("b", "a")], ids=["to a later parent", "to an earlier parent"])
def test_without_the_hook_it_is_a_delete_and_then_a_create(
    bench: Bench, options: SyncOptions, old: str, new: str
) -> None:
    source: dict[str, Any] = {"a": {}, "b": {}} | {new: {"r": (48, ["d1"])}}
    target = prepare(bench, Halls, source, {"a": {}, "b": {}} | {old: {"r": (42, ["d1"])}})
    result = bench.saved().apply(bench.source(), target, options=options)
    calls = bench.system.calls()
    assert calls.index("delete rack r") < calls.index("create rack r")
    assert (result.created, result.deleted, result.is_complete) == (2, 2, True)
    assert_settled(bench, target)


def test_a_delete_before_its_turn_is_done_in_the_journal(bench: Bench) -> None:
    target = prepare(bench, Halls, {"b": {"r": (48, ["d1"])}}, {"a": {"r": (42, ["d1"])}})
    bench.saved().apply(bench.source(), target, options=SyncOptions(deletes_last=False))
    assert {entry.state.value for _, entry in bench.saved().outcomes()} == {"done"}
    assert_settled(bench, target)


@pytest.mark.parametrize("deletes_last", [True, False])
def test_what_stands_below_is_kept_if_the_sync_is_killed_after_it_was_created_again(
    bench: Bench, deletes_last: bool
) -> None:
    class Killed(BaseException):
        pass

    def kill(call: str) -> None:
        if call == "update rack z":
            raise Killed

    old = {"a": {"r": (42, ["d1"])}, "b": {}, "c": {"z": (1, [])}}
    target = prepare(bench, Halls, {"a": {}, "b": {"r": (48, ["d1"])}, "c": {"z": (2, [])}}, old)
    bench.system.before = kill
    options = SyncOptions(deletes_last=deletes_last, workers=1, batch_size=1)
    with pytest.raises(Killed):
        bench.saved().apply(bench.source(), target, options=options)
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), target, options=options).is_complete
    assert_settled(bench, target)


def test_a_move_that_is_refused_keeps_its_old_parent_and_is_retried(bench: Bench) -> None:
    target = prepare(bench, MovableHalls, {"b": {"r": (42, [])}}, {"a": {"r": (42, [])}})

    def refuse(call: str) -> None:
        if "rack" in call:
            raise ValueError("bolted down")

    bench.system.before = refuse
    result = bench.saved().apply(bench.source(), target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert [(reject.state, reject.unique_id) for reject in result.rejects] == [("failed", "r"), ("blocked", "a")]
    bench.system.before = lambda _: None
    again = bench.saved().apply(bench.source(), target, options=SyncOptions(retry_rejected=True))
    assert (again.moved, again.is_complete) == (1, True)
    assert_settled(bench, target)
