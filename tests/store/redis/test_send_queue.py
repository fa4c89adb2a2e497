"""Batches are sent to Redis while the next ones are built: none is lost, repeated or out of order."""

from __future__ import annotations

import os
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from diffsync_store import ObjectAlreadyExists, ObjectStoreException
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.writing import writer as redis_writer
from diffsync_store.store.redis.writing.batch import MAX_BYTES, MAX_OBJECTS, Batch, Kind, joined
from diffsync_store.store.redis.writing.writer import CLAIM_SECONDS
from tests.proxy import Proxy
from tests.servers import RedisServer, wait_until
from tests.store.child import run
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, flat, open_store, read_flat

BATCH = 1000


def names(start: int, stop: int) -> list[str]:
    return [f"d{number:05}" for number in range(start, stop)]


@pytest.fixture
def by_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a batch only if it is full, never because of its age."""
    monkeypatch.setattr(redis_store, "_FLUSH_AFTER", 60.0)


@pytest.mark.usefixtures("by_size_alone")
def test_a_load_does_not_wait_for_a_batch_to_be_written(
    own_redis: RedisServer, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "CLAIM_SECONDS", 60.0)  # else who has stood still asks first
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        adapter = flat(store)
        for name in names(0, 2 * BATCH):  # the server knows the script from here on
            adapter.add(Device(name=name))
        store.flush()
        for name in names(2 * BATCH, 3 * BATCH - 1):
            adapter.add(Device(name=name))
        last = Device(name=f"d{3 * BATCH - 1:05}")
        own_redis.pause()
        adapter.add(last)  # the batch is full
        last.role = "changed on the way"
        own_redis.resume()
    assert read_flat(own_redis.url, store_id) == {
        **dict.fromkeys(names(0, 3 * BATCH - 1), "leaf"),
        last.name: "changed on the way",
    }


@pytest.mark.slow
@pytest.mark.usefixtures("by_size_alone")
@pytest.mark.parametrize("script", ["ADD", "LOAD", "WRITE"])
def test_a_batch_that_is_sent_again_after_a_lost_answer_is_not_a_duplicate(
    redis_server: RedisServer, store_id: str, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer takes over the store before the batch is sent again."""
    if script == "LOAD":  # as if the server took no transactions
        monkeypatch.setattr(redis_writer, "ask_in_transaction", lambda *_: None)
    with Proxy(redis_server.port) as proxy:
        through = RedisStore(url=proxy.url, store_id=store_id)
        adapter = flat(through)
        for name in names(0, BATCH):
            if name == "d00009" and script == "WRITE":
                through.flush()  # ends the load of the new store
            adapter.add(Device(name=name))
        through.count()  # the server knows the script from here on
        proxy.lose_answers(getattr(scripts, script).digest.encode())
        for name in names(BATCH, 2 * BATCH):
            adapter.add(Device(name=name))
        with closing(redis_server.client()) as client:
            key = StoreKeys(store_id).objects("device")
            wait_until(lambda: client.hlen(key) > BATCH)
        time.sleep(CLAIM_SECONDS)
        with RedisStore(url=redis_server.url, store_id=store_id) as other:
            flat(other).add(Device(name="of another"))
        proxy.lose_answers(b"", every=0)
        through.flush()
        through.close()
        assert proxy.lost >= 1
    found = list(read_flat(redis_server.url, store_id))
    assert [name for name in found if name != "of another"] == names(0, 2 * BATCH)
    assert len(found) == 2 * BATCH + 1
    with RedisStore(url=redis_server.url, store_id=store_id) as store:
        store.drop()


def test_lost_writes_are_reported(own_redis: RedisServer, store_id: str) -> None:
    """A server that restarts with an older state refuses further writes."""
    store = RedisStore(url=own_redis.url, store_id=store_id)
    adapter = flat(store)
    for name in names(0, BATCH):
        adapter.add(Device(name=name))
    store.flush()
    with closing(own_redis.client()) as client:
        client.save()
    for name in names(BATCH, 2 * BATCH):
        adapter.add(Device(name=name))
    store.flush()
    own_redis.kill()
    own_redis.start()
    with pytest.raises(ObjectStoreException, match=f"Redis has lost objects .* store '{store_id}'.* Load it again"):  # noqa: PT012
        adapter.add(Device(name="later"))  # refused if its claim has ended meanwhile
        store.flush()
    assert list(read_flat(own_redis.url, store_id)) == names(0, BATCH)
    store.drop()


def fork_and_write(url: str, store_id: str) -> int:
    store = open_store(url, store_id)
    adapter = flat(store)
    for name in names(0, BATCH + 10):
        adapter.add(Device(name=name))
    pid = os.fork()
    if pid == 0:
        failed = 1
        try:
            assert adapter.get(Device, "d01005").role == "leaf"
            adapter.add(Device(name="childs"))
            store.close()
            failed = 0
        finally:
            os._exit(failed)
    for name in names(BATCH + 10, 2 * BATCH + 20):
        adapter.add(Device(name=name))
    _, status = os.waitpid(pid, 0)
    store.close()
    return status


@pytest.mark.slow
def test_a_fork_and_its_parent_both_write(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    open_redis()
    assert run(fork_and_write, url=redis_url, store_id=store_id) == 0
    assert sorted(read_flat(redis_url, store_id)) == sorted([*names(0, 2 * BATCH + 20), "childs"])


def test_a_closed_store_has_no_writer_left(open_redis: OpenStore, redis_server: RedisServer) -> None:
    store = open_redis()
    flat(store).add(Device(name="one"))
    store.close()
    with closing(redis_server.client()) as client:
        fields: Any = client.hkeys(StoreKeys(store.store_id).record)
    assert not [field for field in fields if field.startswith((b"batch:", b"refused:"))]


def test_released_new_objects_can_be_read_changed_and_removed_before_they_are_written(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    store = open_redis()
    adapter = flat(store)
    for name in names(0, 200):  # less than a batch, more than are kept as objects
        adapter.add(Device(name=name))
    found = adapter.get(Device, "d00003")
    assert found is adapter.get(Device, "d00003")
    found.role = "changed"
    adapter.remove(adapter.get(Device, "d00005"))
    adapter.update(Device(name="d00007", role="replaced"))
    with pytest.raises(ObjectAlreadyExists):
        adapter.add(Device(name="d00009"))
    store.flush()
    found.role = "changed again"
    store.flush()
    expected = dict.fromkeys(names(0, 200), "leaf") | {"d00003": "changed again", "d00007": "replaced"}
    del expected["d00005"]
    assert list(read_flat(redis_url, store_id).items()) == list(expected.items())


@pytest.mark.usefixtures("by_size_alone")
@pytest.mark.parametrize("loading", [{}, {"shard": "all", "of": ["all"]}])
def test_objects_that_wait_to_be_sent_are_found(
    redis_server: RedisServer, store_id: str, loading: dict[str, Any]
) -> None:
    with RedisStore(url=redis_server.url, store_id=store_id) as store, store.loading(**loading):
        adapter = flat(store)
        for name in names(0, MAX_OBJECTS // 2):
            adapter.add(Device(name=name))
        adapter.get(Device, "d00000").role = "changed"
        with pytest.raises(ObjectAlreadyExists):
            adapter.add(Device(name="d00001"))
        adapter.remove(adapter.get(Device, "d00002"))
        adapter.add(Device(name="d00002", role="added again"))
    if loading:
        store = RedisStore(url=redis_server.url, store_id=store_id)
        store.seal()
        store.close()
    expected = {**dict.fromkeys(names(0, MAX_OBJECTS // 2), "leaf"), "d00000": "changed", "d00002": "added again"}
    found = read_flat(redis_server.url, store_id)
    assert found == expected
    assert list(found) == [name for name in expected if name != "d00002"] + ["d00002"]


def batch(model: str, kind: Kind, *uids: str, number: int = 0) -> Batch:
    found = Batch(model, kind, number=number)
    for uid in uids:
        found.append(uid, uid.encode(), b"digest", {"port": [uid]})
    return found


def test_batches_of_one_model_and_kind_that_follow_each_other_are_joined() -> None:
    given = [
        batch("site", "adds", "s", number=1),  # may have been sent
        batch("site", "adds", "a"),
        batch("device", "adds", "a", "b"),
        batch("site", "adds", "b"),
        batch("device", "adds", "c"),
        batch("device", "adds", "d"),
        batch("site", "deletes", "a"),
        batch("site", "adds", "a"),
    ]
    found = joined(given, 3)
    assert [(each.model, each.kind, each.uids) for each in found] == [
        ("site", "adds", ["s"]),
        ("site", "adds", ["a", "b"]),
        ("device", "adds", ["a", "b", "c"]),
        ("device", "adds", ["d"]),
        ("site", "deletes", ["a"]),
        ("site", "adds", ["a"]),
    ]
    assert found[0] is given[0]
    assert found[2] == replace(batch("device", "adds", "a", "b", "c"), is_queued=True)
    assert [each.uids for each in given[1:3]] == [["a"], ["a", "b"]]


def test_joined_batches_are_not_too_long() -> None:
    half = Batch("site", "adds")
    half.append("a", bytes(MAX_BYTES // 2), b"digest")
    assert len(joined([half, half, half], 10)) == 3
    half.values, half.size = [bytes(MAX_BYTES // 2 - 2)], MAX_BYTES // 2
    assert len(joined([half, half, half], 10)) == 2
