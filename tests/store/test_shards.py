"""A load in shards, sealed as one: on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from threading import Event
from typing import Any

import pytest

from diffsync_store import (
    Adapter,
    BaseStore,
    LocalStore,
    ObjectAlreadyExists,
    ObjectStoreException,
    ShardState,
    StoredAdapter,
    StoreInUse,
    StoreNotComplete,
    StoreReloaded,
    StoreState,
)
from diffsync_store.store.redis import RedisStore
from tests.store.inventory import Device, Site, flat, sites

OF = ("eu", "us", "asia")


@pytest.fixture
def open_again(store: BaseStore) -> Iterator[Callable[[], BaseStore]]:
    """Opens the store as another process does; a local store has only this process."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(store_of_another_process(store))


def store_of_another_process(store: BaseStore) -> AbstractContextManager[BaseStore]:
    if not isinstance(store, RedisStore):
        return nullcontext(store)
    return RedisStore(connection=store._connection, store_id=store.store_id)


def load(store: BaseStore, shard: str, *names: str, of: Any = OF, **options: Any) -> None:
    adapter = flat(store)
    with store.loading(shard=shard, of=of, **options):
        for name in names:
            adapter.add(Device(name=name))


def fail(store: BaseStore, shard: str, name: str, **options: Any) -> None:
    with store.loading(shard=shard, of=OF, **options):
        flat(store).add(Device(name=name))
        raise ZeroDivisionError("no answer")


def state(store: BaseStore) -> StoreState:
    return store.state


def names(store: BaseStore) -> list[str]:
    return [device.name for device in flat(store).get_all(Device)]


def test_the_order_of_insertion_is_that_of_the_declared_shards(store: BaseStore) -> None:
    load(store, "us", "u2", "u1")
    load(store, "asia", "a1")
    load(store, "eu", "e1", "e2")
    record = store.seal()
    assert record.state is StoreState.COMPLETE
    assert record.counts == {"device": 5}
    assert names(store) == ["e1", "e2", "u2", "u1", "a1"]
    assert [(shard.name, shard.state, shard.counts) for shard in record.shards] == [
        ("eu", ShardState.COMPLETE, {"device": 2}),
        ("us", ShardState.COMPLETE, {"device": 2}),
        ("asia", ShardState.COMPLETE, {"device": 1}),
    ]
    assert all(shard.writer and shard.started and shard.updated for shard in record.shards)


def test_threads_load_shards_at_the_same_time(open_again: Callable[[], BaseStore]) -> None:
    def run(shard: str) -> None:
        load(open_again(), shard, *(f"{shard}{number}" for number in range(50)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, OF))
    store = open_again()
    assert store.seal().state is StoreState.COMPLETE
    assert names(store) == [f"{shard}{number}" for shard in OF for number in range(50)]


def test_nothing_is_complete_before_the_seal(store: BaseStore) -> None:
    for shard in OF:
        load(store, shard, shard)
    assert state(store) is StoreState.LOADING
    with pytest.raises(StoreNotComplete):
        store.require_loaded()
    store.seal()
    assert store.require_complete().shards == store.shards()


def test_a_seal_may_be_repeated(store: BaseStore) -> None:
    for shard in OF:
        load(store, shard, shard)
    first = store.seal()
    assert store.seal() == first


def test_a_shard_that_is_loaded_again_is_emptied_alone(store: BaseStore) -> None:
    load(store, "eu", "e1")
    load(store, "us", "u1", "u2")
    load(store, "us", "u2", "u3")
    load(store, "asia")
    assert store.seal().state is StoreState.COMPLETE
    assert names(store) == ["e1", "u2", "u3"]


def test_an_error_in_a_shard_leaves_the_others_alone(store: BaseStore) -> None:
    load(store, "eu", "e1")
    with pytest.raises(ZeroDivisionError):
        fail(store, "us", "u1")
    load(store, "asia", "a1")
    us = store.shards()[1]
    assert (us.state, us.counts) == (ShardState.FAILED, {})
    assert "no answer" in us.reason
    record = store.seal()
    assert record.state is StoreState.PARTIAL
    assert record.reason == "the load of the shard us failed: ZeroDivisionError: no answer"
    assert "shard us failed" in str(record.gaps["device"])
    assert names(store) == ["e1", "a1"]


def test_a_failed_shard_is_loaded_again_and_the_store_is_complete(store: BaseStore) -> None:
    load(store, "eu", "e1")
    load(store, "asia", "a1")
    with suppress(ZeroDivisionError):
        fail(store, "us", "u1")
    load(store, "us", "u1")
    assert store.seal().state is StoreState.COMPLETE
    assert names(store) == ["e1", "u1", "a1"]


def test_a_missing_shard_makes_the_store_partial(store: BaseStore) -> None:
    load(store, "eu", "e1")
    record = store.seal()
    assert record.state is StoreState.PARTIAL
    assert record.reason == "the shard us was not loaded; the shard asia was not loaded"
    assert [shard.state for shard in record.shards] == [ShardState.COMPLETE, ShardState.MISSING, ShardState.MISSING]
    assert record.gaps["device"].below == ()


def test_a_missing_shard_is_a_gap_of_models_that_no_other_shard_has(store: BaseStore) -> None:
    sites(store)
    with store.loading(shard="eu", of=("eu", "us")):
        pass
    assert {"site", "device"} <= set(store.seal().gaps)


def test_a_missing_shard_is_a_gap_below_what_it_covers(store: BaseStore) -> None:
    adapter = sites(store)
    of = {"eu": ("site", "ber"), "us": [("site", "nyc"), (Site, {"name": "lax"})], "other": None}
    with store.loading(shard="eu", of=of):
        adapter.add(Site(name="ber"))
    load(store, "other", of=of)
    record = store.seal()
    assert list(record.gaps) == ["site"]
    assert record.gaps["site"].below == (("site", "nyc"), ("site", "lax"))
    assert record.shards[1].below == record.gaps["site"].below


def test_rejects_and_gaps_of_shards_are_merged(store: BaseStore) -> None:
    for shard in OF:
        with store.loading(shard=shard, of=OF):
            store.reject(Device, f"bad {shard}", ValueError("x"))
            store.expect(Device, 3)
            if shard == "us":
                store.incomplete("rack", "timed out", below=("device", "d1"))
    record = store.seal()
    gap = record.gaps["device"]
    assert gap.rejected == 3
    assert [reject.what for reject in gap.rejects] == ["bad eu", "bad us", "bad asia"]
    assert "shard asia: 0 records loaded and 1 rejected, 3 expected" in gap.reasons
    assert record.gaps["rack"].reasons == ("shard us: timed out",)
    assert record.gaps["rack"].below == (("device", "d1"),)
    assert [(shard.expected, shard.rejected) for shard in record.shards] == [({"device": 3}, {"device": 1})] * 3


def test_a_gap_of_a_partial_shard_is_below_what_it_covers(store: BaseStore) -> None:
    adapter = sites(store)
    of = {"eu": ("site", "ber"), "us": ("site", "nyc")}
    with store.loading(shard="eu", of=of):
        adapter.add(Site(name="ber"))
        adapter.incomplete("device", "timed out")
        adapter.incomplete("vlan", "timed out")
    with store.loading(shard="us", of=of):
        adapter.add(Site(name="nyc"))
    record = store.seal()
    assert record.gaps["device"].below == (("site", "ber"),)
    assert record.gaps["vlan"].below == ()


def test_an_object_in_two_shards_is_named_at_the_seal(store: BaseStore) -> None:
    load(store, "eu", "e1", "both")
    load(store, "us", "both")
    load(store, "asia")
    with pytest.raises(ObjectAlreadyExists, match="device both is in the shard eu and in the shard us"):
        store.seal()
    assert state(store) is StoreState.FAILED
    assert "device both is in the shard eu and in the shard us" in store.record().reason
    with pytest.raises(ObjectAlreadyExists):
        store.seal()
    load(store, "us", "u1")
    assert state(store) is StoreState.LOADING
    assert store.seal().state is StoreState.COMPLETE
    assert names(store) == ["e1", "both", "u1"]


def test_inside_of_a_block_the_store_has_the_objects_of_its_shard(store: BaseStore) -> None:
    load(store, "eu", "e1")
    adapter = flat(store)
    with store.loading(shard="us", of=OF):
        adapter.add(Device(name="u1"))
        assert names(store) == ["u1"]
        assert adapter.get_or_none(Device, "e1") is None
        assert adapter.count(Device) == 1
        adapter.remove(adapter.get(Device, "u1"))
        adapter.add(Device(name="u2"))
        with pytest.raises(ObjectAlreadyExists):
            adapter.add(Device(name="u2"))
    load(store, "asia")
    store.seal()
    assert names(store) == ["e1", "u2"]


@pytest.mark.slow
def test_a_shard_is_loaded_by_one_at_a_time(open_again: Callable[[], BaseStore]) -> None:
    begun, end = Event(), Event()

    def hold() -> None:
        store = open_again()
        with store.loading(shard="eu", of=OF):
            flat(store).add(Device(name="e1"))
            begun.set()
            end.wait(200)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert begun.wait(200)
        with pytest.raises(StoreInUse, match="eu"):
            load(open_again(), "eu", "e2")
        with pytest.raises(StoreInUse, match="eu"):
            open_again().seal()
        with pytest.raises(StoreInUse):
            load(open_again(), "eu", "e2", of=("eu", "us"))
        with pytest.raises(StoreInUse), open_again().loading():
            pass
        load(open_again(), "us", "u1")
        end.set()
        held.result(200)
    load(open_again(), "asia")
    store = open_again()
    store.seal()
    assert names(store) == ["e1", "u1"]


def test_a_load_with_another_name_begins_again(store: BaseStore) -> None:
    load(store, "eu", "e1", load="monday")
    load(store, "us", "u1", load="monday")
    generation = store.record().generation
    load(store, "eu", "e2", load="tuesday")
    assert store.record().load == "tuesday"
    assert store.record().generation != generation
    load(store, "us", load="tuesday")
    load(store, "asia", load="tuesday")
    store.seal()
    assert names(store) == ["e2"]


def test_a_sealed_load_is_not_loaded_again_by_its_name(store: BaseStore) -> None:
    for shard in OF:
        load(store, shard, shard, load="monday")
    store.seal()
    with pytest.raises(StoreInUse, match="load 'monday' of store"):
        load(store, "eu", "e2", load="monday")
    assert state(store) is StoreState.COMPLETE
    load(store, "eu", "e2", load="tuesday")
    assert state(store) is StoreState.LOADING


def test_a_shard_that_was_missing_at_the_seal_is_loaded_later(store: BaseStore) -> None:
    load(store, "us", "u1", load="monday")
    with suppress(ZeroDivisionError):
        fail(store, "eu", "e1", load="monday")
    first = store.seal()
    assert (first.state, names(store)) == (StoreState.PARTIAL, ["u1"])

    load(store, "eu", "e1", "e2", load="monday")
    assert state(store) is StoreState.LOADING
    assert {shard.name: shard.state for shard in store.shards()} == {
        "eu": ShardState.COMPLETE,
        "us": ShardState.COMPLETE,
        "asia": ShardState.MISSING,
    }
    with pytest.raises(StoreReloaded):
        store.require_same_load(first)
    assert store.seal().state is StoreState.PARTIAL
    load(store, "asia", load="monday")
    assert store.seal().state is StoreState.COMPLETE
    assert names(store) == ["e1", "e2", "u1"]
    with pytest.raises(StoreInUse, match="load 'monday' of store"):
        load(store, "eu", "e3", load="monday")


def test_an_adapter_that_is_made_inside_of_the_block_is_the_one_of_the_store(
    open_again: Callable[[], BaseStore],
) -> None:
    for shard in OF:
        store = open_again()
        store.adapter = None
        with store.loading(shard=shard, of=OF, load="monday"):
            flat(store).add(Device(name=shard))
    sealing = open_again()
    if isinstance(sealing, RedisStore):  # a store in memory has only the one of this process
        sealing.adapter = None
    record = sealing.seal()
    assert (record.adapter, record.top_level) == ("Flat", ("device",))


def test_a_store_that_was_changed_since_the_seal_is_not_loaded_on(store: BaseStore) -> None:
    load(store, "us", "u1", load="monday")
    assert store.seal().state is StoreState.PARTIAL
    flat(store).add(Device(name="of a sync"))
    store.flush()
    with pytest.raises(StoreInUse, match="load 'monday' of store"):
        load(store, "eu", "e1", load="monday")
    assert names(store) == ["u1", "of a sync"]


def add_sites(store: BaseStore, content: dict[str, list[str]]) -> Adapter:
    """Add sites with their devices; a device of another shard is only listed."""
    adapter = sites(store)
    for name, devices in content.items():
        adapter.add(Site(name=name, devices=devices))
        for device in devices:
            if not device.startswith("later"):
                adapter.add(Device(name=device))
    return adapter


def test_children_of_a_shard_that_comes_after_the_seal_are_below_their_parents(store: BaseStore) -> None:
    with store.loading(shard="eu", of=OF, load="monday"):
        add_sites(store, {"ams": ["a", "later"], "ber": ["c"]})
    assert store.seal().state is StoreState.PARTIAL
    with store.loading(shard="us", of=OF, load="monday"):
        add_sites(store, {"nyc": ["d"]})
        store.add(obj=Device(name="later"))
    with store.loading(shard="asia", of=OF, load="monday"):
        add_sites(store, {"tyo": []})
    assert store.seal().state is StoreState.COMPLETE
    whole = add_sites(LocalStore(), {"ams": ["a", "later"], "ber": ["c"], "nyc": ["d"], "tyo": []})
    whole.add(Device(name="later"))
    for source, target in ((StoredAdapter(store), whole), (whole, StoredAdapter(store))):
        diff = target.diff_from(source)
        assert not diff.has_diffs()
        assert diff.summary()["no-change"] == 8


def test_without_a_name_a_sealed_load_begins_again(store: BaseStore) -> None:
    for shard in OF:
        load(store, shard, shard)
    generation = store.seal().generation
    load(store, "eu", "e2")
    assert store.record().generation != generation
    assert [shard.state for shard in store.shards()][1:] == [ShardState.MISSING] * 2


def test_other_shards_begin_a_new_load(store: BaseStore) -> None:
    load(store, "eu", "e1")
    load(store, "a", "a1", of=("a",))
    assert store.seal().counts == {"device": 1}


def test_a_load_without_shards_has_none(store: BaseStore) -> None:
    load(store, "eu", "e1")
    with store.loading():
        flat(store).add(Device(name="whole"))
    assert store.shards() == ()
    assert store.require_complete().counts == {"device": 1}
    with pytest.raises(ObjectStoreException, match="was not loaded in shards"):
        store.seal()


@pytest.mark.parametrize(
    "options",
    [
        {"shard": "eu"},
        {"shard": "eu", "of": ()},
        {"shard": "x", "of": OF},
        {"shard": "eu", "of": "eu"},
        {"shard": "eu", "of": ("eu", "eu")},
        {"shard": "", "of": ("", "us")},
        {"shard": "eu", "of": ("eu", "a\nb")},
        {"shard": "eu", "of": ("eu", "x" * 129)},
        {"shard": "eu", "of": ("eu", 7)},
        {"shard": "eu", "of": ["eu", *map(str, range(1000))]},
        {"shard": "eu", "of": OF, "load": "\n"},
        {"of": OF},
        {"load": "monday"},
    ],
)
def test_a_wrong_argument_loses_nothing(store: BaseStore, options: dict[str, Any]) -> None:
    with store.loading():
        flat(store).add(Device(name="kept"))
    with pytest.raises((ValueError, TypeError)), store.loading(**options):
        pass
    assert store.require_complete().counts == {"device": 1}


def test_names_may_hold_any_printable_character(store: BaseStore) -> None:
    of = ("a{b}:c", "süd ✓", "*?[x]", "../etc")
    for shard in of:
        load(store, shard, shard, of=of, load="*{x}")
    record = store.seal()
    assert [shard.name for shard in record.shards] == list(of)
    assert names(store) == list(of)
    assert record.load == "*{x}"
