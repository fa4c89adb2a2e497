"""Long programs on a store, compared with plain dicts; and syncs of random systems.

Hypothesis draws both, and reports the smallest failing example.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.behaviour.api import IS_REFERENCE, Adapter, DiffSyncModel, ObjectAlreadyExists, ObjectNotFound
from tests.behaviour.drawn import drawn
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


STEPS = (
    "add", "add", "replace", "assign", "append", "nest", "nest_referenced", "assign_referenced", "hold", "release", "remove", "put_back",
    "update_or_instantiate", "get_or_instantiate", "flush", "read",
)  # fmt: skip
Step = tuple[str, str, int]
"""Name of a method of `Program`, name of a box, and a size."""
a_step: st.SearchStrategy[Step] = st.tuples(st.sampled_from(STEPS), st.sampled_from(NAMES), st.integers(0, 8))


@st.composite
def programs(draw: st.DrawFn) -> list[list[Step]]:
    """Up to six parts of up to 25 steps; after each part the content is compared."""
    return [
        [draw(a_step) for _ in range(draw(st.integers(0, 25).map(lambda number: 25 - number)))]
        for _ in range(draw(st.integers(1, 6)))
    ]


class Program:
    """Runs the same steps on an adapter and on a dict with the expected content."""

    def __init__(self, adapter: Boxes) -> None:
        self.adapter = adapter
        self.expected: dict[str, Data] = {}
        self.held: dict[str, Box] = {}

    def run(self, steps: list[Step]) -> None:
        for step, name, size in steps:
            getattr(self, step)(name, size)

    def content(self) -> dict[str, Data]:
        return {box.name: box.dict(exclude={"model_flags", "adapter"}) for box in self.adapter.get_all(Box)}

    def _new(self, name: str, size: int) -> Box:
        return Box(name=name, size=size, labels=[size])

    def add(self, name: str, size: int) -> None:
        if name in self.expected:
            with pytest.raises(ObjectAlreadyExists):
                self.adapter.add(self._new(name, size))
            return
        self.adapter.add(self._new(name, size))
        self.expected[name] = {"name": name, "size": size, "labels": [size], "data": {}}

    def replace(self, name: str, size: int) -> None:
        if name in self.expected:
            self.adapter.update(self._new(name, size))
            self.held.pop(name, None)
            self.expected[name] = {"name": name, "size": size, "labels": [size], "data": {}}

    def assign(self, name: str, size: int) -> None:
        if name in self.expected:
            self.expected[name]["size"] = self.adapter.get(Box, name).size = size

    def append(self, name: str, size: int) -> None:
        if name in self.expected:
            self.adapter.get(Box, name).labels.append(7)
            self.expected[name]["labels"].append(7)

    def nest(self, name: str, size: int) -> None:
        if name in self.expected:
            for data in (self.adapter.get(Box, name).data, self.expected[name]["data"]):
                data.setdefault("deep", {}).setdefault("list", []).append(1)

    def nest_referenced(self, name: str, size: int) -> None:
        if name in self.held:
            for data in (self.held[name].data, self.expected[name]["data"]):
                data.setdefault("held", {}).setdefault("list", []).append(2)

    def assign_referenced(self, name: str, size: int) -> None:
        if name in self.held:
            self.expected[name]["size"] = self.held[name].size = size

    def hold(self, name: str, size: int) -> None:
        if name in self.expected:
            self.held[name] = self.adapter.get(Box, name)

    def release(self, name: str, size: int) -> None:
        self.held.pop(name, None)

    def remove(self, name: str, size: int) -> None:
        if name in self.expected:
            self.adapter.remove(self.adapter.get(Box, name))
            del self.expected[name]
            self.held.pop(name, None)
        else:
            with pytest.raises(ObjectNotFound):
                self.adapter.remove(self._new(name, 0))

    def put_back(self, name: str, size: int) -> None:
        if name in self.expected:
            box = self.adapter.get(Box, name)
            self.adapter.remove(box)
            self.adapter.add(box)
            self.held.pop(name, None)
            self.expected[name] = self.expected.pop(name)

    def update_or_instantiate(self, name: str, size: int) -> None:
        _, is_new = self.adapter.update_or_instantiate(Box, {"name": name}, {"size": size})
        assert is_new == (name not in self.expected)
        self.expected.setdefault(name, {"name": name, "size": size, "labels": [], "data": {}})["size"] = size

    def get_or_instantiate(self, name: str, size: int) -> None:
        _, is_new = self.adapter.get_or_instantiate(Box, {"name": name}, {"size": 1})
        assert is_new == (name not in self.expected)
        self.expected.setdefault(name, {"name": name, "size": 1, "labels": [], "data": {}})

    def flush(self, name: str, size: int) -> None:
        if not IS_REFERENCE:
            self.adapter.store.flush()

    def read(self, name: str, size: int) -> None:
        assert self.adapter.count(Box) == len(self.expected)
        found = self.adapter.get_or_none(Box, name)
        assert (found is None) == (name not in self.expected)


@pytest.mark.slow
@drawn(max_examples=40)
@given(parts=programs())
def test_a_store_has_the_result_of_any_program(adapters: Adapters, parts: list[list[Step]]) -> None:
    program = Program(adapters.make(Boxes))
    for steps in parts:
        program.run(steps)
        content = program.content()
        assert content == program.expected
        assert list(content) == list(program.expected)


def order_of(adapters: Adapters, steps: str) -> tuple[list[str], list[str]]:
    """Run adds and updates; return the order in the store, and that in a dict."""
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


def test_new_objects_are_in_the_order_of_adds_and_updates(adapters: Adapters) -> None:
    for steps in ("aua", "uau", "auu", "aauaa", "afuaf", "auafu"):
        found, expected = order_of(adapters, steps)
        assert found == expected


# Two systems


values = st.sampled_from(["x", "y"])
devices = st.dictionaries(st.sampled_from([f"d{number}" for number in range(6)]), values)
systems: st.SearchStrategy[Sites] = st.dictionaries(
    st.sampled_from([f"s{number}" for number in range(8)]), st.tuples(values, devices)
)


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


@pytest.mark.slow
@drawn(max_examples=50)
@given(source_sites=systems, target_sites=systems)
def test_any_two_systems_are_compared_and_synced_correctly(
    adapters: Adapters, source_sites: Sites, target_sites: Sites
) -> None:
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
