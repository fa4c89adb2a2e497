"""A diff of a program is applied without `sync_from` of an adapter."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.behaviour.api import IS_REFERENCE, Diff, DiffElement, DiffSyncFlags
from tests.behaviour.inventory import Adapters, Inventory, Sites

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


class Merging(helpers.DiffSyncDiffer):  # type: ignore[misc]  # the library is chosen when the test is run
    """Treats a device that moved to another site as a changed device."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[tuple[str | None, str | None]] = []
        self.moved: set[str] = set()

    def diff_object_pair(self, src_obj: Any, dst_obj: Any) -> Any:
        self.seen.append((src_obj and src_obj.get_unique_id(), dst_obj and dst_obj.get_unique_id()))
        if dst_obj is None:
            dst_obj = self.dst_diffsync.get_or_none(src_obj.get_type(), src_obj.get_unique_id())
            if dst_obj is not None:
                self.moved.add(dst_obj.get_unique_id())
        elif src_obj is None and dst_obj.get_unique_id() in self.moved:
            return None
        return super().diff_object_pair(src_obj, dst_obj)


def _moved(adapters: Adapters) -> tuple[Inventory, Inventory]:
    """Return two sites with three devices; the second device is in the other site and has another role."""
    source, target = adapters.pair({"a": ("r", {}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})})
    for adapter, sites, role in ((source, "aba", "spine"), (target, "aaa", "leaf")):
        for name, site in zip("123", sites, strict=True):
            device = adapter.device(site="s", name=name, role=role if name == "2" else "leaf")
            adapter.add(device)
            adapter.get("site", site).add_child(device)
    return source, target


def test_an_extended_comparison_of_pairs_decides(adapters: Adapters) -> None:
    source, target = _moved(adapters)
    calls: list[Any] = []
    differ = Merging(source, target, DiffSyncFlags.NONE, callback=lambda *call: calls.append(call))
    diff = differ.calculate_diffs()
    sites = diff.dict()["site"]
    assert sites["a"]["device"] == {"2": {"-": {"role": "leaf", "slots": None}}}
    assert sites["b"]["device"] == {"2": {"+": {"role": "spine"}, "-": {"role": "leaf"}}}
    assert differ.seen == [("a", "a"), ("s__1", "s__1"), ("s__3", "s__3"), (None, "s__2"), ("b", "b"), ("s__2", None)]
    assert [call[1] for call in calls] == [2, 4, 6, 7, 9, 11]
    assert {key: diff.summary()[key] for key in ("create", "update", "delete", "no-change")} == {
        "create": 0,
        "update": 1,
        "delete": 1,
        "no-change": 4,
    }


def test_extended_steps_that_change_nothing_give_the_same_diff(adapters: Adapters) -> None:
    class Lists(helpers.DiffSyncDiffer):  # type: ignore[misc]
        lists: list[tuple[list[str], list[str]]] = []

        def diff_object_list(self, src: Any, dst: Any) -> Any:
            self.lists.append(([str(obj) for obj in src], [str(obj) for obj in dst]))
            return super().diff_object_list(src, dst)

    class Children(helpers.DiffSyncDiffer):  # type: ignore[misc]
        def diff_child_objects(self, diff_element: Any, src_obj: Any, dst_obj: Any) -> Any:
            return super().diff_child_objects(diff_element, src_obj, dst_obj)

    sites: Sites = {f"s{n}": ("r", {"x": "leaf", "y": "leaf"}) for n in range(60)}
    changed: Sites = {**sites, "s7": ("q", {"y": "spine", "z": "leaf"}), "new": ("r", {"x": "leaf"})}
    changed.pop("s9")
    source, target = adapters.pair(changed, sites)
    for flags in (DiffSyncFlags.NONE, DiffSyncFlags.SKIP_UNMATCHED_BOTH):
        expected = target.diff_from(source, flags=flags)
        for extended in (Lists, Children):
            diff = extended(source, target, flags).calculate_diffs()
            assert diff.dict() == expected.dict()
            assert diff.summary() == expected.summary()
    assert Lists.lists[0] == (list(changed), list(sites))


@pytest.mark.skipif(IS_REFERENCE, reason="diffsync calls them")
@pytest.mark.parametrize(
    ("base", "name"), [("DiffSyncDiffer", "incr_models_processed"), ("DiffSyncSyncer", "sync_model")]
)
def test_an_override_that_would_never_be_called_is_refused(base: str, name: str) -> None:
    with pytest.raises(TypeError, match=f"Own.{name} would never be called"):
        type("Own", (getattr(helpers, base),), {name: lambda _: None})
