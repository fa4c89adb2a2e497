"""A diff that a program has made itself is applied without an adapter's `sync_from`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.behaviour.api import IS_REFERENCE, Diff, DiffElement, DiffSyncFlags
from tests.behaviour.inventory import Adapters, Inventory

helpers: Any = import_module("diffsync.helpers" if IS_REFERENCE else "diffsync_store.helpers")


def test_a_comparison_is_that_of_diff_from(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"b": ("r", {})})
    differ = helpers.DiffSyncDiffer(
        src_diffsync=source, dst_diffsync=target, flags=DiffSyncFlags.NONE, diff_class=Diff, callback=None
    )
    assert differ.calculate_diffs().dict() == target.diff_from(source).dict()


def test_a_diff_made_by_hand_is_applied(adapters: Adapters) -> None:
    source, target = adapters.make(Inventory, "S"), adapters.filled(Inventory, {"old": ("r", {})}, "T")
    diff, calls = Diff(), []
    for name, attrs in (("new", {"source": {"region": "r"}}), ("old", {"dest": {"region": "r"}})):
        element = DiffElement(obj_type="site", name=name, keys={"name": name}, source_name="S", dest_name="T")
        element.add_attrs(**attrs)
        diff.add(element)
    syncer = helpers.DiffSyncSyncer(
        diff=diff,
        src_diffsync=source,
        dst_diffsync=target,
        flags=DiffSyncFlags.NONE,
        callback=lambda *call: calls.append(call),
    )
    assert syncer.perform_sync() is True
    assert (target.operations(), calls[-1]) == (["create new", "delete old"], ("sync", 2, 2))
    assert target.completions == []
    assert helpers.DiffSyncSyncer(Diff(), source, target, DiffSyncFlags.NONE).perform_sync() is False
