"""What programs for diffsync rely on besides the data: arguments, mappings, errors, the console."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import pydantic
import pytest

from tests.behaviour.api import (
    IS_REFERENCE,
    Adapter,
    Diff,
    DiffElement,
    DiffException,
    DiffSyncFlags,
    DiffSyncModel,
    DiffSyncStatus,
    ObjectNotFound,
    ObjectStoreException,
    enable_console_logging,
)
from tests.behaviour.inventory import Adapters, Device, Inventory, Site, Sites

SITES: Sites = {"z": ("r1", {"d2": "leaf", "d1": "spine"}), "a": (None, {})}


def differs_here(reason: str) -> pytest.MarkDecorator:
    """Mark a test of a difference from diffsync."""
    return pytest.mark.xfail(not IS_REFERENCE, strict=True, reason=reason)


# Adapters


@pytest.mark.parametrize("make", [tuple, dict.fromkeys], ids=["tuple", "dict"])
def test_unique_ids_may_come_in_any_collection(
    adapters: Adapters, make: Callable[[Iterable[str]], Iterable[str]]
) -> None:
    uids: Any = make(["a", "z"])
    assert [site.name for site in adapters.filled(Inventory, SITES).get_by_uids(uids, Site)] == ["a", "z"]


def test_unique_ids_may_come_from_an_iterator(adapters: Adapters) -> None:
    uids: Any = iter(["a", "z"])
    assert [site.name for site in adapters.filled(Inventory, SITES).get_by_uids(uids, Site)] == ["a", "z"]


class Note(DiffSyncModel):
    _modelname = "note"
    _identifiers = ("number",)
    number: int


class Annotated(Inventory):
    """Has a model that is neither top-level nor a child."""

    note = Note


def test_load_from_dict_restores_models_outside_the_tree(adapters: Adapters) -> None:
    first, second = adapters.filled(Annotated, SITES), adapters.make(Annotated)
    first.add(Note(number=1))
    second.load_from_dict(first.dict())
    assert second.get(Note, "1").number == 1
    assert second.dict() == first.dict()


def test_load_from_dict_uses_the_identifiers_and_not_the_key(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.load_from_dict({"site": {"anything": {"name": "a"}}})
    assert [site.get_unique_id() for site in adapter.get_all(Site)] == ["a"]


def test_load_from_dict_checks_what_it_reads(adapters: Adapters) -> None:
    with pytest.raises(pydantic.ValidationError):
        adapters.make(Inventory).load_from_dict({"site": {"a": {"nme": "a"}}})


def test_load_from_dict_sets_the_adapter_of_the_objects(adapters: Adapters) -> None:
    adapter = adapters.make(Inventory)
    adapter.load_from_dict({"site": {"a": {"name": "a"}}})
    assert adapter.get(Site, "a").adapter is adapter


def test_objects_outside_the_tree_are_kept_and_neither_shown_nor_compared(adapters: Adapters) -> None:
    source, target = adapters.make(Annotated), adapters.make(Annotated)
    source.add(Note(number=1))
    assert source.str() == "site: []"
    assert source.count() == 1
    assert target.diff_from(source).dict() == {}


def test_an_object_of_another_adapter_keeps_its_adapter(adapters: Adapters) -> None:
    first, second, site = adapters.make(Inventory), adapters.make(Inventory), Site(name="a")
    first.add(site)
    second.add(site)
    assert second.get(Site, "a") is site
    assert site.adapter is first


def test_a_missing_identifier_is_an_error_in_every_way_to_read(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    for read in (adapter.get, adapter.get_or_none):
        with pytest.raises(KeyError, match="site"):
            read(Device, {"name": "d1"})


def test_unknown_identifiers_are_ignored(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.get(Device, {"site": "z", "name": "d1", "role": "any"}).role == "spine"


def test_get_or_none_raises_other_errors_of_the_store(adapters: Adapters, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise ObjectStoreException("out of order")

    adapter = adapters.make(Inventory)
    with monkeypatch.context() as patch:
        patch.setattr(adapter.store, "get", broken)
        with pytest.raises(ObjectStoreException, match="out of order"):
            adapter.get_or_none(Site, "a")


def test_update_or_instantiate_may_set_other_fields_of_an_existing_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.update_or_instantiate(Site, {"name": "z"}, {"note": 9})[0].note == 9


def test_update_or_instantiate_refuses_unknown_fields_of_a_new_object(adapters: Adapters) -> None:
    with pytest.raises((AttributeError, ValueError), match="bogus"):
        adapters.make(Inventory).update_or_instantiate(Site, {"name": "new"}, {"bogus": 1})


def test_an_existing_object_takes_over_default_values_too(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    assert adapter.update_or_add_model_instance(Site(name="z"))[0].region is None


def test_remove_with_an_equal_object_removes_the_children_of_that_object(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.remove(Site(name="z", devices=["z__d1"]), remove_children=True)
    assert [device.name for device in adapter.get_all(Device)] == ["d2"]
    assert adapter.get_or_none(Site, "z") is None


def test_changing_the_list_of_get_all_does_not_change_the_store(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, SITES)
    adapter.get_all(Site).clear()
    assert adapter.count(Site) == 2


# Models


@differs_here("anything is taken")
def test_the_adapter_of_an_object_is_an_adapter() -> None:
    with pytest.raises(pydantic.ValidationError, match="adapter"):
        Site(name="a", adapter=5)


@differs_here("the status does not count")
def test_objects_of_another_status_are_not_equal() -> None:
    site = Site(name="a")
    site.set_status(DiffSyncStatus.ERROR, "why")
    assert site != Site(name="a")


def test_objects_of_two_adapters_are_not_equal(adapters: Adapters) -> None:
    first, second = adapters.filled(Inventory, SITES), adapters.filled(Inventory, SITES)
    assert first.get(Site, "z") != second.get(Site, "z")
    assert first.get(Site, "z").dict() == second.get(Site, "z").dict()


def test_a_failed_update_keeps_the_earlier_assignments(adapters: Adapters) -> None:
    site = adapters.filled(Inventory, SITES).get(Site, "z")
    with pytest.raises(ValueError, match="bogus"):
        site.update({"region": "half", "bogus": 1})
    assert site.region == "half"


# Diffs


def test_a_diff_is_empty_for_unknown_models(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    diff = target.diff_from(source)
    assert list(diff.children["interface"].values()) == []
    assert list(diff.children["site"]["a"].child_diff.children["device"]) == []


def test_a_diff_class_may_order_its_groups() -> None:
    class ByName(Diff):
        def groups(self) -> list[str]:
            return sorted(super().groups())

    diff = ByName()
    for model in ("zebra", "ant"):
        element = DiffElement(model, "x", {"name": "x"})
        element.add_attrs(source={"a": 1})
        diff.add(element)
    assert list(diff.dict()) == [element.type for element in diff.get_children()] == ["ant", "zebra"]
    assert diff.str() == "ant\n  ant: x MISSING in dest\nzebra\n  zebra: x MISSING in dest"


def test_the_order_of_elements_affects_dict_and_not_str(adapters: Adapters) -> None:
    class Backwards(Diff):
        @classmethod
        def order_children_site(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
            yield from (children[name] for name in sorted(children, reverse=True))

    source, target = adapters.pair({"b": (None, {}), "c": (None, {}), "a": (None, {})}, {})
    diff = target.diff_from(source, diff_class=Backwards)
    assert list(diff.dict()["site"]) == ["c", "b", "a"]
    assert [line.split()[1] for line in diff.str().splitlines()[1:]] == ["b", "c", "a"]


def test_a_diff_is_false_only_when_nothing_was_compared(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, SITES)
    assert target.diff_from(source)
    assert not adapters.make(Inventory).diff_from(adapters.make(Inventory))


class Ordered(Diff):
    pass


def test_a_given_diff_of_another_class_is_refused(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    diff = target.diff_from(source)
    with pytest.raises(DiffException, match=r"Diff.*Ordered"):
        target.sync_from(source, diff_class=Ordered, diff=diff)
    assert target.journal == []


def test_a_given_diff_of_a_subclass_is_applied(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    target.sync_from(source, diff=target.diff_from(source, diff_class=Ordered))
    assert not target.diff_from(source).has_diffs()


# Syncs


def test_sync_complete_is_called_with_four_positions(adapters: Adapters) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Counting(Inventory):
        def sync_complete(self, *args: Any, **kwargs: Any) -> None:
            calls.append((args, kwargs))

    source, target = adapters.pair(SITES, {}, target_class=Counting)
    target.sync_from(source)
    [(args, kwargs)] = calls
    assert (len(args), kwargs, args[2]) == (4, {}, DiffSyncFlags.NONE)


def test_an_error_of_sync_complete_is_raised_after_all_operations(adapters: Adapters) -> None:
    class Failing(Inventory):
        def sync_complete(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("afterwards")

    source, target = adapters.pair(SITES, {}, target_class=Failing)
    with pytest.raises(RuntimeError, match="afterwards"):
        target.sync_from(source)
    assert not target.diff_from(source).has_diffs()


@pytest.mark.parametrize("stage", ["diff", "sync"])
def test_an_error_of_the_callback_ends_the_run(adapters: Adapters, stage: str) -> None:
    def callback(current: str, done: int, total: int) -> None:
        if current == stage:
            raise RuntimeError("no more")

    source, target = adapters.pair(SITES, {})
    with pytest.raises(RuntimeError, match="no more"):
        target.sync_from(source, callback=callback)


def test_create_may_have_added_its_object_itself(adapters: Adapters) -> None:
    class Adding(Site):
        @classmethod
        def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
            site = super().create(adapter, ids, attrs)
            adapter.add(site)
            return site

    class Adder(Inventory):
        site = Adding

    source, target = adapters.pair(SITES, {}, target_class=Adder)
    target.sync_from(source)
    assert not target.diff_from(source).has_diffs()


def test_delete_must_not_have_removed_its_object_itself(adapters: Adapters) -> None:
    class Removing(Site):
        def delete(self) -> Any:
            done, adapter = super().delete(), self.adapter
            adapter.remove(self)
            return done

    class Remover(Inventory):
        site = Removing

    source, target = adapters.pair({}, {"a": (None, {})}, target_class=Remover)
    with pytest.raises(ObjectNotFound, match="a"):
        target.sync_from(source)


# Objects at several places


class Node(DiffSyncModel):
    _modelname = "node"
    _identifiers = ("name",)
    _attributes = ("value",)
    _children = {"node": "nodes"}
    name: str
    value: int = 0
    nodes: list[str] = []


class Nodes(Adapter):
    node = Node
    top_level = ["node"]


def test_a_model_may_be_its_own_child(adapters: Adapters) -> None:
    source, target = adapters.make(Nodes, "S"), adapters.make(Nodes, "T")
    for adapter, value in ((source, 1), (target, 2)):
        root, leaf = Node(name="root", value=value), Node(name="leaf", value=value)
        adapter.add(root)
        adapter.add(leaf)
        root.add_child(leaf)
    diff = target.diff_from(source)
    assert diff.str() == (
        "node\n  node: root\n    value    S(1)    T(2)\n    node\n      node: leaf\n        value    S(1)    T(2)\n"
        "  node: leaf\n    value    S(1)    T(2)"
    )
    assert (diff.summary()["update"], diff.models_processed) == (3, 6)
    target.sync_from(source)
    assert [node.value for node in target.get_all(Node)] == [1, 1]


def test_a_child_may_have_two_parents(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": (None, {}), "b": (None, {})}, {})
    shared = Device(site="both", name="d")
    source.add(shared)
    for site in source.get_all(Site):
        site.add_child(shared)
    assert target.diff_from(source).str() == (
        "site\n  site: a MISSING in T\n    device\n      device: d MISSING in T\n"
        "  site: b MISSING in T\n    device\n      device: d MISSING in T"
    )


def test_a_child_that_is_listed_twice_is_one(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": (None, {"d": "x"})}, {})
    source.get(Site, "a").devices.append("a__d")
    assert target.diff_from(source).summary()["create"] == 2


# The console


@contextmanager
def bare_root_logger() -> Iterator[logging.Logger]:
    """The root logger of a new program, without the handlers of pytest."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_console_logging_leaves_standard_output_to_the_program(adapters: Adapters) -> None:
    source, target = adapters.pair(SITES, {})
    with bare_root_logger(), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        enable_console_logging(verbosity=1)
        target.sync_from(source)
    assert out.getvalue() == ""
    assert "Beginning sync" in err.getvalue()


@pytest.mark.parametrize(("verbosity", "level"), [(0, logging.WARNING), (1, logging.INFO), (2, logging.DEBUG)])
def test_console_logging_configures_the_standard_library(verbosity: int, level: int) -> None:
    with bare_root_logger() as root:
        enable_console_logging(verbosity=verbosity)
        enable_console_logging(verbosity=verbosity)
        assert (len(root.handlers), root.level) == (1, level)
