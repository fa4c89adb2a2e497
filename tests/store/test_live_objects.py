"""What the program does to an object that it holds is in the store, on every store, for every process."""

from __future__ import annotations

import copy
import gc
import sys
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr

from diffsync_store import Adapter, BaseStore, ObjectNotFound, ObjectStoreException
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer
from tests.store.child import Child, listen, run, say
from tests.store.conftest import NewStore, OpenStore, keys_of
from tests.store.inventory import Device, Inventory, Site, content, open_store, read_sites, sites
from tests.store.test_contract import reread

Step = Callable[[Inventory], Any]


def add_parent_then_child(adapter: Inventory) -> None:
    site, device = Site(name="ber"), Device(name="ber-1")
    adapter.add(site)
    adapter.add(device)
    site.add_child(device)


def remove_child(adapter: Inventory) -> None:
    add_parent_then_child(adapter)
    adapter.store.flush()
    site, device = adapter.get(Site, "ber"), adapter.get(Device, "ber-1")
    site.remove_child(device)
    adapter.remove(device)


def assign_attributes(adapter: Inventory) -> None:
    site, device = Site(name="ber"), Device(name="ber-1")
    adapter.add(site)
    adapter.add(device)
    site.region = "north"
    device.role = "spine"


def assign_after_flush(adapter: Inventory) -> None:
    site, device = Site(name="ber"), Device(name="ber-1")
    adapter.add(site)
    adapter.add(device)
    adapter.store.flush()
    site.region = "north"
    device.role = "spine"


def append_in_place(adapter: Inventory) -> None:
    site = Site(name="ber", tags=["a"])
    adapter.add(site)
    adapter.store.flush()
    site.tags.append("b")
    site.facts["deep"] = {"list": [1]}
    adapter.store.flush()
    site.facts["deep"]["list"].append(2)


def append_without_reference(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", tags=["a"]))
    adapter.store.flush()
    adapter.get(Site, "ber").tags.append("b")
    adapter.get("site", "ber").facts["c"] = 1


def assign_without_reference(adapter: Inventory) -> None:
    adapter.add(Device(name="ber-1"))
    adapter.add(Site(name="ber"))
    adapter.store.flush()
    adapter.get(Device, "ber-1").role = "spine"
    adapter.get(Site, "ber").region = "north"


def change_a_list_of_a_released_object(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", tags=["a"], facts={"deep": [1]}))
    adapter.store.flush()
    tags, deep = adapter.get(Site, "ber").tags, adapter.get(Site, "ber").facts["deep"]
    gc.collect()
    tags.append("b")
    deep.append(2)
    adapter.store.flush()
    tags.append("c")
    deep.append(3)


def change_in_place_and_release(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", tags=["a"]))
    adapter.store.flush()
    site = adapter.get(Site, "ber")
    site.tags.append("b")
    del site
    gc.collect()
    site = adapter.get(Site, "ber")
    site.tags.append("c")
    del site
    gc.collect()


def add_child_and_release(adapter: Inventory) -> None:
    adapter.add(Site(name="ber"))
    adapter.store.flush()
    for number in range(3):
        device = Device(name=f"ber-{number}")
        adapter.add(device)
        adapter.get(Site, "ber").add_child(device)


def update_or_instantiate(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", region="south"))
    adapter.store.flush()
    site, created = adapter.update_or_instantiate(Site, {"name": "ber"}, {"region": "north"})
    assert not created
    assert site.region == "north"
    del site
    adapter.update_or_instantiate(Site, {"name": "muc"}, {"region": "south", "tags": ["new"]})


def update_or_add_model_instance(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", region="south"))
    adapter.store.flush()
    adapter.update_or_add_model_instance(Site(name="ber", region="north", tags=["x"]))


def update_with_another_object(adapter: Inventory) -> None:
    adapter.add(Site(name="ber", region="south"))
    adapter.store.flush()
    other = Site(name="ber", region="north")
    adapter.update(other)
    other.tags.append("late")


def change_all_while_iterating(adapter: Inventory) -> None:
    for number in range(2500):
        adapter.add(Site(name=f"site-{number}"))
    for site in adapter.get_all(Site):
        site.tags.append("seen")


def change_while_streaming(adapter: Inventory) -> None:
    for number in range(1500):
        adapter.add(Device(name=f"device-{number}"))
    for number in range(1500):
        adapter.get(Device, f"device-{number}").role = str(number)


STEPS: list[Step] = [
    add_parent_then_child,
    remove_child,
    assign_attributes,
    assign_after_flush,
    append_in_place,
    append_without_reference,
    assign_without_reference,
    change_a_list_of_a_released_object,
    change_in_place_and_release,
    add_child_and_release,
    update_or_instantiate,
    update_or_add_model_instance,
    update_with_another_object,
    change_all_while_iterating,
    change_while_streaming,
]


def names(steps: list[Step]) -> list[str]:
    return [step.__name__ for step in steps]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS, ids=names(STEPS))
def test_a_change_is_in_the_redis_store_as_it_is_in_a_local_one(
    open_redis: OpenStore, redis_url: str, store_id: str, step: Step
) -> None:
    local, adapter = sites(), sites(open_redis())
    step(local)
    step(adapter)
    assert content(adapter) == content(local)
    adapter.store.flush()
    assert content(sites(open_redis())) == content(local)


def take_a_step_and_end(url: str, store_id: str, step: str) -> None:
    """What is not flushed by the program is flushed when the process ends."""
    [chosen] = [candidate for candidate in STEPS if candidate.__name__ == step]
    chosen(sites(open_store(url, store_id)))


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS[:-2], ids=names(STEPS[:-2]))
def test_another_process_sees_the_change(open_redis: OpenStore, redis_url: str, store_id: str, step: Step) -> None:
    local = sites()
    step(local)
    run(take_a_step_and_end, url=redis_url, store_id=store_id, step=step.__name__)
    assert content(sites(open_redis())) == content(local)


def test_a_second_process_sees_changes_of_objects_that_the_first_still_holds(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    adapter = sites(open_redis())
    site = Site(name="ber")
    adapter.add(site)
    adapter.store.flush()
    site.tags.append("b")
    held = site.facts
    del site
    adapter.store.flush()
    held["late"] = True
    adapter.store.flush()
    assert run(read_sites, url=redis_url, store_id=store_id)["site"] == [
        {"name": "ber", "region": None, "tags": ["b"], "facts": {"late": True}, "devices": []}
    ]


# Identity


def test_every_read_returns_the_referenced_object(store: BaseStore) -> None:
    adapter = sites(store)
    site = Site(name="ber")
    adapter.add(site)
    store.flush()
    assert adapter.get(Site, "ber") is site
    assert adapter.get("site", {"name": "ber"}) is site
    assert adapter.get_all(Site)[0] is site
    assert adapter.get_by_uids(["ber"], Site)[0] is site
    assert adapter.get_or_none(Site, "ber") is site
    assert adapter.get_or_instantiate(Site, {"name": "ber"}) == (site, False)
    assert adapter.update_or_instantiate(Site, {"name": "ber"}, {"region": "x"})[0] is site
    assert adapter.get_or_add_model_instance(Site(name="ber"))[0] is site
    assert adapter.update_or_add_model_instance(Site(name="ber"))[0] is site


def test_a_read_returns_the_same_object_while_it_is_referenced(open_redis: OpenStore) -> None:
    first = sites(open_redis())
    first.add(Site(name="ber"))
    first.store.flush()
    adapter = sites(open_redis())
    read = adapter.get(Site, "ber")
    read.tags.append("a")
    assert adapter.get_all(Site)[0] is read
    assert adapter.get(Site, "ber") is read
    adapter.store.flush()
    assert adapter.get(Site, "ber") is read


def test_a_referenced_part_belongs_to_the_object_of_the_next_read(store: BaseStore) -> None:
    adapter = sites(store)
    adapter.add(Site(name="ber", tags=["a"]))
    store.flush()
    tags = adapter.get(Site, "ber").tags
    gc.collect()
    tags.append("b")
    assert adapter.get(Site, "ber").tags == ["a", "b"]
    adapter.get(Site, "ber").tags.append("c")
    assert tags == ["a", "b", "c"]


def test_changing_a_removed_object_does_not_restore_it(store: BaseStore) -> None:
    adapter = sites(store)
    site, device = Site(name="ber"), Device(name="ber-1")
    adapter.add(site)
    adapter.add(device)
    store.flush()
    adapter.remove(site)
    adapter.remove(device)
    site.tags.append("late")
    device.role = "late"
    del site, device
    gc.collect()
    store.flush()
    assert adapter.count() == 0
    with pytest.raises(ObjectNotFound):
        adapter.get(Site, "ber")


def change_later(url: str, store_id: str) -> None:
    """Hold an object, and change it when told to."""
    adapter = sites(open_store(url, store_id))
    site = adapter.get(Site, "ber")
    say("held")
    listen()
    site.tags.append("late")
    adapter.store.flush()


@pytest.mark.slow
def test_a_change_of_an_object_that_another_process_has_removed_does_not_bring_it_back(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    adapter = sites(open_redis())
    adapter.add(Site(name="ber"))
    adapter.store.flush()
    with Child(change_later, url=redis_url, store_id=store_id) as child:
        child.heard()
        adapter.remove(adapter.get(Site, "ber"))
        adapter.store.flush()
        child.tell()
        child.result()
    assert run(read_sites, url=redis_url, store_id=store_id) == {}


def test_an_object_changed_after_another_one_took_its_place_does_not_undo_that(store: BaseStore) -> None:
    adapter = sites(store)
    first, second = Site(name="ber", region="first"), Site(name="ber", region="second")
    adapter.add(first)
    store.flush()
    adapter.update(second)
    first.tags.append("late")
    first.region = "late"
    del first
    gc.collect()
    store.flush()
    assert adapter.get(Site, "ber") is second
    assert second.region == "second"


@pytest.mark.parametrize("make", [copy.deepcopy, copy.copy], ids=["deep", "shallow"])
def test_a_copy_of_a_stored_object_is_independent(store: BaseStore, make: Callable[[Site], Site]) -> None:
    adapter = sites(store)
    site = Site(name="ber", tags=["a"])
    adapter.add(site)
    store.flush()
    other = make(site)
    other.tags = ["changed"]
    assert other.name == "ber"
    del other
    gc.collect()
    store.flush()
    assert adapter.get(Site, "ber") is site
    assert site.tags == ["a"]
    assert adapter.store.count() == 1


# Memory


def added(adapter: Inventory, obj: Device | Site) -> weakref.ref[Any]:
    adapter.add(obj)
    return weakref.ref(obj)


def seen(site: Site) -> weakref.ref[Any]:
    site.tags.append("seen")
    return weakref.ref(site)


@pytest.mark.slow
@pytest.mark.parametrize("model", [Device, Site])
def test_added_and_released_objects_are_not_kept_alive(open_redis: OpenStore, model: type[Device | Site]) -> None:
    adapter = sites(open_redis())
    alive = [added(adapter, model(name=f"object-{number}")) for number in range(20_000)]
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 2000
    adapter.store.flush()
    gc.collect()
    assert sum(reference() is not None for reference in alive) == 0
    assert adapter.count(model) == 20_000


def test_read_changed_and_released_objects_are_not_kept_alive(open_redis: OpenStore) -> None:
    adapter = sites(open_redis())
    for number in range(3000):
        adapter.add(Site(name=f"site-{number}"))
    adapter.store.flush()
    alive = [seen(adapter.get(Site, f"site-{number}")) for number in range(3000)]
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 1
    assert all(site.tags == ["seen"] for site in adapter.get_all(Site))


def test_a_released_store_writes_its_pending_changes(open_redis: OpenStore) -> None:
    store: RedisStore | None = open_redis()
    adapter: Inventory | None = sites(store)  # type: ignore[arg-type]
    assert adapter is not None
    adapter.add(Device(name="ber-1"))
    del adapter, store
    gc.collect()
    assert sites(open_redis()).count() == 1


# Readers


WRITES = ("hset", "hdel", "zadd", "zrem", "set", "setrange", "sadd", "del", "unlink", "rpush", "hincrby", "hsetnx")


def read_everything(url: str, store_id: str) -> int:
    """Read in every way that there is, hold it, let it go; the number of sites."""
    with open_store(url, store_id) as store:
        adapter = sites(store)
        everything = adapter.get_all(Site)
        adapter.get_by_uids(["site-1", "site-2"], Site)
        adapter.get_or_none(Site, "none")
        adapter.get_or_instantiate(Site, {"name": "site-3"})
        found = len(everything), adapter.get(Site, "site-4").tags, adapter.count(), adapter.dict(), adapter.str()
        del everything
        gc.collect()
        adapter.diff_from(adapter)
        store.require_complete()
        store.flush()
    return found[0]


@pytest.mark.slow
def test_a_reader_writes_nothing(own_redis: RedisServer, store_id: str) -> None:
    with open_store(own_redis.url, store_id) as store, store.loading():
        adapter = sites(store)
        for number in range(1200):
            site, device = Site(name=f"site-{number}", tags=["a"]), Device(name=f"device-{number}")
            adapter.add(site)
            adapter.add(device)
            site.add_child(device)
    client: Any = own_redis.client()
    before = dump(client, store_id)
    client.config_resetstat()
    assert run(read_everything, url=own_redis.url, store_id=store_id) == 1200
    commands = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert commands.isdisjoint(WRITES), commands
    assert dump(client, store_id) == before


def dump(client: Any, store_id: str) -> dict[str, Any]:
    """What each key of the store holds; a hash may be reordered by the server at any time, and says the same."""
    kinds = {
        b"hash": client.hgetall,
        b"string": client.get,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {key: kinds[client.type(key)](key) for key in keys_of(client, store_id)}


def test_a_reader_of_a_store_loaded_by_an_older_class_writes_nothing(
    new_store: NewStore, open_redis: OpenStore
) -> None:
    """What this version of a class would write otherwise is no change that the program made."""

    class Older(Site):
        tags: set[str] = set()  # type: ignore[assignment]

    older = type("Olders", (Adapter,), {"site": Older})(internal_storage_engine=open_redis())
    older.add(Older(name="ber", tags={"a"}))
    older.store.flush()
    before = open_redis().record().updated
    reader = sites(open_redis())
    assert reader.get(Site, "ber").tags == {"a"}  # type: ignore[comparison-overlap]
    gc.collect()
    reader.store.flush()
    assert open_redis().record().updated == before


# Reference cycles, and ends of their own


class Peered(Site):
    """May refer to itself, or to another one that refers to it, beside its fields."""

    _peer: Any = PrivateAttr(None)


class PeeredInventory(Inventory):
    site = Peered


def change_peers(adapter: PeeredInventory, tag: str) -> None:
    alone, one, two = (adapter.get(Peered, f"s{number}") for number in range(3))
    alone._peer, one._peer, two._peer = alone, two, one
    adapter.store.flush()
    for site in (alone, one, two):
        site.tags.append(tag)


@pytest.mark.slow
def test_a_change_in_place_of_an_object_in_a_reference_cycle_is_kept(store: BaseStore) -> None:
    adapter = PeeredInventory(internal_storage_engine=store)
    with store.loading():
        for number in range(4):
            adapter.add(Peered(name=f"s{number}"))
    for again in range(3):  # an object that was collected comes back as another one
        change_peers(adapter, str(again))
        gc.collect()
        store.flush()
    assert [site.tags for site in reread(adapter).get_all(Peered)] == [["0", "1", "2"]] * 3 + [[]]


def added_in_a_cycle(adapter: PeeredInventory, name: str) -> weakref.ref[Any]:
    site = Peered(name=name)
    site._peer = site
    adapter.add(site)
    site.tags.append("late")
    return weakref.ref(site)


@pytest.mark.slow
def test_objects_in_reference_cycles_are_not_kept_alive(open_redis: OpenStore) -> None:
    adapter = PeeredInventory(internal_storage_engine=open_redis())
    alive = [added_in_a_cycle(adapter, f"s{number}") for number in range(6000)]
    adapter.store.flush()
    gc.collect()
    adapter.store.flush()
    assert sum(reference() is not None for reference in alive) == 0
    assert all(site.tags == ["late"] for site in adapter.get_all(Peered))


class Ending(Site):
    ended: ClassVar[list[str]] = []

    def __del__(self) -> None:
        self.ended.append(self.name)


class EndingLater(Ending):
    __slots__ = ("own",)


@pytest.mark.parametrize("model", [Ending, EndingLater])
def test_a_class_may_have_a_del_method(store: BaseStore, model: type[Ending]) -> None:
    adapter = sites(store)
    adapter.site = model
    adapter.add(model(name="ber"))
    store.flush()
    model.ended.clear()
    adapter.get(model, "ber").tags.append("a")
    gc.collect()
    store.flush()
    assert reread(adapter).get(model, "ber").tags == ["a"]
    if isinstance(store, RedisStore):
        assert "ber" in model.ended


def test_an_object_in_two_stores_is_live_in_both(new_store: NewStore) -> None:
    one, two = sites(new_store()), sites(new_store())
    site = Site(name="ber")
    for adapter in (one, two):
        adapter.add(site)
        adapter.store.flush()
    site.tags.append("a")
    del site
    gc.collect()
    for adapter in (one, two):
        adapter.store.flush()
        assert reread(adapter).get(Site, "ber").tags == ["a"]


class Interrupt(BaseException):
    """As KeyboardInterrupt, which may strike between any two steps."""


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.integers(1, 1500), min_size=40, max_size=40))
def test_a_flush_that_is_interrupted_anywhere_loses_nothing(redis_url: str, steps_of_flushes: list[int]) -> None:
    with temporary_store(redis_url) as open_store:
        check_interrupted_flushes(open_store, steps_of_flushes)


@contextmanager
def temporary_store(url: str) -> Iterator[Callable[[], RedisStore]]:
    """Yield what opens a new store; hypothesis calls a test many times with one fixture."""
    name = f"test-{uuid.uuid4().hex}"
    with ExitStack() as stack:
        yield lambda: stack.enter_context(RedisStore(store_id=name, url=url))
    with RedisStore(store_id=name, url=url) as store:
        store.drop()


def check_interrupted_flushes(open_store: Callable[[], RedisStore], steps_of_flushes: list[int]) -> None:
    adapter = sites(open_store())
    with adapter.store.loading():
        adapter.add(Device(name="old"))
        adapter.add(Site(name="old"))
    expected = {"old": "leaf"}
    held = [adapter.get(Site, "old")]
    for number, steps in enumerate(steps_of_flushes):
        for position in range(3):
            adapter.add(Device(name=f"{number}-{position}"))
            expected[f"{number}-{position}"] = "leaf"
        adapter.get(Device, "old").role = str(number)
        expected["old"] = str(number)
        held[0].tags.append(str(number))
        if number % 4 == 3:
            adapter.remove(adapter.get(Device, f"{number - 1}-0"))
            del expected[f"{number - 1}-0"]
        with suppress(Interrupt):
            interrupted_after(steps, adapter.store.flush)
        if number % 3 == 0:
            adapter.get(Device, f"{number}-1").role = "changed"
            expected[f"{number}-1"] = "changed"
    adapter.store.flush()
    again = sites(open_store())
    assert {device.name: device.role for device in again.get_all(Device)} == expected
    assert again.get(Site, "old").tags == [str(number) for number in range(40)]


def interrupted_after(steps: int, work: Callable[[], None]) -> None:
    """Do the work, and raise after so many lines of the library."""
    left = [steps]

    def trace(frame: Any, event: str, _: Any) -> Any:
        if "diffsync_store" not in frame.f_code.co_filename or is_finalizing(frame):
            return None
        # A signal comes in where something is called, not at the end of a `with`, which has a line all the same.
        if event == "line" and frame.f_code.co_name != "_write":
            left[0] -= 1
            if left[0] == 0:
                raise Interrupt
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)


def is_finalizing(frame: Any) -> bool:
    """Whether Python calls this because it frees an object, such as a store of another test: what is raised there is lost."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def make_unwritable(adapter: Inventory) -> None:
    adapter.get(Site, "bad").facts["object"] = object()


def test_an_object_that_can_no_longer_be_written_fails_only_the_flush(open_redis: OpenStore) -> None:
    adapter = sites(open_redis())
    for name in ("good", "bad"):
        adapter.add(Site(name=name))
    adapter.store.flush()
    make_unwritable(adapter)
    gc.collect()
    adapter.get(Site, "good").tags.append("a")  # not the fault of this
    good = adapter.get(Site, "good")
    good.tags.append("b")
    for _ in range(2):
        with pytest.raises(ObjectStoreException, match="bad"):
            adapter.store.flush()
    assert adapter.get(Site, "good") is good
    bad = adapter.get(Site, "bad")
    bad.facts.clear()
    bad.tags.append("mended")
    adapter.store.flush()
    assert [site.tags for site in reread(adapter).get_all(Site)] == [["a", "b"], ["mended"]]
