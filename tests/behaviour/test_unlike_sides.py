"""Source and target with different classes: a sync does not change what only one of them declares."""

from __future__ import annotations

import pytest

from tests.behaviour.api import Adapter, DiffSyncFlags, DiffSyncModel
from tests.behaviour.inventory import Adapters, Device, Interface, Inventory, Site, Sites

SITES: Sites = {"both": ("new", {"d2": "x", "d1": "x"}), "one": ("r", {"e": "x"})}
RUN = DiffSyncFlags


class BareSite(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    name: str
    region: str | None = None


class Bare(Adapter):
    """Has sites without devices."""

    site = BareSite
    top_level = ["site"]


class CabledSite(BareSite):
    """Has children of another kind."""

    _children = {"interface": "uplinks"}
    uplinks: list[str] = []


class Cabled(Adapter):
    site = CabledSite
    interface = Interface
    top_level = ["site"]


def bare(adapters: Adapters, name: str) -> Bare:
    adapter = adapters.make(Bare, name)
    adapter.add(BareSite(name="both", region="old"))
    return adapter


def cabled(adapters: Adapters, name: str) -> Cabled:
    adapter = adapters.make(Cabled, name)
    site, uplink = CabledSite(name="both", region="old"), Interface(device="both", name="up")
    adapter.add(site)
    adapter.add(uplink)
    site.add_child(uplink)
    return adapter


def test_children_that_only_the_targets_class_has_are_not_deleted(adapters: Adapters) -> None:
    source, target = bare(adapters, "S"), adapters.filled(Inventory, {"both": ("new", {"d2": "x", "d1": "x"})}, "T")
    target.sync_from(source)
    assert target.operations() == ["update both"]
    assert target.get(Site, "both").devices == ["both__d2", "both__d1"]
    assert target.count(Device) == 2
    assert not target.diff_from(source).has_diffs()


def test_children_that_only_the_sources_class_has_are_not_created(adapters: Adapters) -> None:
    source, target = adapters.filled(Inventory, {"both": ("new", {"d2": "x", "d1": "x"})}, "S"), bare(adapters, "T")
    target.sync_from(source)
    assert target.dict() == {"site": {"both": {"name": "both", "region": "new"}}}
    assert not target.diff_from(source).has_diffs()


@pytest.mark.parametrize(
    ("flags", "delete", "skip"),
    [
        (RUN.NONE, 2, 2),
        (RUN.SKIP_UNMATCHED_SRC, 2, 2),
        (RUN.SKIP_UNMATCHED_DST, 0, 3),
    ],
    ids=str,
)
def test_children_that_only_the_targets_class_has_count_as_skipped(
    adapters: Adapters, flags: DiffSyncFlags, delete: int, skip: int
) -> None:
    source, target = bare(adapters, "S"), adapters.filled(Inventory, SITES, "T")
    summary = target.diff_from(source, flags=flags).summary()
    assert summary == {"create": 0, "update": 1, "delete": delete, "no-change": 0, "skip": skip}


def test_children_that_only_the_sources_class_has_count_as_skipped(adapters: Adapters) -> None:
    source, target = adapters.filled(Inventory, SITES, "S"), bare(adapters, "T")
    diff = target.diff_from(source)
    assert diff.summary() == {"create": 2, "update": 1, "delete": 0, "no-change": 0, "skip": 2}
    assert diff.models_processed == 6


def test_different_child_models_are_not_compared(adapters: Adapters) -> None:
    source, target = cabled(adapters, "S"), adapters.filled(Inventory, {"both": ("old", {"d": "x"})}, "T")
    diff = target.diff_from(source)
    assert diff.dict() == {}
    assert diff.summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 1, "skip": 2}
    target.sync_from(source)
    assert (target.journal, target.count()) == ([], 2)


def test_deeper_children_that_only_one_class_has_are_not_changed(adapters: Adapters) -> None:
    class BareDevice(DiffSyncModel):
        _modelname = "device"
        _identifiers = ("site", "name")
        _shortname = ("name",)
        _attributes = ("role",)
        site: str
        name: str
        role: str = "leaf"

    class Shallow(Inventory):
        device = BareDevice  # type: ignore[assignment]  # another class of the same model

    source = adapters.filled(Shallow, {"a": ("r", {"d": "x"})}, "S")
    target = adapters.filled(Inventory, {"a": ("r", {"d": "x"})}, "T")
    interface = Interface(device="d", name="e")
    target.add(interface)
    target.get(Device, "a__d").add_child(interface)
    target.sync_from(source)
    assert target.journal == []
    assert target.count(Interface) == 1


def test_the_descendants_of_an_object_on_one_side_follow_it_whatever_the_other_class_declares(
    adapters: Adapters,
) -> None:
    source, target = bare(adapters, "S"), adapters.filled(Inventory, {"one": ("r", {"e": "x"})}, "T")
    target.sync_from(source)
    assert target.operations() == ["create both", "delete one", "delete one__e"]
    assert target.count() == 1


def test_child_models_without_objects_make_no_difference(adapters: Adapters) -> None:
    source, target = bare(adapters, "S"), adapters.filled(Inventory, {"both": ("new", {}), "gone": ("r", {})}, "T")
    assert target.diff_from(source).dict() == {
        "site": {
            "both": {"-": {"region": "new"}, "+": {"region": "old"}},
            "gone": {"-": {"region": "r", "tags": []}},
        }
    }


class Listed(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("speed", "mtu", "vlan")
    name: str
    speed: int = 1
    mtu: int = 1
    vlan: int = 1


class Shuffled(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("vlan", "speed", "mtu")
    name: str
    vlan: int = 2
    speed: int = 2
    mtu: int = 2


class ListedPorts(Adapter):
    port = Listed
    top_level = ["port"]


class ShuffledPorts(Adapter):
    port = Shuffled
    top_level = ["port"]


def test_changed_attributes_are_in_the_order_of_the_targets_class(adapters: Adapters) -> None:
    source, target = adapters.make(ListedPorts, "S"), adapters.make(ShuffledPorts, "T")
    source.add(Listed(name="p"))
    target.add(Shuffled(name="p"))
    diff = target.diff_from(source)
    assert diff.str() == "port\n  port: p\n    vlan    S(1)    T(2)\n    speed    S(1)    T(2)\n    mtu    S(1)    T(2)"
    assert [list(values) for values in diff.dict()["port"]["p"].values()] == [["vlan", "speed", "mtu"]] * 2


def test_attributes_of_one_class_are_in_the_order_of_its_fields(adapters: Adapters) -> None:
    source, target = adapters.make(ListedPorts, "S"), adapters.make(ListedPorts, "T")
    source.add(Listed(name="p"))
    target.add(Listed(name="p", vlan=3, speed=3, mtu=3))
    assert list(target.diff_from(source).dict()["port"]["p"]["+"]) == ["speed", "mtu", "vlan"]
