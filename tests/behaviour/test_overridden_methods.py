"""A diff and a sync use the overridden methods of an adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import pytest

from tests.behaviour.api import Adapter, Diff, DiffSyncFlags, DiffSyncModel, ObjectNotDeleted, ObjectNotFound
from tests.behaviour.inventory import Adapters, Device, Inventory, Site, Sites

SOURCE: Sites = {"a": ("r", {"d": "x", "hidden": "x"}), "hidden": ("r", {"h": "x"})}
TARGET: Sites = {"b": ("r", {}), "hidden": ("q", {"old": "x"})}


class Filtered:
    """Hides all objects with the name hidden."""

    def get_all(self, obj: Any) -> list[Any]:
        return [found for found in super().get_all(obj) if found.name != "hidden"]  # type: ignore[misc]

    def get_by_uids(self, uids: list[str], obj: Any) -> list[Any]:
        found = super().get_by_uids(uids, obj)  # type: ignore[misc]
        return [child for child in found if child.name != "hidden"]


class FilteredInventory(Filtered, Inventory):
    pass


def patched(adapter: Inventory) -> Inventory:
    """Set the same methods on the object."""

    def get_all(self: Inventory, obj: Any) -> list[Any]:
        return [found for found in type(self).get_all(self, obj) if found.name != "hidden"]

    def get_by_uids(self: Inventory, uids: list[str], obj: Any) -> list[Any]:
        return [child for child in type(self).get_by_uids(self, uids, obj) if child.name != "hidden"]

    adapter.get_all = MethodType(get_all, adapter)  # type: ignore[method-assign]
    adapter.get_by_uids = MethodType(get_by_uids, adapter)  # type: ignore[method-assign]
    return adapter


Make = Callable[[Adapters, Sites, str], Inventory]


@pytest.fixture(params=["class", "object"])
def filtered(request: pytest.FixtureRequest, adapters: Adapters) -> Iterator[Make]:
    if request.param == "class":
        yield lambda adapters, sites, name: adapters.filled(FilteredInventory, sites, name)
        return
    yield lambda adapters, sites, name: patched(adapters.filled(Inventory, sites, name))
    for adapter in adapters.made:  # what the stores hold is looked at afterwards
        for name in ("get_all", "get_by_uids"):
            vars(adapter).pop(name, None)


def test_a_diff_has_only_visible_objects_of_the_source(adapters: Adapters, filtered: Make) -> None:
    source, target = filtered(adapters, SOURCE, "S"), adapters.filled(Inventory, {"b": ("r", {})}, "T")
    found = target.diff_from(source).dict()["site"]
    assert {name: list(below.get("device", ())) for name, below in found.items()} == {"a": ["d"], "b": []}


def test_a_diff_has_only_visible_objects_of_the_target(adapters: Adapters, filtered: Make) -> None:
    source, target = adapters.filled(Inventory, {"c": ("r", {})}, "S"), filtered(adapters, TARGET, "T")
    assert list(target.diff_from(source).dict()["site"]) == ["c", "b"]


def test_objects_that_both_sides_hide_are_not_synced(adapters: Adapters, filtered: Make) -> None:
    source, target = filtered(adapters, SOURCE, "S"), filtered(adapters, TARGET, "T")
    source.sync_to(target)
    assert target.operations() == ["create a", "create a__d", "delete b"]


def test_a_sync_uses_the_order_of_get_all(adapters: Adapters) -> None:
    class Backwards(Inventory):
        def get_all(self, obj: Any) -> list[Any]:
            return super().get_all(obj)[::-1]

    sites: Sites = {"a": ("r", {}), "c": ("r", {}), "b": ("r", {})}
    source, target = adapters.filled(Backwards, sites, "S"), adapters.make(Inventory, "T")
    target.sync_from(source)
    assert target.operations() == ["create b", "create c", "create a"]


def test_children_may_be_loaded_lazily(adapters: Adapters) -> None:
    class Late(Inventory):
        def get_by_uids(self, uids: list[str], obj: Any) -> list[Any]:
            return [Device(site=uid.split("__")[0], name=uid.split("__")[1]) for uid in uids]

    source, target = adapters.filled(Late, {"a": ("r", {})}, "S"), adapters.make(Inventory, "T")
    source.get(Site, "a").devices.append("a__late")
    target.sync_from(source)
    assert target.operations() == ["create a", "create a__late"]


def test_children_are_read_only_from_sides_that_have_the_parent(adapters: Adapters) -> None:
    class Generous(Inventory):
        def get_by_uids(self, uids: list[str], obj: Any) -> list[Any]:
            more = [Device(site="z", name="more")] if obj == "device" else []
            return super().get_by_uids(uids, obj) + more

    source, target = adapters.filled(Inventory, {"a": ("r", {})}, "S"), adapters.filled(Generous, {"b": ("r", {})}, "T")
    found = target.diff_from(source).dict()["site"]
    assert {name: list(below.get("device", ())) for name, below in found.items()} == {"a": [], "b": ["more"]}


def test_a_sync_uses_the_get_of_the_target(adapters: Adapters) -> None:
    class Shy(Inventory):
        def get(self, obj: Any, identifier: Any) -> Any:
            if identifier == {"name": "b"}:
                raise ObjectNotFound("I do not show it")
            return super().get(obj, identifier)

    source, target = adapters.make(Inventory, "S"), adapters.filled(Shy, {"a": ("r", {}), "b": ("r", {})}, "T")
    with pytest.raises(ObjectNotDeleted, match="not found"):
        target.sync_from(source)
    assert target.operations() == ["delete a"]


def test_a_sync_calls_the_get_of_the_source_for_each_operation(adapters: Adapters) -> None:
    class Noting(Inventory):
        def get(self, obj: Any, identifier: Any) -> Any:
            self.journal.append(("get", obj.get_type(), identifier, None))
            return super().get(obj, identifier)

    source, target = adapters.filled(Noting, {"a": ("r", {"d": "x"})}, "S"), adapters.make(Inventory, "T")
    target.sync_from(source)
    noted: list[tuple[str, Any]] = [(model, identifier) for _, model, identifier, _ in source.journal]
    assert noted == [("site", {"name": "a"}), ("device", {"site": "a", "name": "d"})]


def test_a_target_may_override_sync_from(adapters: Adapters) -> None:
    class Own(Inventory):
        def sync_from(  # type: ignore[override]  # as diffsync has it
            self,
            source: Adapter,
            diff_class: type[Diff] = Diff,
            flags: DiffSyncFlags = DiffSyncFlags.NONE,
            callback: Any = None,
            diff: Diff | None = None,
        ) -> Diff:
            return super().sync_from(source, diff_class, flags, callback, diff)

        def diff_from(
            self,
            source: Adapter,
            diff_class: type[Diff] = Diff,
            flags: DiffSyncFlags = DiffSyncFlags.NONE,
            callback: Any = None,
        ) -> Diff:
            self.journal.append(("diff", "", "", None))
            return super().diff_from(source, diff_class, flags, callback)

    source, target = adapters.filled(Inventory, {"a": ("r", {})}, "S"), adapters.make(Own, "T")
    source.sync_to(target)
    source.diff_to(target)
    assert [action for action, _, _, _ in target.journal] == ["diff", "create", "diff"]


class Loud(DiffSyncModel):
    """Overrides `dict`, which provides its attributes."""

    _modelname = "loud"
    _identifiers = ("name",)
    _attributes = ("value",)
    name: str
    value: str = ""

    def dict(self, **kwargs: Any) -> dict[str, Any]:
        return {name: str(value).upper() for name, value in super().dict(**kwargs).items()}


class Louds(Adapter):
    loud = Loud
    top_level = ["loud"]


def test_the_overridden_dict_of_a_model_is_compared(adapters: Adapters) -> None:
    source, target = adapters.make(Louds, "S"), adapters.make(Louds, "T")
    source.add(Loud(name="a", value="quiet"))
    target.add(Loud(name="a", value="QUIET"))
    assert not target.diff_from(source).has_diffs()
    source.add(Loud(name="b", value="new"))
    assert target.diff_from(source).dict() == {"loud": {"B": {"+": {"value": "NEW"}}}}
