from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.behaviour.api import (
    Adapter,
    Diff,
    DiffElement,
    DiffSyncFlags,
    DiffSyncModel,
    DiffSyncModelFlags,
    DiffSyncStatus,
    ObjectCrudException,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotUpdated,
    ObjectStoreException,
)
from tests.behaviour.inventory import Adapters, Data, Device, Interface, Inventory, Journaled, Site, Sites

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
OPERATIONS = [
    "update z", "update z__d2", "delete z__d3", "delete a__old", "create new", "create new__n2", "create new__n1",
    "delete gone", "delete gone__g2", "delete gone__g1",
]  # fmt: skip
CONTINUE = DiffSyncFlags.CONTINUE_ON_FAILURE


# The effect of a sync


def test_a_sync_makes_the_target_equal_to_the_source(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    diff = target.diff_from(source)
    assert (diff.has_diffs(), diff.str()) == (False, "(no diffs)")
    assert diff.summary()["no-change"] == len(source) == len(target) == 8


def test_a_sync_changes_the_target_only(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    before = source.dict()
    target.sync_from(source)
    assert source.dict() == before
    assert source.journal == []


def test_operations_are_in_the_order_of_the_diff_with_parents_first(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    assert target.operations() == OPERATIONS


def test_operations_get_identifiers_and_attributes(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    assert target.journal[0] == ("update", "site", "z", {"region": "r1"})
    assert target.journal[4] == ("create", "site", "new", {"region": "r9", "tags": []})
    assert target.journal[5] == ("create", "device", "new__n2", {"role": "x", "slots": None})


def test_sync_to_is_sync_from_of_the_other_adapter(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = source.sync_to(target)
    assert target.operations() == OPERATIONS
    assert diff.summary()["create"] == 3


def test_a_sync_returns_the_diff_that_it_applied(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    expected = target.diff_from(source)
    done = target.sync_from(source)
    assert (done.str(), done.dict(), done.summary()) == (expected.str(), expected.dict(), expected.summary())


def test_a_sync_returns_the_given_diff(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source)
    assert target.sync_from(source, diff=diff) is diff
    assert target.operations() == OPERATIONS


def test_a_given_diff_is_not_computed_again(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {})
    diff = target.diff_from(source)
    source.add(Site(name="later"))
    target.sync_from(source, diff=diff)
    assert target.operations() == ["create a"]


def test_a_given_diff_applies_its_own_values(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("seen", {})}, {"a": ("old", {})})
    diff = target.diff_from(source)
    source.get(Site, "a").region = "later"
    target.sync_from(source, diff=diff)
    assert target.get(Site, "a").region == "seen"


def test_a_sync_of_equal_adapters_does_nothing(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, SOURCE)
    target.sync_from(source)
    assert target.journal == []


def test_a_second_sync_does_nothing(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    target.journal.clear()
    target.sync_from(source)
    assert target.journal == []


def test_only_attributes_are_synced(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("q", {})})
    source.get(Site, "a").note = 99
    target.sync_from(source)
    assert (target.get(Site, "a").region, target.get(Site, "a").note) == ("r", 4)


def test_created_children_are_listed_by_their_parents(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    assert target.get(Site, "new").devices == ["new__n2", "new__n1"]
    assert target.get(Site, "z").devices == ["z__d1", "z__d2"]
    assert target.get(Site, "a").devices == ["a__e"]


def test_created_objects_belong_to_the_target(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    assert target.get(Site, "new").adapter is target
    assert target.get(Site, "new") is not source.get(Site, "new")


def test_created_objects_come_last_in_the_target(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source)
    assert [site.name for site in target.get_all(Site)] == ["a", "z", "new"]


def test_source_and_target_share_no_values(adapters: Adapters) -> None:
    source, target = adapters.pair({"new": ("r", {}), "old": ("r", {})}, {"old": ("r", {})})
    source.get(Site, "new").tags.append("x")
    source.get(Site, "old").tags.append("x")
    kept = [source.get(Site, "new"), source.get(Site, "old")]
    target.sync_from(source)
    for name in ("new", "old"):
        target.get(Site, name).tags.append("y")
    assert [site.tags for site in kept] == [["x"], ["x"]]


def test_live_objects_of_the_target_are_updated(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    site = target.get(Site, "z")
    target.sync_from(source)
    assert site.region == "r1"
    assert site is target.get(Site, "z")


def test_the_status_of_an_updated_object_is_kept(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    site = target.get(Site, "z")
    target.sync_from(source)
    assert site.get_status() == (DiffSyncStatus.SUCCESS, "Updated successfully")


def test_objects_three_levels_down_are_synced(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "x"})})
    for adapter, name in ((source, "new"), (target, "old")):
        interface = Interface(device="d", name=name)
        adapter.add(interface)
        adapter.get(Device, "a__d").add_child(interface)
    target.sync_from(source)
    assert target.operations() == ["create d__new", "delete d__old"]
    assert target.get(Device, "a__d").interfaces == ["d__new"]
    assert target.count() == 3


def test_a_move_to_a_later_parent_is_a_delete_and_a_create(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})})
    for adapter, parent in ((source, "b"), (target, "a")):
        device = Device(site="moved", name="d")
        adapter.add(device)
        adapter.get(Site, parent).add_child(device)
    target.sync_from(source)
    assert target.operations() == ["delete moved__d", "create moved__d"]
    assert (target.get(Site, "a").devices, target.get(Site, "b").devices) == ([], ["moved__d"])


def test_a_child_model_that_is_top_level_too_fails_the_second_time(adapters: Adapters) -> None:
    class Twice(Inventory):
        top_level = ["site", "device"]

    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {}, Twice, Twice)
    with pytest.raises(ObjectNotCreated):
        target.sync_from(source)
    assert target.operations() == ["create a", "create a__d"]


def test_a_deleted_child_whose_model_is_top_level_too_fails_the_second_time(adapters: Adapters) -> None:
    class Twice(Inventory):
        top_level = ["site", "device"]

    source, target = adapters.pair({}, {"a": ("r", {"d": "x"})}, Twice, Twice)
    with pytest.raises(ObjectNotDeleted):
        target.sync_from(source)
    assert target.operations() == ["delete a", "delete a__d"]


def test_children_that_were_deleted_with_their_parent_are_not_deleted_again(adapters: Adapters) -> None:
    class Twice(Inventory):
        top_level = ["site", "device"]

    source, target = adapters.pair({}, {"a": ("r", {"d": "x"})}, Twice, Twice)
    target.get(Site, "a").model_flags = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
    with pytest.raises(ObjectNotDeleted):
        target.sync_from(source)
    assert target.operations() == ["delete a"]


def test_an_operation_sees_the_effects_of_earlier_ones_in_the_store(adapters: Adapters) -> None:
    class Sweeping(Site):
        def delete(self) -> Self | None:
            for site in self.adapter.get_all(Site):
                if site is not self:
                    self.adapter.remove(site)
            return super().delete()

    class Sweeper(Inventory):
        site = Sweeping

    source, target = adapters.pair({}, {"a": ("r", {}), "b": ("r", {})}, target_class=Sweeper)
    with pytest.raises(ObjectNotDeleted):
        target.sync_from(source)
    assert target.operations() == ["delete a"]


def test_source_and_target_may_have_their_own_classes(adapters: Adapters) -> None:
    class TheirSite(DiffSyncModel):
        _modelname = "site"
        _identifiers = ("name",)
        _attributes = ("region",)
        name: str
        region: str | None = None

    class Theirs(Adapter):
        site = TheirSite
        top_level = ["site"]

    source, target = adapters.make(Theirs), adapters.filled(Inventory, {"a": ("old", {})})
    source.add(TheirSite(name="a", region="r"))
    source.add(TheirSite(name="b", region="r"))
    target.sync_from(source)
    assert {site.name: site.region for site in target.get_all(Site)} == {"a": "r", "b": "r"}


def test_a_model_that_the_target_lacks_cannot_be_created(adapters: Adapters) -> None:
    class Bare(Adapter):
        pass

    source, target = adapters.filled(Inventory, {"a": ("r", {})}), adapters.make(Bare)
    target.top_level = ["site"]  # type: ignore[misc]  # a hidden contract of diffsync
    assert target.diff_from(source).summary()["create"] == 1
    with pytest.raises(AttributeError, match="site"):
        target.sync_from(source)


def test_a_sync_follows_a_top_level_overridden_per_instance(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {})
    source.top_level = target.top_level = ["device"]  # type: ignore[misc]
    target.sync_from(source)
    assert target.operations() == ["create a__d"]


# Order


def test_a_diff_class_decides_the_order_of_objects(adapters: Adapters) -> None:
    class ByName(Diff):
        @classmethod
        def order_children_site(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
            yield from (children[name] for name in sorted(children))

        @classmethod
        def order_children_device(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
            yield from (children[name] for name in sorted(children, reverse=True))

    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source, diff_class=ByName)
    assert target.operations() == [
        "delete a__old", "delete gone", "delete gone__g2", "delete gone__g1", "create new", "create new__n2",
        "create new__n1", "update z", "delete z__d3", "update z__d2",
    ]  # fmt: skip


def test_a_diff_class_may_leave_out_elements(adapters: Adapters) -> None:
    class NoDevices(Diff):
        @classmethod
        def order_children_device(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
            yield from list(children.values())[:0]

    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source, diff_class=NoDevices)
    assert target.operations() == ["update z", "create new", "delete gone"]


def test_a_diff_class_decides_the_order_of_everything(adapters: Adapters) -> None:
    class DeletesFirst(Diff):
        def get_children(self) -> Iterator[DiffElement]:
            yield from sorted(super().get_children(), key=lambda element: element.action != "delete")

    source, target = adapters.pair(SOURCE, TARGET)
    target.sync_from(source, diff_class=DeletesFirst)
    assert target.operations() == [
        "delete gone", "delete gone__g2", "delete gone__g1", "update z", "delete z__d3", "update z__d2",
        "delete a__old", "create new", "create new__n2", "create new__n1",
    ]  # fmt: skip


def test_a_diff_class_decides_the_order_of_models(adapters: Adapters) -> None:
    class Flat(Inventory):
        top_level = ["site", "interface"]

    class InterfacesFirst(Diff):
        def get_children(self) -> Iterator[DiffElement]:
            for model in sorted(self.groups()):
                yield from self.order_children_default(self.children[model])

    source, target = adapters.make(Flat), adapters.make(Flat)
    source.add(Site(name="a"))
    source.add(Interface(device="d", name="e"))
    target.sync_from(source, diff_class=InterfacesFirst)
    assert target.operations() == ["create d__e", "create a"]


class Host(Journaled):
    _modelname = "host"
    _identifiers = ("name",)
    _attributes = ("role",)
    _children = {"port": "ports", "address": "addresses", "note": "notes"}
    name: str
    role: str = ""
    ports: list[str] = []
    addresses: list[str] = []
    notes: list[str] = []


class Port(Journaled):
    _modelname = "port"
    _identifiers = ("name",)
    _children = {"address": "addresses", "note": "notes"}
    name: str
    addresses: list[str] = []
    notes: list[str] = []


class Address(Journaled):
    _modelname = "address"
    _identifiers = ("name",)
    name: str


class Note(Journaled):
    _modelname = "note"
    _identifiers = ("name",)
    name: str


class OtherHost(Host):
    _children = {"note": "notes", "address": "addresses", "port": "ports"}


class Network(Inventory):
    host, port, address, note = Host, Port, Address, Note
    top_level = ["host"]


class OtherNetwork(Network):
    host = OtherHost


MIXED = {"n": ["note"], "a": ["address"], "pa": ["port", "address"], "pan": ["port", "address", "note"]}
"""Hosts that differ in their first child model."""


def network(adapters: Adapters, adapter_class: type[Network], name: str, hosts: dict[str, list[str]]) -> Network:
    adapter = adapters.make(adapter_class, name)
    for host_name, models in hosts.items():
        host = adapter.host(name=host_name)
        adapter.add(host)
        for model in reversed(models):
            child = getattr(adapter, model)(name=f"{host_name}.{model}.{name}")
            adapter.add(child)
            host.add_child(child)
            for below in ("note", "address") if model == "port" else ():
                obj = getattr(adapter, below)(name=f"{child.name}.{below}")
                adapter.add(obj)
                child.add_child(obj)
    return adapter


def kinds(target: Network) -> dict[str, str]:
    """Return the child models of each host in the order of the operations, with those below a port in brackets."""
    found: dict[str, str] = {}
    for _, model, uid, _ in target.journal:
        host, *below = uid.split(".")
        found[host] = found.get(host, "") + {1: "", 3: model[0], 4: f"({model[0]})"}[1 + len(below)]
    return found


def test_children_are_created_in_the_order_of_the_class_below_every_parent(adapters: Adapters) -> None:
    source, target = network(adapters, Network, "S", MIXED), network(adapters, OtherNetwork, "T", {})
    target.sync_from(source)
    assert kinds(target) == {"n": "n", "a": "a", "pa": "p(a)(n)a", "pan": "p(a)(n)an"}


def test_children_are_deleted_in_the_order_of_the_targets_class_below_every_parent(adapters: Adapters) -> None:
    source, target = network(adapters, Network, "S", {}), network(adapters, OtherNetwork, "T", MIXED)
    target.sync_from(source)
    assert kinds(target) == {"n": "n", "a": "a", "pa": "ap(a)(n)", "pan": "nap(a)(n)"}


def test_below_a_parent_of_both_sides_the_order_of_the_sources_class_counts(adapters: Adapters) -> None:
    source, target = network(adapters, OtherNetwork, "S", MIXED), network(adapters, Network, "T", MIXED)
    diff = target.sync_from(source)
    assert kinds(target) == {"n": "nn", "a": "aa", "pa": "aap(a)(n)p(a)(n)", "pan": "nnaap(a)(n)p(a)(n)"}
    assert list(diff.dict()["host"]["pan"]) == ["-", "+", "note", "address", "port"]


# A diff that no longer fits the target


def test_the_create_of_an_existing_object_fails(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {})})
    diff = target.diff_from(source)
    target.add(Device(site="a", name="d"))
    with pytest.raises(ObjectNotCreated, match="'d'"):
        target.sync_from(source, diff=diff)
    assert target.journal == []


def test_the_update_of_a_missing_object_fails(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "y"})})
    diff = target.diff_from(source)
    target.remove(target.get(Device, "a__d"))
    with pytest.raises(ObjectNotUpdated, match="'d'"):
        target.sync_from(source, diff=diff)


def test_the_delete_of_a_missing_object_fails(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("r", {"d": "y"})})
    diff = target.diff_from(source)
    target.remove(target.get(Device, "a__d"))
    with pytest.raises(ObjectNotDeleted, match="'d'"):
        target.sync_from(source, diff=diff)


def test_continue_on_failure_skips_operations_of_a_stale_diff(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.diff_from(source)
    target.remove(target.get(Device, "z__d2"))
    target.get(Site, "z").remove_child(Device(site="z", name="d2"))
    target.sync_from(source, diff=diff, flags=CONTINUE)
    assert target.operations() == [each for each in OPERATIONS if each != "update z__d2"]


# Refusals


class Refusing(Device):
    """Refuses the operations in its name."""

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        if "refuse" in ids["name"]:
            raise ObjectNotCreated("no create")
        return None if "none" in ids["name"] else super().create(adapter, ids, attrs)

    def update(self, attrs: Data) -> Self | None:
        if "refuse" in self.name:
            raise ObjectNotUpdated("no update")
        return None if "none" in self.name else super().update(attrs)

    def delete(self) -> Self | None:
        if "refuse" in self.name:
            raise ObjectNotDeleted("no delete")
        return None if "none" in self.name else super().delete()


class Refuser(Inventory):
    device = Refusing


@pytest.mark.parametrize(
    ("source_devices", "target_devices", "error"),
    [
        ({"refuse": "x"}, {}, ObjectNotCreated),
        ({"refuse": "x"}, {"refuse": "y"}, ObjectNotUpdated),
        ({}, {"refuse": "y"}, ObjectNotDeleted),
    ],
    ids=["create", "update", "delete"],
)
def test_a_refusal_ends_the_sync(
    adapters: Adapters, source_devices: dict[str, str], target_devices: dict[str, str], error: type[Exception]
) -> None:
    source, target = adapters.pair(
        {"a": ("r", source_devices), "later": ("r", {})}, {"a": ("r", target_devices)}, target_class=Refuser
    )
    with pytest.raises(error, match="no "):
        target.sync_from(source)
    assert "create later" not in target.operations()
    assert target.completions == []
    assert issubclass(error, ObjectCrudException)


def test_operations_before_a_refusal_stay_applied(adapters: Adapters) -> None:
    source, target = adapters.pair({"first": ("r", {"ok": "x", "refuse": "x", "later": "x"})}, {}, target_class=Refuser)
    with pytest.raises(ObjectNotCreated):
        target.sync_from(source)
    assert target.get(Site, "first").devices == ["first__ok"]
    assert [device.name for device in target.get_all(Device)] == ["ok"]


@pytest.mark.parametrize("kind", ["refuse", "none"])
def test_continue_on_failure_applies_all_other_operations(adapters: Adapters, kind: str) -> None:
    wanted = {"ok": "x", f"{kind}-create": "x", f"{kind}-update": "x", "last": "x"}
    there = {f"{kind}-update": "y", f"{kind}-delete": "y", "old": "y"}
    source, target = adapters.pair({"a": ("r", wanted)}, {"a": ("r", there)}, target_class=Refuser)
    target.sync_from(source, flags=CONTINUE)
    assert target.operations() == ["create a__ok", "create a__last", "delete a__old"]
    assert target.get(Site, "a").devices == [f"a__{kind}-update", f"a__{kind}-delete", "a__ok", "a__last"]
    assert target.get(Device, f"a__{kind}-update").role == "y"
    assert target.diff_from(source).summary() == {"create": 1, "update": 1, "delete": 1, "no-change": 3, "skip": 0}


def test_an_operation_that_returns_none_does_not_end_the_sync(adapters: Adapters) -> None:
    wanted, there = {"none-new": "x", "none-old": "x"}, {"none-old": "y", "none-gone": "y"}
    source, target = adapters.pair({"a": ("r", wanted)}, {"a": ("r", there)}, target_class=Refuser)
    target.sync_from(source)
    assert target.operations() == []
    assert len(target.completions) == 1


@pytest.mark.parametrize("flags", [DiffSyncFlags.NONE, CONTINUE], ids=str)
def test_descendants_of_a_skipped_object_are_not_changed(adapters: Adapters, flags: DiffSyncFlags) -> None:
    class Idle(Site):
        @classmethod
        @override
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            return None

        def update(self, attrs: Data) -> Self | None:
            return None

        def delete(self) -> Self | None:
            return None

    class Idler(Inventory):
        site = Idle

    source, target = adapters.pair(SOURCE, TARGET, target_class=Idler)
    before = target.dict()
    target.sync_from(source, flags=flags)
    assert target.operations() == ["delete a__old"]
    del before["device"]["a__old"]
    before["site"]["a"]["devices"] = ["a__e"]
    assert target.dict() == before


def test_descendants_of_a_refused_object_are_not_changed(adapters: Adapters) -> None:
    class Stubborn(Site):
        @classmethod
        @override
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            raise ObjectNotCreated("no")

        def update(self, attrs: Data) -> Self | None:
            raise ObjectNotUpdated("no")

        def delete(self) -> Self | None:
            raise ObjectNotDeleted("no")

    class Refusal(Inventory):
        site = Stubborn

    source, target = adapters.pair(SOURCE, TARGET, target_class=Refusal)
    target.sync_from(source, flags=CONTINUE)
    assert target.operations() == ["delete a__old"]


def test_create_may_return_another_object_than_the_base_class(adapters: Adapters) -> None:
    class Corrected(Site):
        @classmethod
        @override
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            return cls(**ids, region=str(attrs["region"]).upper())

    class Corrector(Inventory):
        site = Corrected

    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {}, target_class=Corrector)
    target.sync_from(source)
    assert target.get(Site, "a").region == "R"
    assert target.get(Site, "a").adapter is target
    assert target.get(Site, "a").devices == ["a__d"]


def test_update_may_change_more_than_the_diff(adapters: Adapters) -> None:
    class Counting(Site):
        def update(self, attrs: Data) -> Self | None:
            self.note += 1
            return super().update(attrs)

    class Counter(Inventory):
        site = Counting

    source, target = adapters.pair({"a": ("r", {})}, {"a": ("q", {})}, target_class=Counter)
    target.sync_from(source)
    assert (target.get(Site, "a").note, target.get(Site, "a").region) == (5, "r")


def test_an_operation_may_use_the_adapter(adapters: Adapters) -> None:
    class Asking(Device):
        @classmethod
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            region = adapter.get(Site, ids["site"]).region
            return super().create(adapter, ids, {**attrs, "role": region})

        def delete(self) -> Self | None:
            assert self.adapter.get(Device, self.get_unique_id()) is self
            return super().delete()

    class Asker(Inventory):
        device = Asking

    source, target = adapters.pair({"a": ("r", {"new": "x"})}, {"a": ("r", {"old": "x"})}, target_class=Asker)
    target.sync_from(source)
    assert [(device.name, device.role) for device in target.get_all(Device)] == [("new", "r")]


# Afterwards


def test_sync_complete_gets_source_diff_flags_and_logger(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    diff = target.sync_from(source, flags=CONTINUE)
    [(by, of, flags, logger)] = target.completions
    assert (by is source, of is diff, flags) == (True, True, CONTINUE)
    logger.info("usable")
    assert source.completions == []


def test_sync_complete_is_called_on_the_target_of_sync_to(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, TARGET)
    source.sync_to(target)
    assert len(target.completions) == 1
    assert target.completions[0][0] is source


def test_sync_complete_is_not_called_without_operations(adapters: Adapters) -> None:
    source, target = adapters.pair(SOURCE, SOURCE)
    target.sync_from(source)
    target.sync_from(source, flags=DiffSyncFlags.LOG_UNCHANGED_RECORDS)
    assert target.completions == []


def test_sync_complete_is_called_when_everything_was_refused(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"refuse": "x"})}, {"a": ("r", {})}, target_class=Refuser)
    target.sync_from(source, flags=CONTINUE)
    assert len(target.completions) == 1


def test_sync_complete_may_change_the_target(adapters: Adapters) -> None:
    class Tidy(Inventory):
        def sync_complete(self, *args: Any, **kwargs: Any) -> None:
            self.get(Site, "new").note = 77

    source, target = adapters.pair(SOURCE, TARGET, target_class=Tidy)
    target.sync_from(source)
    assert target.get(Site, "new").note == 77


@pytest.mark.slow
def test_the_default_sync_complete_does_nothing(adapters: Adapters) -> None:
    class Plain(Adapter):
        interface = Interface
        top_level = ["interface"]
        journal: list[Any] = []

    source, target = adapters.make(Plain), adapters.make(Plain)
    source.add(Interface(device="d", name="e"))
    target.sync_from(source)
    assert target.count() == 1


# Progress


def calls_of(
    adapters: Adapters, source: Sites, target: Sites, *, given: bool = False
) -> tuple[list[tuple[str, int, int]], int]:
    calls: list[tuple[str, int, int]] = []
    left, right = adapters.pair(source, target)
    objects = len(left) + len(right)
    diff = right.diff_from(left) if given else None
    right.sync_from(left, diff=diff, callback=lambda *call: calls.append(call))
    return calls, objects


def test_the_callback_of_a_sync_is_called_for_the_diff_first(adapters: Adapters) -> None:
    calls, objects = calls_of(adapters, SOURCE, TARGET)
    stages = [stage for stage, _, _ in calls]
    assert stages == sorted(stages)
    assert set(stages) == {"diff", "sync"}
    assert [call for call in calls if call[0] == "diff"][-1] == ("diff", objects, objects)


def test_the_callback_of_a_sync_of_a_given_diff_is_called_for_the_sync_only(adapters: Adapters) -> None:
    calls, _ = calls_of(adapters, SOURCE, TARGET, given=True)
    assert {stage for stage, _, _ in calls} == {"sync"}


def test_the_callback_of_a_sync_rises_to_its_total(adapters: Adapters) -> None:
    calls, _ = calls_of(adapters, {"a": ("r", {"d": "x"}), "b": ("r", {})}, {"c": ("r", {"e": "x"})})
    assert [call for call in calls if call[0] == "sync"] == [("sync", number, 5) for number in range(1, 6)]


def test_sync_to_calls_the_callback_too(adapters: Adapters) -> None:
    calls: list[tuple[str, int, int]] = []
    source, target = adapters.pair({"a": ("r", {})}, {})
    source.sync_to(target, callback=lambda *call: calls.append(call))
    assert calls == [("diff", 1, 1), ("sync", 1, 1)]


# Objects and store of the target


def test_an_object_has_no_new_status_during_its_operation(adapters: Adapters) -> None:
    seen = []

    class Looking(Device):
        def update(self, attrs: Data) -> Self | None:
            seen.append(self.get_status())
            raise ObjectNotUpdated("no")

    class Looker(Inventory):
        device = Looking

    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("r", {"d": "y"})}, Looker)
    device = target.get(Device, "a__d")
    target.sync_from(source, flags=CONTINUE)
    assert [*seen, device.get_status()] == [(DiffSyncStatus.UNKNOWN, "")] * 2


def test_operations_are_called_by_keyword(adapters: Adapters) -> None:
    class Strict(Site):
        @classmethod
        def create(cls, *, adapter: Any, ids: Data, attrs: Data) -> Self | None:  # type: ignore[override]
            return super().create(adapter, ids, attrs)

        def update(self, *, attrs: Data) -> Self | None:  # type: ignore[override]
            return super().update(attrs)

    class Strictly(Inventory):
        site = Strict

    source, target = adapters.pair({"new": ("r", {}), "old": ("r", {})}, {"old": ("q", {})}, Strictly)
    target.sync_from(source)
    assert target.operations() == ["create new", "update old"]


@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_refusal_of_the_store_ends_the_sync_after_the_operation_was_applied(adapters: Adapters, action: str) -> None:
    """The parent already lists the new child, or no longer lists the deleted one."""
    sites: Sites = {"a": ("r", {"d": "x"})}
    source, target = adapters.pair(
        sites if action == "create" else {"a": ("r", {})}, {"a": ("r", {})} if action == "create" else sites
    )
    diff = target.diff_from(source)
    site = target.get(Site, "a")
    if action == "create":
        site.devices.append("a__d")
    else:
        site.devices.clear()
    with capture_logs() as events, pytest.raises(ObjectStoreException):
        target.sync_from(source, diff=diff)
    assert target.operations() == [f"{action} a__d"]
    assert (events[-1]["action"], events[-1]["status"], events[-1]["log_level"]) == (action, "success", "info")
    assert target.count(Device) == (0 if action == "create" else 1)


def test_missing_children_are_logged_when_they_are_deleted_with_their_parent(adapters: Adapters) -> None:
    source, target = adapters.pair({}, {"a": ("r", {"d": "x", "e": "x"})})
    site = target.get(Site, "a")
    site.model_flags = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
    diff = target.diff_from(source)
    target.remove(target.get(Device, "a__d"))
    with capture_logs() as events:
        target.sync_from(source, diff=diff)
    errors = [event for event in events if event["log_level"] == "error"]
    assert [(event["event"], event["child_type"], event["child_id"]) for event in errors] == [
        ("Unable to remove child element as it was not found!", "device", "a__d")
    ]
    assert (errors[0]["parent_type"], errors[0]["parent_id"], target.count()) == ("site", "a", 0)
