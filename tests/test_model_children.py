"""Lists of children: the effect and the cost of `add_child` and `remove_child`."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import Adapter, DiffSyncModel, ObjectAlreadyExists, ObjectNotFound, ObjectStoreWrongType
from diffsync_store._child_index import ChildIndex


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)

    name: str


class Rack(DiffSyncModel):
    _modelname = "rack"
    _identifiers = ("name",)

    name: str


class Cable(DiffSyncModel):
    _modelname = "cable"
    _identifiers = ("name",)

    name: str


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _children = {"device": "devices", "rack": "racks"}

    name: str
    devices: list[str] = []
    racks: list[str] = []


def device(number: int) -> Device:
    return Device(name=str(number))


def site(*names: str) -> Site:
    return Site(name="s", devices=list(names))


def test_children_are_listed_in_the_order_in_which_they_were_added() -> None:
    parent = site()
    for number in (3, 1, 2):
        parent.add_child(device(number))
    assert parent.devices == ["3", "1", "2"]


def test_each_child_model_has_its_own_list() -> None:
    parent = site()
    parent.add_child(device(1))
    parent.add_child(Rack(name="1"))
    assert (parent.devices, parent.racks) == (["1"], ["1"])
    parent.remove_child(device(1))
    assert (parent.devices, parent.racks) == ([], ["1"])


def test_two_parents_do_not_share_a_list() -> None:
    first, second = site(), site()
    first.add_child(device(1))
    assert (first.devices, second.devices) == (["1"], [])


def test_a_child_that_is_already_listed_is_refused() -> None:
    parent, child = site("1"), device(1)
    with pytest.raises(ObjectAlreadyExists, match="device 1 is already a child of site") as raised:
        parent.add_child(child)
    assert raised.value.existing_object is child
    assert parent.devices == ["1"]


def test_a_child_that_is_not_listed_cannot_be_removed() -> None:
    parent = site("1")
    with pytest.raises(ObjectNotFound, match="2 is not a child of site"):
        parent.remove_child(device(2))
    parent.remove_child(device(1))
    with pytest.raises(ObjectNotFound):
        parent.remove_child(device(1))


def test_a_child_of_another_model_is_refused() -> None:
    parent = site()
    with pytest.raises(ObjectStoreWrongType, match="no children of type cable"):
        parent.add_child(Cable(name="1"))
    with pytest.raises(ObjectStoreWrongType, match="no children of type cable"):
        parent.remove_child(Cable(name="1"))


def test_direct_changes_of_a_list_are_seen() -> None:
    parent = site("1", "2", "3")
    parent.add_child(device(4))
    parent.devices.remove("2")
    parent.add_child(device(2))
    parent.devices.insert(0, "0")
    with pytest.raises(ObjectAlreadyExists):
        parent.add_child(device(0))
    parent.remove_child(device(3))
    assert parent.devices == ["0", "1", "4", "2"]


def test_a_replaced_list_is_seen() -> None:
    parent = site("1", "2")
    parent.add_child(device(3))
    parent.devices = ["7", "8", "9"]
    parent.add_child(device(1))
    parent.remove_child(device(8))
    with pytest.raises(ObjectNotFound):
        parent.remove_child(device(3))
    assert parent.devices == ["7", "9", "1"]


def test_a_list_replaced_in_place_with_equal_length_is_seen() -> None:
    parent = site("1", "2")
    parent.add_child(device(3))
    parent.devices[:] = ["7", "8", "9"]
    parent.remove_child(device(8))
    with pytest.raises(ObjectNotFound):
        parent.remove_child(device(3))
    parent.add_child(device(1))
    with pytest.raises(ObjectAlreadyExists):
        parent.add_child(device(7))
    assert parent.devices == ["7", "9", "1"]


def test_directly_exchanged_children_are_seen() -> None:
    parent = site("1", "2")
    parent.add_child(device(3))
    parent.devices.remove("2")
    parent.devices.append("4")
    with pytest.raises(ObjectAlreadyExists):
        parent.add_child(device(4))
    parent.add_child(device(2))
    assert parent.devices == ["1", "3", "4", "2"]


def test_a_directly_replaced_name_is_seen() -> None:
    parent = site("1", "2")
    parent.add_child(device(3))
    parent.devices[1] = "renamed"
    with pytest.raises(ObjectAlreadyExists):
        parent.add_child(Device(name="renamed"))
    parent.add_child(device(2))
    assert parent.devices == ["1", "renamed", "3", "2"]


def test_remove_child_finds_the_child_in_a_reordered_list() -> None:
    parent = site(*"abcdef")
    parent.remove_child(Device(name="a"))
    parent.devices.reverse()
    parent.remove_child(Device(name="c"))
    parent.devices.sort()
    parent.remove_child(Device(name="d"))
    assert parent.devices == ["b", "e", "f"]


def test_a_child_that_is_listed_twice_is_removed_once() -> None:
    parent = site("1", "2", "1")
    parent.remove_child(device(1))
    assert parent.devices == ["2", "1"]
    parent.remove_child(device(1))
    assert parent.devices == ["2"]


def test_a_copy_has_its_own_list() -> None:
    parent = site("1")
    parent.add_child(device(2))
    copy = parent.model_copy(deep=True)
    copy.add_child(device(3))
    parent.remove_child(device(1))
    assert (parent.devices, copy.devices) == (["2"], ["1", "2", "3"])


def test_a_shallow_copy_shares_the_list_as_any_pydantic_model_does() -> None:
    parent = site("1")
    parent.add_child(device(2))
    copy = parent.model_copy()
    copy.add_child(device(3))
    with pytest.raises(ObjectAlreadyExists):
        parent.add_child(device(3))
    parent.remove_child(device(2))
    assert parent.devices == copy.devices == ["1", "3"]


def test_children_may_be_added_before_the_parent_is_in_a_store() -> None:
    parent = site()
    parent.add_child(device(1))
    adapter = Adapter()
    adapter.add(parent)
    parent.add_child(device(2))
    assert adapter.get(Site, "s").devices == ["1", "2"]


Step = tuple[str, int]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 5), max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "append", "insert", "assign"]),
            st.integers(0, 5),
        ),
        max_size=40,
    ),
)
def test_a_list_of_children_behaves_like_a_plain_list(start: list[int], steps: list[Step]) -> None:
    expected = [str(number) for number in start]
    parent = site(*expected)
    for step, number in steps:
        take(parent, expected, step, number)
        assert parent.devices == expected


def take(parent: Site, expected: list[str], step: str, number: int) -> None:
    """Do the same to the list of a parent and to a plain list; use `add_child` and `remove_child` if possible."""
    name = str(number)
    if step == "add" and name in expected:
        with pytest.raises(ObjectAlreadyExists):
            parent.add_child(device(number))
    elif step == "add":
        parent.add_child(device(number))
        expected.append(name)
    elif step == "remove" and name not in expected:
        with pytest.raises(ObjectNotFound):
            parent.remove_child(device(number))
    elif step == "remove":
        parent.remove_child(device(number))
        expected.remove(name)
    elif step == "assign":
        expected[:] = [name, *expected[:number]]
        parent.devices = list(expected)
    else:  # by hand
        for names in (expected, parent.devices):
            names.insert(0 if step == "insert" else len(names), name)


def seconds(children: int) -> float:
    """Return the time to add this many children, and to remove them in another order."""
    parent = site()
    devices = [device(number) for number in range(children)]
    started = time.process_time()
    for child in devices:
        parent.add_child(child)
    for child in devices[1::2] + devices[-2::-2]:
        parent.remove_child(child)
    assert parent.devices == []
    return time.process_time() - started


def test_the_cost_of_a_child_hardly_grows_from_2000_to_20000_children() -> None:
    assert seconds(20_000) < 40 * max(seconds(2000), 0.01)


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_children_are_removed_from_a_long_list_without_a_search(order: str) -> None:
    names = [str(number) for number in range(3000)]
    children = list(names)
    index = ChildIndex(children)
    for name in names if order == "forward" else reversed(names):
        index.remove(name)
    assert children == []
    with pytest.raises(ValueError):  # noqa: PT011  # list.remove's own
        index.remove("1")
