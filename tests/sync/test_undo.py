"""Undo moves, deletes with children, and partly applied diffs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import pytest

from diffsync_store import DiffSyncFlags, ObjectNotCreated
from diffsync_store.diffs import RedisDiffs, SavedDiff
from tests import noted_inventory
from tests.noted_inventory import Noted, Tree


class Device(Noted):
    """Keeps its identity when it moves to another site."""

    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role",)
    _shortname = ("name",)
    name: str
    role: str
    site: str = ""


class MovingDevice(Device):
    def move(self, old: Any, new: Any, attrs: dict[str, Any]) -> Self:
        self._note("move")
        return self


class Inventory(noted_inventory.Inventory):
    device: Any = Device
    refused: ClassVar[set[str]] = set()

    def __init__(self, tree: Tree, **options: Any) -> None:
        super().__init__(tree, **options)
        with self.store.loading():
            self.load()

    def note(self, action: str, model: str, unique_id: str) -> None:
        if unique_id in self.refused:
            raise ObjectNotCreated("no room")
        super().note(action, model, unique_id)

    def tree(self) -> Tree:
        return {
            site.name: {name: self.get("device", name).role for name in sorted(site.devices)}
            for site in sorted(self.get_all("site"), key=lambda each: each.name)
        }


class MovingInventory(Inventory):
    device = MovingDevice


BEFORE: Tree = {"ams": {"a1": "leaf", "a2": "leaf"}, "ber": {"b1": "spine"}, "par": {"p1": "leaf", "p2": "leaf"}}
AFTER: Tree = {"ams": {"a1": "spine", "b1": "spine"}, "ber": {}, "nyc": {"n1": "leaf", "p1": "leaf"}}


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    diffs = RedisDiffs(url=redis_url, ttl=600)
    yield diffs
    diffs.close()


def applied(diffs: RedisDiffs, source: Inventory, target: Inventory) -> SavedDiff:
    saved = diffs.open(diffs.save(target.diff_from(source)))
    saved.apply(source, target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    return saved


@pytest.mark.parametrize("inventory", [Inventory, MovingInventory])
def test_moves_deletes_and_creates_are_undone(diffs: RedisDiffs, inventory: type[Inventory]) -> None:
    source, target = inventory(AFTER), inventory(BEFORE)
    saved = applied(diffs, source, target)
    assert target.tree() == AFTER
    now = inventory(target.tree())
    undo = diffs.undo(saved, now)
    assert not undo.not_undone
    undoing = diffs.open(undo.diff_id)
    assert not undoing.apply(source, now).rejects
    assert now.tree() == BEFORE
    again = diffs.undo(saved, inventory(now.tree()))
    assert diffs.open(again.diff_id).record.operations == 0
    redo, present = diffs, inventory(now.tree())
    assert not redo.open(diffs.undo(undoing, present).diff_id).apply(source, present).rejects
    assert present.tree() == AFTER


def test_only_what_is_done_is_undone(diffs: RedisDiffs) -> None:
    class Refusing(Inventory):
        refused: ClassVar[set[str]] = {"nyc", "a2"}

    source, target = Inventory(AFTER), Refusing(BEFORE)
    saved = applied(diffs, source, target)
    partly = target.tree()
    assert partly not in (BEFORE, AFTER)
    now = Inventory(partly)
    undo = diffs.undo(saved, now)
    assert not diffs.open(undo.diff_id).apply(source, now).rejects
    assert now.tree() == BEFORE


def test_an_object_that_somebody_has_moved_on_stays_and_is_listed(diffs: RedisDiffs) -> None:
    source, target = Inventory(AFTER), Inventory(BEFORE)
    saved = applied(diffs, source, target)
    tree = target.tree()
    tree["ber"]["b1"] = tree["ams"].pop("b1")
    tree["ber"]["p1"] = tree["nyc"].pop("p1")
    now = Inventory(tree)
    undo = diffs.undo(saved, now)
    assert [(each.state, each.unique_id) for each in undo.not_undone] == [("conflict", "p1")]
    assert not diffs.open(undo.diff_id).apply(source, now).rejects
    assert now.tree()["ber"] == {"b1": "spine", "p1": "leaf"}
