"""A load does not empty a store that a diff needs which somebody has approved, or which is being applied."""

from __future__ import annotations

import pytest

from diffsync_store import StoreInUse, StoreNotFound
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.retention import refuse_load
from diffsync_store.selection import Select
from diffsync_store.sync.options import SyncOptions
from tests.sync.conftest import Bench, Sites

SOURCE: Sites = {"a": ("new", {"d1": "leaf"})}
TARGET: Sites = {"a": ("old", {"d1": "leaf", "d2": "leaf"})}


def reload(bench: Bench, side: str) -> None:
    with bench.store(side) as store, store.loading():
        pass


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_store_of_an_approved_diff_is_not_emptied_until_the_diff_is_dropped_or_applied(
    bench: Bench, side: str
) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.approve(by="ann", reason="CHG-1")
    before = bench.store(side).record()
    with pytest.raises(StoreInUse) as refused:
        reload(bench, side)
    told = f"diff {saved} was made from it, and ann approved it at .* Nothing was loaded.*drop {saved} --force"
    assert refused.match(told)
    assert bench.store(side).record() == before
    assert saved.apply(bench.source(), bench.target(), options=SyncOptions(require_approval=True)).is_complete
    reload(bench, side)


@pytest.mark.parametrize("give_up", [lambda saved: saved.reject(by="bob", reason=""), SavedDiff.drop])
def test_a_store_of_an_abandoned_diff_is_loaded_again(bench: Bench, give_up: object) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.approve(by="ann", reason="CHG-1")
    assert callable(give_up)
    give_up(saved)
    reload(bench, "target")


def test_a_store_is_not_emptied_while_a_sync_applies_its_diff(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    refused = []

    def load(call: str) -> None:
        try:
            reload(bench, "source")
        except StoreInUse as error:
            refused.append(str(error))

    target = bench.target()
    bench.system.before = load
    assert saved.apply(bench.source(), target).is_complete
    assert len(refused) == 2
    assert all("a sync was applying it at" in told for told in refused)
    bench.system.before = lambda _: None
    reload(bench, "source")


def test_a_store_is_loaded_again_after_a_partial_sync(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(exclude=(Select(action="delete"),)))
    assert not result.is_complete
    reload(bench, "source")


def test_a_store_is_loaded_again_after_a_failed_sync(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)

    def refuse(call: str) -> None:
        raise ValueError("no")

    target = bench.target()
    bench.system.before = refuse
    with pytest.raises(ValueError, match="no"):
        saved.apply(bench.source(), target)
    reload(bench, "source")


def test_a_store_of_a_diff_that_waits_for_approval_is_in_use(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    generation = bench.store("target").record().generation
    refuse_load(bench.diffs, "t", generation)
    with pytest.raises(StoreInUse, match="a run waits for its approval"):
        refuse_load(bench.diffs, "t", generation, {saved.record.diff_id})
    refuse_load(bench.diffs, "t", "another", {saved.record.diff_id})


def test_a_new_store_is_always_loaded(bench: Bench) -> None:
    bench.load(SOURCE, TARGET).approve(by="ann", reason="")
    store = bench.store("third")
    with pytest.raises(StoreNotFound):
        store.record()
    with store.loading():
        pass
    store.drop()
