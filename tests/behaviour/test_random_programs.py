"""Long random programs on a store, beside plain dicts that say what must be there; and random systems that are synced."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.behaviour.api import IS_REFERENCE, Adapter, DiffSyncModel, ObjectAlreadyExists, ObjectNotFound
from tests.behaviour.inventory import Adapters, Data, Device, Inventory, Site, Sites

NAMES = ["a", "b", "c", "*", ":", "{}", "x\ny", "", "😀", "L" * 2000]


class Box(DiffSyncModel):
    _modelname = "StoreBox"
    _identifiers = ("name",)
    _attributes = ("size", "labels", "data")
    name: str
    size: int = 0
    labels: list[int] = []
    data: dict[str, dict[str, list[int]]] = {}


class Boxes(Adapter):
    StoreBox = Box
    top_level = ["StoreBox"]


class Program:
    """Does the same to an adapter and to a dict of what it must hold, one random step after the other."""

    def __init__(self, adapter: Boxes, seed: int) -> None:
        self.adapter = adapter
        self.choose = random.Random(seed)
        self.expected: dict[str, Data] = {}
        self.held: dict[str, Box] = {}
        self.steps: list[Callable[[str], None]] = [
            self.add, self.add, self.replace, self.assign, self.append, self.nest, self.nest_held, self.assign_held,
            self.hold, self.let_go, self.remove, self.put_back, self.update_or_instantiate, self.get_or_instantiate,
            self.flush, self.read,
        ]  # fmt: skip

    def run(self, length: int) -> None:
        for _ in range(length):
            self.choose.choice(self.steps)(self.choose.choice(NAMES))

    def content(self) -> dict[str, Data]:
        return {box.name: box.dict(exclude={"model_flags", "adapter"}) for box in self.adapter.get_all(Box)}

    def _new(self, name: str, size: int) -> Box:
        return Box(name=name, size=size, labels=[size])

    def add(self, name: str) -> None:
        size = self.choose.randrange(9)
        if name in self.expected:
            with pytest.raises(ObjectAlreadyExists):
                self.adapter.add(self._new(name, size))
            return
        self.adapter.add(self._new(name, size))
        self.expected[name] = {"name": name, "size": size, "labels": [size], "data": {}}

    def replace(self, name: str) -> None:
        if name in self.expected:
            size = self.choose.randrange(9)
            self.adapter.update(self._new(name, size))
            self.held.pop(name, None)
            self.expected[name] = {"name": name, "size": size, "labels": [size], "data": {}}

    def assign(self, name: str) -> None:
        if name in self.expected:
            self.expected[name]["size"] = self.adapter.get(Box, name).size = self.choose.randrange(9)

    def append(self, name: str) -> None:
        if name in self.expected:
            self.adapter.get(Box, name).labels.append(7)
            self.expected[name]["labels"].append(7)

    def nest(self, name: str) -> None:
        if name in self.expected:
            for data in (self.adapter.get(Box, name).data, self.expected[name]["data"]):
                data.setdefault("deep", {}).setdefault("list", []).append(1)

    def nest_held(self, name: str) -> None:
        if name in self.held:
            for data in (self.held[name].data, self.expected[name]["data"]):
                data.setdefault("held", {}).setdefault("list", []).append(2)

    def assign_held(self, name: str) -> None:
        if name in self.held:
            self.expected[name]["size"] = self.held[name].size = self.choose.randrange(9)

    def hold(self, name: str) -> None:
        if name in self.expected:
            self.held[name] = self.adapter.get(Box, name)

    def let_go(self, name: str) -> None:
        self.held.pop(name, None)

    def remove(self, name: str) -> None:
        if name in self.expected:
            self.adapter.remove(self.adapter.get(Box, name))
            del self.expected[name]
            self.held.pop(name, None)
        else:
            with pytest.raises(ObjectNotFound):
                self.adapter.remove(self._new(name, 0))

    def put_back(self, name: str) -> None:
        if name in self.expected:
            box = self.adapter.get(Box, name)
            self.adapter.remove(box)
            self.adapter.add(box)
            self.held.pop(name, None)
            self.expected[name] = self.expected.pop(name)

    def update_or_instantiate(self, name: str) -> None:
        size = self.choose.randrange(9)
        _, is_new = self.adapter.update_or_instantiate(Box, {"name": name}, {"size": size})
        assert is_new == (name not in self.expected)
        self.expected.setdefault(name, {"name": name, "size": size, "labels": [], "data": {}})["size"] = size

    def get_or_instantiate(self, name: str) -> None:
        _, is_new = self.adapter.get_or_instantiate(Box, {"name": name}, {"size": 1})
        assert is_new == (name not in self.expected)
        self.expected.setdefault(name, {"name": name, "size": 1, "labels": [], "data": {}})

    def flush(self, name: str) -> None:
        if not IS_REFERENCE:
            self.adapter.store.flush()

    def read(self, name: str) -> None:
        assert self.adapter.count(Box) == len(self.expected)
        found = self.adapter.get_or_none(Box, name)
        assert (found is None) == (name not in self.expected)


@pytest.mark.parametrize("seed", range(30))
def test_a_store_holds_what_a_program_has_done_to_its_objects(adapters: Adapters, seed: int) -> None:
    program = Program(adapters.make(Boxes), seed)
    for _ in range(6):
        program.run(25)
        content = program.content()
        assert content == program.expected
        assert list(content) == list(program.expected)


def order_of(adapters: Adapters, steps: str) -> tuple[list[str], list[str]]:
    """What a program of adds and updates leaves, and what a dict would."""
    adapter = adapters.make(Inventory)
    expected: list[str] = []
    for number, step in enumerate(steps):
        if step == "f":
            if not IS_REFERENCE:
                adapter.store.flush()
            continue
        site = Site(name=f"{step}{number}")
        adapter.add(site) if step == "a" else adapter.update(site)
        expected.append(site.name)
    return [site.name for site in adapter.get_all(Site)], expected


def test_new_objects_stand_in_the_order_of_adds_and_updates(adapters: Adapters) -> None:
    for steps in ("aua", "uau", "auu", "aauaa", "afuaf", "auafu"):
        found, expected = order_of(adapters, steps)
        assert found == expected


# Two systems


def random_sites(choose: random.Random) -> Sites:
    return {
        f"s{site}": (
            choose.choice(["x", "y"]),
            {f"d{device}": choose.choice(["x", "y"]) for device in choose.sample(range(6), choose.randrange(6))},
        )
        for site in choose.sample(range(8), choose.randrange(8))
    }


def flat(sites: Sites) -> dict[tuple[str, ...], str | None]:
    values: dict[tuple[str, ...], str | None] = {(name,): region for name, (region, _) in sites.items()}
    return values | {(name, device): role for name, (_, devices) in sites.items() for device, role in devices.items()}


def expected_summary(source: Sites, target: Sites) -> dict[str, int]:
    new, old = flat(source), flat(target)
    both = new.keys() & old.keys()
    changed = sum(new[key] != old[key] for key in both)
    return {
        "create": len(new.keys() - both),
        "update": changed,
        "delete": len(old.keys() - both),
        "no-change": len(both) - changed,
        "skip": 0,
    }


@pytest.mark.parametrize("seed", range(40))
def test_random_systems_are_compared_and_synced_as_they_should_be(adapters: Adapters, seed: int) -> None:
    choose = random.Random(seed)
    source_sites, target_sites = random_sites(choose), random_sites(choose)
    source, target = adapters.pair(source_sites, target_sites)
    changes = target.diff_from(source).summary()
    assert changes == expected_summary(source_sites, target_sites)
    target.sync_from(source)
    assert len(target.journal) == changes["create"] + changes["update"] + changes["delete"]
    assert len(set(target.operations())) == len(target.journal)
    assert {site.name: site.region for site in target.get_all(Site)} == {
        name: region for name, (region, _) in source_sites.items()
    }
    assert {(device.site, device.name): device.role for device in target.get_all(Device)} == {
        (name, device): role for name, (_, devices) in source_sites.items() for device, role in devices.items()
    }
    for site in target.get_all(Site):
        assert sorted(site.devices) == sorted(source.get(Site, site.name).devices)
    assert not target.diff_from(source).has_diffs()
