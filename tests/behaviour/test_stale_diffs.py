"""Diffs that are applied to a target which has changed since they were made."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.behaviour.api import (
    DiffSyncFlags,
    ObjectAlreadyExists,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotFound,
    ObjectNotUpdated,
)
from tests.behaviour.inventory import Adapters, Device, Inventory, Site, Sites

CONTINUE = DiffSyncFlags.CONTINUE_ON_FAILURE

CHANGES: dict[str, tuple[Sites, Sites]] = {
    "create": ({"a": ("r", {"d": "new"}), "b": ("new", {})}, {"a": ("r", {}), "b": ("old", {})}),
    "update": ({"a": ("r", {"d": "new"}), "b": ("new", {})}, {"a": ("r", {"d": "old"}), "b": ("old", {})}),
    "delete": ({"a": ("r", {}), "b": ("new", {})}, {"a": ("r", {"d": "old"}), "b": ("old", {})}),
}
"""Changes below `a`, which itself is unchanged; `b` comes after it."""


@pytest.mark.parametrize("flags", [DiffSyncFlags.NONE, CONTINUE], ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_applied_below_a_missing_unchanged_object(
    adapters: Adapters, change: str, flags: DiffSyncFlags
) -> None:
    source, target = adapters.pair(*CHANGES[change])
    diff = target.diff_from(source)
    target.remove(target.get(Site, "a"))
    before = [device.dict() for device in target.get_all(Device)]
    target.sync_from(source, flags=flags, diff=diff)
    assert target.operations() == ["update b"]
    assert [device.dict() for device in target.get_all(Device)] == before


def test_a_change_below_a_missing_unchanged_object_is_logged_as_a_warning(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["create"])
    diff = target.diff_from(source)
    target.remove(target.get(Site, "a"))
    with capture_logs() as events:
        target.sync_from(source, diff=diff)
    assert [(event["event"], event["unique_id"]) for event in events if event["log_level"] == "warning"] == [
        ("No object resulted from sync, will not process child objects.", "a")
    ]


@pytest.mark.parametrize(
    ("change", "error"),
    [("create", ObjectNotCreated), ("update", ObjectNotUpdated), ("delete", ObjectNotDeleted)],
)
def test_an_operation_that_was_already_made_by_others_fails_and_is_not_repeated(
    adapters: Adapters, change: str, error: type[Exception]
) -> None:
    source, target = adapters.pair(*CHANGES[change])
    diff = target.diff_from(source)
    if change == "create":
        target.add(Device(site="a", name="d", role="theirs"))
    else:
        target.remove(target.get(Device, "a__d"))
    before = [device.dict() for device in target.get_all(Device)]
    with pytest.raises(error, match="'d'"):
        target.sync_from(source, diff=diff)
    assert target.journal == []
    target.sync_from(source, diff=diff, flags=CONTINUE)
    assert target.operations() == ["update b"]
    assert [device.dict() for device in target.get_all(Device)] == before


def test_a_diff_that_is_applied_twice_fails_at_the_first_existing_object(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["create"])
    diff = target.diff_from(source)
    target.sync_from(source, diff=diff)
    target.journal.clear()
    with pytest.raises(ObjectNotCreated, match="'d'"):
        target.sync_from(source, diff=diff)
    assert target.journal == []


def test_an_object_that_has_changed_gets_only_the_attributes_of_the_diff(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("new", {})}, {"a": ("old", {})})
    diff = target.diff_from(source)
    target.get(Site, "a").tags.append("theirs")
    target.sync_from(source, diff=diff)
    assert (target.get(Site, "a").region, target.get(Site, "a").tags) == ("new", ["theirs"])


def test_a_child_that_its_parent_already_lists_cannot_be_listed_again(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["create"])
    diff = target.diff_from(source)
    target.get(Site, "a").devices.append("a__d")
    with pytest.raises(ObjectAlreadyExists):
        target.sync_from(source, diff=diff)
    assert target.get(Site, "a").devices == ["a__d"]


def test_a_child_that_its_parent_no_longer_lists_cannot_be_removed_from_the_list(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["delete"])
    diff = target.diff_from(source)
    target.get(Site, "a").devices.clear()
    with pytest.raises(ObjectNotFound, match="a__d"):
        target.sync_from(source, diff=diff)
    assert target.get(Site, "a").devices == []


def test_the_source_may_be_empty_by_the_time_its_diff_is_applied(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["update"])
    diff = target.diff_from(source)
    for site in source.get_all(Site):
        source.remove(site, remove_children=True)
    target.sync_from(source, diff=diff)
    assert target.operations() == ["update a__d", "update b"]
    assert target.get(Device, "a__d").role == "new"


def test_a_diff_may_be_applied_by_another_adapter_of_the_same_system(adapters: Adapters) -> None:
    source, target = adapters.pair(*CHANGES["update"])
    diff = target.diff_from(source)
    other = adapters.filled(Inventory, CHANGES["update"][1], "O")
    other.sync_from(source, diff=diff)
    assert other.operations() == ["update a__d", "update b"]
    assert target.journal == []
