"""Processes that write to one store at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from diffsync_store import ObjectAlreadyExists, StoreInUse, StoreState
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.writing import writer as redis_writer
from tests.servers import wait_until
from tests.store.child import Child, is_told, listen, run, say
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, Inventory, Site, content, flat, open_store, read_flat, sites

NAMES = [f"device-{number}" for number in range(200)]
WRITERS = ("one", "two")
BUSY_SECONDS = 10.0
"""Seconds after its last sign of life at which a busy process is taken for a silent one."""


def add_all(url: str, store_id: str, role: str, names: list[str], flush_every: int) -> dict[str, list[str]]:
    """Add the devices, one of them at a time; which of them were taken, and which were refused.

    No process is taken for a silent one, and nothing is sent ahead because a machine stood still: each refusal is that of
    the device that is being added.
    """
    redis_writer.CLAIM_SECONDS, redis_store._FLUSH_AFTER = 20.0, 20.0
    adapter = flat(open_store(url, store_id))
    outcome: dict[str, list[str]] = {"taken": [], "refused": [], "roles": []}
    say("ready")
    listen()
    for number, name in enumerate(names, 1):
        try:
            adapter.add(Device(name=name, role=role))
            outcome["taken"].append(name)
        except ObjectAlreadyExists as error:
            existing: Any = error.existing_object
            outcome["refused"].append(existing.name)
            outcome["roles"].append(existing.role)
        if flush_every and number % flush_every == 0:
            adapter.store.flush()
    adapter.store.close()
    return outcome


ORDERS = {
    "the same order": (NAMES, NAMES),
    "opposite orders": (NAMES, NAMES[::-1]),
    "halves first": (NAMES[::2] + NAMES[1::2], NAMES[1::2] + NAMES[::2]),
}


@pytest.mark.slow
@pytest.mark.parametrize("flush_every", [0, 1, 7])
@pytest.mark.parametrize("order", ORDERS)
def test_each_object_that_two_processes_add_has_one_winner_whose_content_is_stored(
    open_redis: OpenStore, redis_url: str, store_id: str, order: str, flush_every: int
) -> None:
    with ExitStack() as stack:
        children = {
            role: stack.enter_context(
                Child(
                    add_all,
                    url=redis_url,
                    store_id=store_id,
                    role=role,
                    names=ORDERS[order][number],
                    flush_every=flush_every,
                )
            )
            for number, role in enumerate(WRITERS)
        }
        for child in children.values():
            assert child.heard() == "ready"
        for child in children.values():
            child.tell()
        outcomes = {role: child.result() for role, child in children.items()}

    assert sorted(outcomes["one"]["taken"] + outcomes["two"]["taken"]) == sorted(NAMES)
    assert sorted(outcomes["one"]["refused"] + outcomes["two"]["refused"]) == sorted(NAMES)
    stored = read_flat(redis_url, store_id)
    assert stored == {name: role for role, outcome in outcomes.items() for name in outcome["taken"]}
    for outcome in outcomes.values():
        assert [stored[name] for name in outcome["refused"]] == outcome["roles"]
    assert open_redis().record().counts == {"device": len(NAMES)}


@pytest.mark.slow
def test_what_each_of_two_processes_adds_keeps_its_order(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    with ExitStack() as stack:
        names = {role: [f"{role}-{number}" for number in range(100)] for role in WRITERS}
        children = [
            stack.enter_context(
                Child(add_all, url=redis_url, store_id=store_id, role=role, names=names[role], flush_every=9)
            )
            for role in WRITERS
        ]
        for child in children:
            child.heard()
        for child in children:
            child.tell()
        for child in children:
            assert child.result()["refused"] == []
    stored = read_flat(redis_url, store_id)
    for role in WRITERS:
        assert [name for name, stored_role in stored.items() if stored_role == role] == names[role]


def add_and_wait(url: str, store_id: str, role: str, names: list[str]) -> dict[str, Any]:
    """Add the devices, be silent until told to go on, then flush."""
    adapter = flat(open_store(url, store_id))
    for name in names:
        adapter.add(Device(name=name, role=role))
    say("buffered")
    listen()
    try:
        adapter.store.flush()
    except ObjectAlreadyExists as error:
        return {"error": str(error), "existing": error.existing_object.role}
    return {}


@pytest.mark.slow
def test_a_writer_that_was_inactive_longer_than_its_lease_overwrites_nothing(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    with Child(add_and_wait, url=redis_url, store_id=store_id, role="silent", names=NAMES[:20]) as silent:
        assert silent.heard() == "buffered"
        second = flat(open_redis())
        for name in NAMES[10:30]:
            second.add(Device(name=name, role="second"))
        second.store.flush()
        silent.tell()
        refusal = silent.result()
    assert "Object device-1" in refusal["error"]
    assert "9 more" in refusal["error"]
    assert refusal["existing"] == "second"
    expected = dict.fromkeys(NAMES[10:30], "second") | dict.fromkeys(NAMES[:10], "silent")
    assert read_flat(redis_url, store_id) == expected


def add_then_another(url: str, store_id: str) -> list[str]:
    """Add a device, be silent until told to go on, then add another one; the errors that came of it."""
    adapter = flat(open_store(url, store_id))
    adapter.add(Device(name="contested", role="silent"))
    say("buffered")
    listen()
    errors = []
    steps: list[Callable[[], None]] = [lambda: adapter.add(Device(name="own", role="silent")), adapter.store.flush]
    for step in steps:
        try:
            step()
        except ObjectAlreadyExists as error:
            errors.append(str(error))
    return errors


@pytest.mark.slow
def test_an_object_is_not_lost_because_an_earlier_one_is_refused_late(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    with Child(add_then_another, url=redis_url, store_id=store_id) as silent:
        silent.heard()
        second = flat(open_redis())
        second.add(Device(name="contested", role="second"))
        second.store.flush()
        silent.tell()
        errors = silent.result()
    assert errors == ["Object contested already present"]
    assert read_flat(redis_url, store_id) == {"contested": "second", "own": "silent"}


def load(url: str, store_id: str, role: str, pause_after: int = 0, lease: float = redis_writer.CLAIM_SECONDS) -> str:
    """Load 50 devices; say so and wait after the first `pause_after` of them."""
    redis_writer.CLAIM_SECONDS = lease
    adapter = flat(open_store(url, store_id))
    try:
        with adapter.store.loading():
            for number, name in enumerate(NAMES[:50], 1):
                adapter.add(Device(name=name, role=role))
                if number == pause_after:
                    say("loading")
                    listen()
    except StoreInUse as error:
        return str(error)
    return "loaded"


@pytest.mark.slow
def test_two_simultaneous_loads_of_one_store_result_in_one_of_them(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    with ExitStack() as stack:
        children: list[Child] = []
        started = []
        for role in WRITERS:
            children.append(
                stack.enter_context(Child(load, url=redis_url, store_id=store_id, role=role, pause_after=25))
            )
            started.append(children[-1].heard())
        for child in children:
            child.tell()
        results = [child.result() for child in children]
    assert started == ["loading", "loading"]
    assert results.count("loaded") == 1
    [refusal] = [result for result in results if result != "loaded"]
    assert "loaded again by another process" in refusal
    assert read_flat(redis_url, store_id) == dict.fromkeys(NAMES[:50], WRITERS[results.index("loaded")])
    assert open_redis().state is StoreState.COMPLETE


def load_steadily(url: str, store_id: str, flush: bool) -> int:
    """Load devices until told to end; how many they were."""
    redis_writer.CLAIM_SECONDS = BUSY_SECONDS
    store = open_store(url, store_id)
    adapter, number = flat(store), 0
    with store.loading():
        say("loading")
        while not is_told():
            number += 1
            adapter.add(Device(name=f"device-{number}", role="first"))
            if flush:
                store.flush()
    return number


@pytest.mark.slow
@pytest.mark.parametrize("flush", [False, True], ids=["buffering", "flushing"])
def test_a_load_is_refused_while_another_process_is_busy_loading_the_store(
    open_redis: OpenStore, redis_url: str, store_id: str, flush: bool
) -> None:
    with Child(load_steadily, url=redis_url, store_id=store_id, flush=flush) as first:
        first.heard()
        refusal = run(load, url=redis_url, store_id=store_id, role="second", lease=BUSY_SECONDS)
        first.tell()
        number = first.result()
    assert "is being written by another process (" in refusal
    assert "Wait for it or stop it" in refusal
    assert len(read_flat(redis_url, store_id)) == number
    assert open_redis().state is StoreState.COMPLETE


@pytest.mark.slow
def test_what_a_second_writer_changes_during_a_load_is_found_by_a_diff(open_redis: OpenStore) -> None:
    """The index covers what the load has written; what comes later is touched."""
    expected, adapter, other = sites(), sites(open_redis()), sites(open_redis())

    def in_both(change: Callable[[Inventory], None], writer: Inventory) -> None:
        change(expected)
        change(writer)

    def first(adapter: Inventory) -> None:
        for number in range(6):
            device = Device(name=f"d{number}")
            adapter.add(device)
            adapter.add(Site(name=f"s{number}", devices=[device.name]))

    def of_other(adapter: Inventory) -> None:
        adapter.add(Device(name="others"))
        adapter.get(Site, "s1").devices.append("others")
        adapter.get(Device, "d2").role = "spine"
        adapter.get(Site, "s3").devices.clear()
        adapter.remove(adapter.get(Device, "d3"))

    def last(adapter: Inventory) -> None:
        adapter.add(Device(name="last"))
        adapter.add(Site(name="last", devices=["last", "d0"]))
        adapter.get(Site, "s4").region = "north"
        adapter.remove(adapter.get(Site, "s5"))

    with adapter.store.loading():
        in_both(first, adapter)
        adapter.store.flush()
        in_both(of_other, other)  # once the claim of the load has ended
        other.store.flush()
        in_both(last, adapter)
    record = open_redis().record()
    assert record.state is StoreState.COMPLETE
    assert not record.undigested
    loaded = sites(open_redis())
    assert in_no_order(content(loaded)) == in_no_order(content(expected))
    original = sites()
    first(original)
    assert loaded.diff_from(expected).summary() == expected.diff_from(expected).summary()
    assert loaded.diff_from(original).summary() == expected.diff_from(original).summary()
    assert loaded.diff_to(original).dict() == expected.diff_to(original).dict()


def in_no_order(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(objects, key=lambda fields: str(fields["name"])) for name, objects in found.items()}


@pytest.mark.parametrize("is_flushed", [True, False])
def test_a_load_that_another_writer_joins_refuses_its_own_duplicates_and_loses_nothing(
    open_redis: OpenStore, monkeypatch: pytest.MonkeyPatch, is_flushed: bool
) -> None:
    monkeypatch.setattr(redis_writer, "CLAIM_SECONDS", 0.05)
    store = open_redis()
    adapter = sites(store)
    with store.loading():
        adapter.add(Site(name="one", region="first"))
        store.flush()
        with open_redis().sharing():  # others write from now on
            wait_until(lambda: time.monotonic() > store._writer.claim_until)
        with pytest.raises(ObjectAlreadyExists):
            adapter.add(Site(name="one", region="second"))
        store.update(obj=Device(name="new", role="first"))
        if is_flushed:
            store.flush()
        store.update(obj=Device(name="new", role="second"))
        adapter.add(Site(name="two", devices=["new"]))
    loaded, expected = sites(open_redis()), sites()
    for obj in (Site(name="one", region="first"), Device(name="new", role="second"), Site(name="two", devices=["new"])):
        expected.add(obj)
    assert content(loaded) == content(expected)
    assert loaded.diff_from(expected).summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 3, "skip": 0}
