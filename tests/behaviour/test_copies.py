"""Copies and pickles of objects, adapters and diffs; and stubs of adapters in the tests of a program."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from tests.behaviour.api import IS_REFERENCE, Adapter, Diff, DiffElement, DiffSyncModel, DiffSyncStatus
from tests.behaviour.inventory import Device, Inventory, Site, Sites

SITES: Sites = {"z": ("r1", {"d2": "leaf", "d1": "spine"}), "a": (None, {})}


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


deep = pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
every = pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled], ids=["copy", "deepcopy", "pickle"])
by_each = pytest.mark.parametrize(
    "duplicate",
    [
        *(copy.copy, copy.deepcopy, pickled),
        lambda obj: obj.model_copy(),
        lambda obj: obj.model_copy(deep=True),
        lambda obj: obj.copy(),
        lambda obj: obj.copy(deep=True),
        lambda obj: obj.copy(update={"region": obj.region}),
    ],
)
Duplicate = Callable[[Any], Any]


def inventory(name: str | None = None) -> Inventory:
    """Return an adapter in memory on every run, because a copy of an adapter includes its objects."""
    made = Inventory(name)
    made.fill(SITES)
    return made


@pytest.mark.filterwarnings("ignore:The `copy` method is deprecated")
@by_each
def test_a_copy_of_an_object_has_its_status(duplicate: Duplicate) -> None:
    site = Site(name="a", region="r")
    site.set_status(DiffSyncStatus.FAILURE, "why")
    found = duplicate(site)
    assert found.get_status() == (DiffSyncStatus.FAILURE, "why")
    assert (found.dict(), type(found), found is site) == (site.dict(), Site, False)
    found.set_status(DiffSyncStatus.SUCCESS)
    assert site.get_status() == (DiffSyncStatus.FAILURE, "why")


def test_a_new_object_and_its_copy_have_the_status_success() -> None:
    assert copy.copy(Site(name="a")).get_status() == (DiffSyncStatus.SUCCESS, "")


def test_the_status_has_the_names_that_programs_read() -> None:
    site: Any = Site(name="a")
    assert (site._status, site._status_message) == (DiffSyncStatus.SUCCESS, "")
    site.set_status(DiffSyncStatus.ERROR, "why")
    assert (site._status, site._status_message) == (DiffSyncStatus.ERROR, "why")
    site._status, site._status_message = DiffSyncStatus.FAILURE, "because"
    assert site.get_status() == (DiffSyncStatus.FAILURE, "because")


def test_a_shallow_copy_belongs_to_the_same_adapter_and_shares_the_values() -> None:
    adapter = inventory()
    site = adapter.get(Site, "z")
    found = copy.copy(site)
    assert found.adapter is adapter
    assert found.devices is site.devices
    found.region = "changed"
    assert site.region == "r1"
    assert adapter.get(Site, "z") is site


@deep
def test_a_deep_copy_of_an_adapter_is_independent(duplicate: Duplicate) -> None:
    adapter = inventory("one")
    found = duplicate(adapter)
    assert (type(found), found.name, found.type, found.dict()) == (Inventory, "one", "Inventory", adapter.dict())
    assert found.store is not adapter.store
    assert found.store.adapter is found
    assert {each.adapter for each in (*found.get_all(Site), *found.get_all(Device))} == {found}
    found.get(Site, "z").region = "changed"
    found.remove(found.get(Site, "a"))
    assert (adapter.get(Site, "z").region, adapter.count()) == ("r1", 4)
    assert found.diff_from(adapter).summary()["create"] == 1
    found.sync_from(adapter)
    assert found.dict() == adapter.dict() | {"site": {name: adapter.dict()["site"][name] for name in ("z", "a")}}


@deep
def test_a_deep_copy_of_an_object_has_a_copy_of_its_adapter(duplicate: Duplicate) -> None:
    adapter = inventory()
    site = adapter.get(Site, "z")
    found = duplicate(site)
    assert found.adapter is not adapter
    assert found.adapter.get(Site, "z") is found
    assert found.adapter.dict() == adapter.dict()


@deep
def test_objects_that_are_copied_together_keep_their_references(duplicate: Duplicate) -> None:
    adapter = inventory()
    found, site = duplicate((adapter, adapter.get(Site, "z")))
    assert found.get(Site, "z") is site


@every
def test_a_copied_diff_has_the_same_content_and_effect(duplicate: Duplicate) -> None:
    source, target = inventory(), Inventory()
    target.fill({"a": ("old", {}), "gone": ("r", {"d": "x"})})
    diff = target.diff_from(source)
    found = duplicate(diff)
    assert (found.dict(), found.str(), found.summary()) == (diff.dict(), diff.str(), diff.summary())
    target.sync_from(source, diff=found)
    assert not target.diff_from(source).has_diffs()


@every
def test_a_copied_element_equals_the_first(duplicate: Duplicate) -> None:
    source, target = inventory(), Inventory()
    for element in target.diff_from(source).get_children():
        assert duplicate(element) == element


@deep
def test_a_copied_subclass_of_diff_keeps_its_class(duplicate: Duplicate) -> None:
    source, target = inventory(), Inventory()
    found = duplicate(target.diff_from(source, diff_class=Ordered))
    assert isinstance(found, Ordered)
    assert all(isinstance(element.child_diff, Ordered) for element in found.get_children())


class Ordered(Diff):
    """A diff class of a program."""


# Elements


def test_elements_compare_by_model_and_name() -> None:
    first, same, second = (DiffElement("site", name, {"name": name}) for name in ("a", "a", "b"))
    assert first < second
    assert second > first
    assert first <= same
    assert first >= same
    assert not first < same
    assert first <= second
    assert second >= first
    assert sorted([second, first]) == [first, second]
    assert (first == same, first != second) == (True, True)


# Stubs of an adapter


class Vlan(DiffSyncModel):
    _modelname = "vlan"
    _identifiers = ("number",)
    _attributes = ("name",)
    _children = {"vlan": "below"}
    number: int
    name: str = ""
    below: list[str] = []

    def update(self, attrs: dict[str, Any]) -> Any:
        self.adapter.client.patch(self.number, attrs)
        return super().update(attrs)


class Client(Adapter):
    """A client of the system."""

    vlan = Vlan
    top_level = ["vlan"]
    client: Any = None


class Stub:
    """The part of an adapter that the code under test needs."""

    client = mock.MagicMock()


def stand_ins() -> list[Any]:
    specified = mock.MagicMock(spec=Client)
    specified.client = mock.MagicMock()
    return [specified] if IS_REFERENCE else [specified, mock.MagicMock(), Stub()]


@pytest.mark.parametrize("adapter", stand_ins(), ids=lambda adapter: type(adapter).__name__)
def test_a_model_can_be_tested_with_a_stub_of_its_adapter(adapter: Any) -> None:
    adapter.client.reset_mock()
    vlan = Vlan(number=1, name="old", adapter=adapter)
    assert vlan.update({"name": "new"}) is vlan
    vlan.name = "newer"
    vlan.add_child(Vlan(number=2))
    vlan.remove_child(Vlan(number=2))
    assert vlan.adapter is adapter
    assert adapter.client.mock_calls == [mock.call.patch(1, {"name": "new"})]
    made = Vlan.create(adapter=adapter, ids={"number": 3}, attrs={"name": "n"})
    assert made is not None
    assert made.adapter is adapter
    assert made.delete() is made
    assert vlan.str() == "vlan: 1: {'name': 'newer'}\n  below: []"
    assert adapter.client.mock_calls == [mock.call.patch(1, {"name": "new"})]


def test_a_model_calls_nothing_on_a_mock_of_its_adapter() -> None:
    adapter = mock.MagicMock(spec=Client)
    vlan = Vlan(number=1, adapter=adapter)
    vlan.name = "n"
    vlan.add_child(Vlan(number=2))
    del vlan
    assert adapter.mock_calls == []


@pytest.mark.parametrize("answer", ["text", None])
def test_children_from_a_mock_of_an_adapter_are_shown_as_text(answer: str | None) -> None:
    adapter = mock.MagicMock(spec=Client)
    adapter.__len__.return_value = 1
    if answer is not None:
        adapter.get.return_value.str.return_value = answer
    vlan = Vlan(number=1, name="n", adapter=adapter, below=["2"])
    assert str(answer or "MagicMock") in f"{vlan.str()}"
    assert vlan.str(include_children=False) == "vlan: 1: {'name': 'n'}\n  below: ['2']"
