from __future__ import annotations

from collections.abc import Iterator, KeysView
from typing import Any

import pytest

from tests.behaviour.api import (
    Adapter,
    Diff,
    DiffElement,
    DiffSyncFlags,
    DiffSyncModel,
    ObjectAlreadyExists,
    ObjectNotFound,
)
from tests.behaviour.inventory import Adapters, Device, Interface, Inventory, Site, Sites

SOURCE: Sites = {
    "z": ("r1", {"d2": "x", "d1": "x"}),
    "a": ("r1", {"e": "q"}),
    "new": ("r9", {"n2": "x", "n1": "q"}),
}
TARGET: Sites = {
    "a": ("r1", {"e": "q", "old": "w"}),
    "gone": ("r0", {"g2": "x", "g1": "c"}),
    "z": ("r2", {"d1": "x", "d2": "y", "d3": "y"}),
}
TEXT = """\
site
  site: z
    region    S(r1)    T(r2)
    device
      device: d2
        role    S(x)    T(y)
      device: d3 MISSING in S
  site: a
    device
      device: old MISSING in S
  site: new MISSING in T
    device
      device: n2 MISSING in T
      device: n1 MISSING in T
  site: gone MISSING in S
    device
      device: g2 MISSING in S
      device: g1 MISSING in S"""
DATA: dict[str, Any] = {
    "site": {
        "z": {
            "-": {"region": "r2"},
            "+": {"region": "r1"},
            "device": {
                "d2": {"-": {"role": "y"}, "+": {"role": "x"}},
                "d3": {"-": {"role": "y", "slots": None}},
            },
        },
        "a": {"-": {}, "+": {}, "device": {"old": {"-": {"role": "w", "slots": None}}}},
        "new": {
            "+": {"region": "r9", "tags": []},
            "device": {"n2": {"+": {"role": "x", "slots": None}}, "n1": {"+": {"role": "q", "slots": None}}},
        },
        "gone": {
            "-": {"region": "r0", "tags": []},
            "device": {"g2": {"-": {"role": "x", "slots": None}}, "g1": {"-": {"role": "c", "slots": None}}},
        },
    }
}
BUILT_OR_NOT = pytest.mark.parametrize("flags", [DiffSyncFlags.NONE, DiffSyncFlags.LOG_UNCHANGED_RECORDS])
"""Flags with and without elements for unchanged objects; the content of the diff is the same."""


def keys(value: Any) -> Any:
    """Return the keys of nested dicts, in order."""
    return [(key, keys(below)) for key, below in value.items()] if isinstance(value, dict) else None


# Two adapters compared


@BUILT_OR_NOT
def test_str_shows_what_differs_as_a_tree(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    assert target.diff_from(source, flags=flags).str() == TEXT


@BUILT_OR_NOT
def test_str_indents_every_line(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    expected = "\n".join("   " + line for line in TEXT.splitlines())
    assert target.diff_from(source, flags=flags).str(indent=3) == expected


@BUILT_OR_NOT
def test_dict_holds_old_values_and_new_ones(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    assert target.diff_from(source, flags=flags).dict() == DATA


@BUILT_OR_NOT
def test_dict_has_the_order_of_the_diff(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    assert keys(target.diff_from(source, flags=flags).dict()) == keys(DATA)


@BUILT_OR_NOT
def test_summary_counts_every_object_once(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    summary = target.diff_from(source, flags=flags).summary()
    assert summary == {"create": 3, "update": 2, "delete": 5, "no-change": 3, "skip": 0}
    assert list(summary) == ["create", "update", "delete", "no-change", "skip"]


@BUILT_OR_NOT
def test_the_length_counts_unchanged_objects_too(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source, flags=flags)
    assert len(diff) == 13
    assert len(diff.children["site"]["z"]) == 4


def test_models_processed_counts_the_objects_of_both_sides(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    assert target.diff_from(source).models_processed == len(source) + len(target)


def test_the_source_gives_the_order_and_what_only_the_target_has_comes_last(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source, flags=DiffSyncFlags.LOG_UNCHANGED_RECORDS)
    assert list(diff.children["site"]) == ["z", "a", "new", "gone"]
    assert list(diff.children["site"]["z"].child_diff.children["device"]) == ["d2", "d1", "d3"]
    assert [element.name for element in diff.get_children()] == ["z", "a", "new", "gone"]


def test_the_targets_top_level_gives_the_order_of_models(adapters: Adapters) -> None:
    class First(Inventory):
        top_level = ["device", "interface"]

    class Second(Inventory):
        top_level = ["interface", "device", "site"]

    source, target = adapters.make(First), adapters.make(Second)
    source.add(Device(site="a", name="d"))
    source.add(Interface(device="d", name="e"))
    target.add(Site(name="not compared"))
    assert target.diff_from(source).groups() == ["interface", "device"]
    assert source.diff_from(target).groups() == ["device", "interface"]


def test_a_model_that_only_one_side_has_at_top_level_is_not_compared(adapters: Adapters) -> None:
    class Other(Inventory):
        top_level = ["device"]

    source, target = adapters.filled(Inventory, SOURCE), adapters.filled(Other, TARGET)
    diff = target.diff_from(source)
    assert (diff.str(), len(diff)) == ("(no diffs)", 0)


def test_objects_of_a_model_that_only_one_side_has_at_top_level_count_as_skipped(adapters: Adapters) -> None:
    class Other(Inventory):
        top_level = ["device"]

    source, target = adapters.filled(Inventory, SOURCE), adapters.filled(Other, TARGET)
    assert target.diff_from(source).summary()["skip"] == source.count(Site) + target.count(Device) == 10


def test_diff_to_is_diff_from_of_the_other_adapter(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    assert source.diff_to(target).str() == TEXT
    assert source.diff_to(target).dict() == DATA


def test_the_other_direction_swaps_old_and_new(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = source.diff_from(target)
    assert diff.summary() == {"create": 5, "update": 2, "delete": 3, "no-change": 3, "skip": 0}
    assert diff.dict()["site"]["z"]["-"] == {"region": "r1"}
    assert diff.dict()["site"]["new"]["-"] == {"region": "r9", "tags": []}


def test_equal_adapters_have_no_diffs(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, SOURCE)
    diff = target.diff_from(source)
    assert not diff.has_diffs()
    assert (diff.str(), diff.dict()) == ("(no diffs)", {})
    assert diff.summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 8, "skip": 0}
    assert len(diff) == 8


def test_empty_adapters_have_an_empty_diff(adapters: Adapters) -> None:
    diff = adapters.make(Inventory).diff_from(adapters.make(Inventory))
    assert (len(diff), diff.str(), diff.dict(), diff.has_diffs()) == (0, "(no diffs)", {}, False)


def test_a_diff_changes_nothing(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    before = source.dict(), target.dict()
    target.diff_from(source)
    assert (source.dict(), target.dict()) == before
    assert target.journal == source.journal == []


def test_only_attributes_are_compared(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("r", {})})
    source.get(Site, "a").note = 99
    assert not target.diff_from(source).has_diffs()


def test_changes_after_objects_were_added_are_seen(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "x"})})
    source.get(Site, "a").tags.append("new")
    target.get(Device, "a__d").role = "y"
    assert target.diff_from(source).dict() == {
        "site": {"a": {"-": {"tags": []}, "+": {"tags": ["new"]}, "device": {"d": {"-": {"role": "y"}, "+": {"role": "x"}}}}}
    }  # fmt: skip


def test_a_diff_does_not_change_with_its_objects(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("q", {})})
    site = source.get(Site, "a")
    diff = target.diff_from(source)
    site.tags.append("later")
    site.region = "later"
    assert diff.dict() == {"site": {"a": {"-": {"region": "q"}, "+": {"region": "r"}}}}


def test_the_same_objects_under_other_parents_are_created_and_deleted(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})})
    for adapter, parent in ((source, "b"), (target, "a")):
        device = Device(site="moved", name="d")
        adapter.add(device)
        adapter.get(Site, parent).add_child(device)
    new = {"role": "leaf", "slots": None}
    assert target.diff_from(source).dict() == {
        "site": {
            "a": {"-": {}, "+": {}, "device": {"d": {"-": new}}},
            "b": {"-": {}, "+": {}, "device": {"d": {"+": new}}},
        }
    }


def test_differences_below_equal_objects_are_found(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "x"})})
    for adapter, speed in ((source, 10), (target, 1)):
        interface = Interface(device="d", name="e", speed=speed)
        adapter.add(interface)
        adapter.get(Device, "a__d").add_child(interface)
    diff = target.diff_from(source)
    assert diff.str() == (
        "site\n  site: a\n    device\n      device: d\n        interface\n          interface: d__e\n"
        "            speed    S(10)    T(1)"
    )
    assert diff.summary() == {"create": 0, "update": 1, "delete": 0, "no-change": 2, "skip": 0}


@pytest.mark.parametrize("broken", ["source", "target"])
def test_a_listed_child_that_does_not_exist_is_an_error(adapters: Adapters, broken: str) -> None:
    source, target = adapters.make(Inventory), adapters.make(Inventory)
    {"source": source, "target": target}[broken].add(Site(name="a", devices=["a__ghost"]))
    with pytest.raises(ObjectNotFound, match="a__ghost"):
        target.diff_from(source)


def test_two_objects_of_one_name_in_one_place_are_an_error(adapters: Adapters) -> None:
    class Flat(Inventory):
        top_level = ["device"]

    source = adapters.make(Flat)
    source.add(Device(site="a", name="e0"))
    source.add(Device(site="b", name="e0"))
    with pytest.raises(ObjectAlreadyExists, match="e0"):
        adapters.make(Flat).diff_from(source)


def test_two_changed_objects_of_one_name_in_one_place_are_an_error(adapters: Adapters) -> None:
    class Flat(Inventory):
        top_level = ["device"]

    source, target = adapters.make(Flat), adapters.make(Flat)
    for site in ("a", "b"):
        source.add(Device(site=site, name="e0", role="x"))
        target.add(Device(site=site, name="e0", role="y"))
    with pytest.raises(ObjectAlreadyExists, match="e0"):
        target.diff_from(source)


class Named(DiffSyncModel):
    _modelname = "thing"
    _identifiers = ("key",)
    _shortname = ("label",)
    key: str
    label: str = "same"


class Keyed(DiffSyncModel):
    _modelname = "thing"
    _identifiers = ("other",)
    other: str


class NamedThings(Adapter):
    thing = Named
    top_level = ["thing"]


class KeyedThings(Adapter):
    thing = Keyed
    top_level = ["thing"]


def test_objects_of_one_unique_id_and_two_names_are_not_comparable(adapters: Adapters) -> None:
    source, target = adapters.make(NamedThings), adapters.make(NamedThings)
    source.add(Named(key="1", label="one"))
    target.add(Named(key="1", label="two"))
    with pytest.raises(ValueError, match="one"):
        target.diff_from(source)


def test_objects_of_one_unique_id_and_two_sets_of_identifiers_are_not_comparable(adapters: Adapters) -> None:
    source, target = adapters.make(NamedThings), adapters.make(KeyedThings)
    source.add(Named(key="1", label="1"))
    target.add(Keyed(other="1"))
    with pytest.raises(ValueError, match="other"):
        target.diff_from(source)


def test_top_level_may_be_overridden_per_instance(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {})
    source.top_level = ["device"]  # type: ignore[misc]  # a hidden contract of diffsync
    target.top_level = ["device"]  # type: ignore[misc]
    assert target.diff_from(source).dict() == {"device": {"d": {"+": {"role": "x", "slots": None}}}}
    assert source.str() == "device\n  device: a__d: {'role': 'x', 'slots': None}\n    interfaces: []"
    assert Inventory.top_level == ["site"]


def test_a_child_model_that_is_top_level_too_is_compared_twice(adapters: Adapters) -> None:
    class Twice(Inventory):
        top_level = ["site", "device"]

    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {}, Twice, Twice)
    diff = target.diff_from(source)
    assert diff.groups() == ["site", "device"]
    assert diff.summary()["create"] == 3
    assert diff.models_processed == 3


def test_attributes_that_only_one_side_declares_are_not_compared(adapters: Adapters) -> None:
    class Wide(Device):
        _attributes = ("role", "slots", "colour")
        colour: str = "red"

    class Other(Inventory):
        device = Wide

    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "x"})}, target_class=Other)
    assert not target.diff_from(source).has_diffs()
    source.get(Device, "a__d").role = "y"
    assert target.diff_from(source).dict()["site"]["a"]["device"]["d"] == {"-": {"role": "x"}, "+": {"role": "y"}}


# Progress


def test_the_callback_of_a_diff_counts_to_the_number_of_objects(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    calls: list[tuple[str, int, int]] = []
    target.diff_from(source, callback=lambda *call: calls.append(call))
    total = len(source) + len(target)
    assert {(stage, of) for stage, _, of in calls} == {("diff", total)}
    done = [number for _, number, _ in calls]
    assert done == sorted(set(done))
    assert done[-1] == total


def test_the_callback_of_diff_to_is_called_too(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    calls: list[tuple[str, int, int]] = []
    source.diff_to(target, callback=lambda *call: calls.append(call))
    assert calls[-1] == ("diff", 18, 18)


# A class of diff


class Backwards(Diff):
    completed = 0

    def complete(self) -> None:
        type(self).completed += 1

    @classmethod
    def order_children_site(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        for name in sorted(children, reverse=True):
            yield children[name]


def test_a_diff_class_orders_the_elements_of_a_model(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {}), "c": ("r", {}), "b": ("r", {})}, {})
    diff = target.diff_from(source, diff_class=Backwards)
    assert isinstance(diff, Backwards)
    assert [element.name for element in diff.get_children()] == ["c", "b", "a"]
    assert list(diff.dict()["site"]) == ["c", "b", "a"]


def test_a_diff_class_orders_children_too(adapters: Adapters) -> None:
    class ByName(Diff):
        @classmethod
        def order_children_device(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
            yield from sorted(children.values())

    source, target = adapters.pair({"a": ("r", {"z": "x", "b": "x"})}, {})
    diff = source.diff_to(target, diff_class=ByName)
    site = diff.children["site"]["a"]
    assert isinstance(site.child_diff, ByName)
    assert [element.name for element in site.get_children()] == ["b", "z"]


def test_a_diff_class_is_called_when_the_diff_is_complete(adapters: Adapters) -> None:
    class Completed(Backwards):
        completed = 0

    source, target = adapters.pair(SOURCE, TARGET)
    target.diff_from(source, diff_class=Completed)
    assert Completed.completed == 1


def test_a_diff_class_may_order_everything_at_once(adapters: Adapters) -> None:
    class DeletesFirst(Diff):
        def get_children(self) -> Iterator[DiffElement]:
            yield from sorted(super().get_children(), key=lambda element: element.action != "delete")

    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source, diff_class=DeletesFirst)
    assert [element.name for element in diff.get_children()] == ["gone", "z", "a", "new"]


# Elements made by a comparison


def test_an_element_has_the_changes_of_its_attributes(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    element = target.diff_from(source).children["site"]["z"]
    assert (element.type, element.name, element.keys) == ("site", "z", {"name": "z"})
    assert (element.source_name, element.dest_name) == ("S", "T")
    assert element.source_attrs == {"region": "r1", "tags": []}
    assert element.dest_attrs == {"region": "r2", "tags": []}
    assert element.action == "update"
    assert list(element.get_attrs_keys()) == ["region", "tags"]
    assert element.get_attrs_diffs() == {"-": {"region": "r2"}, "+": {"region": "r1"}}
    assert element.has_diffs()
    assert element.summary() == {"create": 0, "update": 2, "delete": 1, "no-change": 1}
    assert str(element) == "site \"z\" : {'name': 'z'} : S → T : {'-': {'region': 'r2'}, '+': {'region': 'r1'}}"


def test_elements_below_have_full_identifiers_and_short_names(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    devices = target.diff_from(source).children["site"]["z"].child_diff.children["device"]
    assert (devices["d2"].name, devices["d2"].keys) == ("d2", {"site": "z", "name": "d2"})
    assert (devices["d3"].action, devices["d3"].source_attrs) == ("delete", None)


def test_actions_are_plain_strings_or_none(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    sites = target.diff_from(source).children["site"]
    assert {name: element.action for name, element in sites.items()} == {
        "z": "update",
        "a": None,
        "new": "create",
        "gone": "delete",
    }


# Elements made by hand


def element(name: str = "a", model: str = "site") -> DiffElement:
    return DiffElement(model, name, {"name": name})


def test_a_bare_element_changes_nothing() -> None:
    bare = element()
    assert bare.action is None
    assert not bare.has_diffs()
    assert (len(bare), bare.get_attrs_diffs(), list(bare.get_attrs_keys()), bare.dict()) == (1, {}, [], {})
    assert (bare.source_name, bare.dest_name) == ("source", "dest")
    assert bare.str() == "site: a (no diffs)"
    assert bare.summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 1}


def test_the_attributes_decide_the_action() -> None:
    site = element()
    site.add_attrs(source={"x": 1})
    assert (site.action, site.str(), site.dict()) == ("create", "site: a MISSING in dest", {"+": {"x": 1}})
    site.add_attrs(dest={"x": 1, "y": 2})
    assert (site.action, list(site.get_attrs_keys())) == (None, ["x"])
    site.add_attrs(source={"x": 3})
    assert (site.action, site.str()) == ("update", "site: a\n  x    source(3)    dest(1)")
    assert site.dict() == {"-": {"x": 1}, "+": {"x": 3}}


def test_only_attributes_of_both_sides_are_compared() -> None:
    site = element()
    site.add_attrs({"a": 1, "b": 2}, {"b": 3, "c": 3})
    assert site.get_attrs_diffs() == {"-": {"b": 3}, "+": {"b": 2}}
    other = element()
    other.add_attrs({"a": 1}, {"c": 3})
    assert other.action is None


def test_objects_without_attributes_may_be_created_and_deleted() -> None:
    created, deleted, same = element(), element(), element()
    created.add_attrs(source={})
    deleted.add_attrs(dest={})
    same.add_attrs({}, {})
    assert [each.action for each in (created, deleted, same)] == ["create", "delete", None]
    assert (created.dict(), deleted.dict()) == ({"+": {}}, {"-": {}})


def test_children_count_and_show_below_their_parent() -> None:
    site, device = element(), element("d", "device")
    device.add_attrs(dest={"q": 1})
    site.add_child(device)
    assert site.has_diffs()
    assert not site.has_diffs(include_children=False)
    assert (len(site), site.action) == (2, None)
    assert site.dict() == {"device": {"d": {"-": {"q": 1}}}}
    assert site.str() == "site: a\n  device\n    device: d MISSING in source"
    assert list(site.get_children()) == [device]


def test_a_second_child_of_the_same_name_is_refused() -> None:
    site = element()
    site.add_child(element("d", "device"))
    site.add_child(element("d", "interface"))
    with pytest.raises(ObjectAlreadyExists, match="d"):
        site.add_child(element("d", "device"))


def test_a_diff_refuses_a_second_element_of_the_same_name() -> None:
    diff = Diff()
    diff.add(element())
    diff.add(element("b"))
    with pytest.raises(ObjectAlreadyExists, match="a"):
        diff.add(element())
    assert (len(diff), diff.groups()) == (2, ["site"])


def test_elements_are_ordered_by_model_and_name() -> None:
    elements = [element("b", "y"), element("z", "x"), element("c", "x")]
    assert [(each.type, each.name) for each in sorted(elements)] == [("x", "c"), ("x", "z"), ("y", "b")]


def test_elements_are_equal_by_content() -> None:
    first, second = element(), element()
    assert first == second
    second.add_attrs(source={"x": 1})
    assert first != second
    assert first != "a"


def test_an_empty_diff_is_false_and_its_text_says_so() -> None:
    diff = Diff()
    assert not diff
    assert (len(diff), diff.has_diffs(), diff.groups(), list(diff.get_children())) == (0, False, [], [])
    assert (diff.str(), diff.str(indent=2), diff.dict()) == ("(no diffs)", "(no diffs)", {})
    assert diff.summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 0, "skip": 0}


def test_an_element_added_a_second_time_is_refused() -> None:
    element, above, diff = DiffElement("site", "a", {"name": "a"}), DiffElement("region", "r", {"name": "r"}), Diff()
    diff.add(element)
    above.add_child(element)
    for add in (diff.add, above.add_child):
        with pytest.raises(ObjectAlreadyExists):
            add(element)
    assert (len(diff), len(above)) == (1, 2)


def test_elements_compare_by_every_operator() -> None:
    first, second = (DiffElement("site", name, {"name": name}) for name in "ab")
    changed = DiffElement("site", "a", {"name": "a"})
    changed.add_attrs(source={"region": "r"})
    assert (first < second, first <= second, first > second, first >= second) == (True, True, False, False)
    assert (first <= first, first >= first) == (True, True)  # noqa: PLR0124  # its own equal
    assert (first < changed, first == changed, first != changed) == (False, False, True)


def test_the_names_of_attributes_are_a_view_for_one_side_and_a_list_for_both() -> None:
    element = DiffElement("site", "a", {"name": "a"})
    assert element.get_attrs_keys() == []
    element.add_attrs(dest={"b": 1, "a": 2, "c": 3})
    assert isinstance(element.get_attrs_keys(), KeysView)
    assert element.get_attrs_keys() & {"a", "z"} == {"a"}  # type: ignore[operator]
    assert list(element.get_attrs_keys()) == ["b", "a", "c"]
    element.add_attrs(source={"a": 1, "b": 2})
    assert element.get_attrs_keys() == ["b", "a"]


# Identifiers


def numbered(adapters: Adapters, name: str) -> Inventory:
    return adapters.filled(Inventory, {site: ("r", {"d": "x"}) for site in "abc"}, name)


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_object_is_compared_by_its_current_identifiers(adapters: Adapters, side: str) -> None:
    source, target = numbered(adapters, "S"), numbered(adapters, "T")
    changed = source if side == "source" else target
    sites = changed.get_all(Site)
    sites[0].name = "new"
    only, missing = ("+", "-") if side == "source" else ("-", "+")
    found = target.diff_from(source).dict()["site"]
    assert {name: [sign for sign in changes if sign in "+-"] for name, changes in found.items()} == {
        "new": [only],
        "a": [missing],
    }


def test_an_object_with_the_identifiers_of_another_is_compared_as_that_one(adapters: Adapters) -> None:
    source, target = (adapters.filled(Inventory, {site: (site, {}) for site in "abc"}, name) for name in "ST")
    first, second, _ = source.get_all(Site)
    first.name, second.name = "b", "a"
    assert target.diff_from(source).dict() == {
        "site": {name: {"-": {"region": name}, "+": {"region": other}} for name, other in ("ba", "ab")}
    }


def test_a_child_is_compared_by_its_current_identifiers(adapters: Adapters) -> None:
    source, target = numbered(adapters, "S"), numbered(adapters, "T")
    device = source.get(Device, "a__d")
    device.name = "e"
    found = target.diff_from(source).dict()
    assert list(found["site"]["a"]["device"]) == ["e", "d"]
