"""Loads in shards while processes die, answers are lost and servers restart: never sealed wrongly."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from redis.backoff import NoBackoff

from diffsync_store import ObjectStoreException, ShardState, StoreInUse, StoreState
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.shards.claim import ShardClaim
from tests.proxy import Proxy
from tests.servers import RedisServer
from tests.store.inventory import Device, Site, flat, sites
from tests.store.redis.stored_index import read_index

OF = ("devices", "sites")
SCRIPT = b"EVAL"
COUNT = 1500

CHILD = """
import sys, time
from diffsync_store.store.redis import RedisStore
from tests.store.inventory import Device, flat
url, store_id = sys.argv[1:]
with RedisStore(store_id=store_id, url=url) as store:
    with store.loading(shard="devices", of=("devices", "sites")):
        for number in range(3000):
            flat(store).add(Device(name=f"of the dead process {number}"))
        store.flush()
        print("written", flush=True)
        time.sleep(60)
"""


def load_devices(store: RedisStore) -> None:
    adapter = flat(store)
    with store.loading(shard="devices", of=OF):
        for number in range(COUNT):
            adapter.add(Device(name=f"d{number}"))


def load_sites(store: RedisStore) -> None:
    """Sites whose devices are in the other shard, and one that lists a device that does not exist."""
    adapter = sites(store)
    with store.loading(shard="sites", of=OF):
        for number in range(COUNT // 10):
            adapter.add(Site(name=f"s{number}", devices=[f"d{each}" for each in range(number * 10, number * 10 + 10)]))
        adapter.add(Site(name="last", devices=["gone"]))


def indexes(server: RedisServer, store_id: str) -> Any:
    with closing(server.client()) as client:
        return [read_index(client, store_id, model) for model in ("site", "device")]


@pytest.fixture
def store(redis_server: RedisServer, store_id: str) -> Iterator[RedisStore]:
    with RedisStore(store_id=store_id, url=redis_server.url) as opened:
        yield opened
        opened.drop()


@pytest.fixture
def expected(redis_server: RedisServer, store_id: str) -> Iterator[Any]:
    """The index of an undisturbed load."""
    with RedisStore(store_id=f"{store_id}-calm", url=redis_server.url) as calm:
        load_devices(calm)
        load_sites(calm)
        calm.seal()
        yield indexes(redis_server, calm.store_id)
        calm.drop()


@pytest.mark.slow
def test_a_shard_that_could_not_be_begun_can_be_loaded_by_anybody(own_redis: RedisServer, store_id: str) -> None:
    """Redis refuses the last step: nobody gives signs of life for the shard from then on."""
    url = own_redis.url.replace("redis://", "redis://few:secret@")
    with closing(own_redis.client()) as client:
        client.acl_setuser("few", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-zadd"])
        with RedisStore(store_id=store_id, url=url) as few, RedisStore(store_id=store_id, url=own_redis.url) as other:
            with pytest.raises(ObjectStoreException, match="lacks a right"):
                load_devices(few)
            load_devices(other)
            assert other.shards()[0].counts == {"device": COUNT}
            client.acl_setuser("few", enabled=True, commands=["+@all"])
            load_devices(few)
            load_sites(few)
            assert few.seal().state is StoreState.COMPLETE


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_only_its_shard_is_loaded_again(
    redis_server: RedisServer, store: RedisStore, expected: Any
) -> None:
    load_sites(store)
    before = store.shards()[1]
    command = [sys.executable, "-c", CHILD, redis_server.url, store.store_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)
    dead = store.shards()[0]
    assert dead.state is ShardState.LOADING
    load_devices(store)
    record = store.seal()
    assert record.state is StoreState.COMPLETE
    assert record.counts == {"device": COUNT, "site": COUNT // 10 + 1}
    assert record.shards[1] == before
    assert indexes(redis_server, store.store_id) == expected


@pytest.mark.slow
def test_the_objects_of_a_killed_process_are_not_sealed(redis_server: RedisServer, store: RedisStore) -> None:
    load_sites(store)
    command = [sys.executable, "-c", CHILD, redis_server.url, store.store_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)
    record = store.seal()
    assert record.state is StoreState.PARTIAL
    assert record.counts == {"site": COUNT // 10 + 1}
    assert record.reason == "the load of the shard devices failed: its process gave no sign of life"
    assert record.undigested == ""


def test_a_load_that_loses_answers_is_sealed_whole(
    redis_server: RedisServer, store: RedisStore, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffsync_store.store.redis.connection.retry.EqualJitterBackoff", lambda **_: NoBackoff())
    with Proxy(redis_server.port) as proxy, RedisStore(store_id=store.store_id, url=proxy.url) as through:
        load_devices(through)  # an earlier attempt
        proxy.lose_answers(SCRIPT, every=3)
        load_devices(through)
        load_sites(through)
        assert through.seal().state is StoreState.COMPLETE
        proxy.lose_answers(SCRIPT, every=0)
        assert proxy.lost >= 5
    assert indexes(redis_server, store.store_id) == expected


@pytest.mark.slow
def test_a_seal_that_dies_at_any_step_is_repeated(
    redis_server: RedisServer, store: RedisStore, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_devices(store)
    load_sites(store)
    call, steps = ShardClaim.call, 0

    def die(claim: ShardClaim, *arguments: Any, **named: Any) -> Any:
        nonlocal steps
        steps -= 1
        answer = call(claim, *arguments, **named)
        if steps == 0:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(ShardClaim, "call", die)
    deaths = 0
    for last in range(1, 100):
        steps = last
        try:
            store.seal()
        except KeyboardInterrupt:
            deaths += 1
            continue
        break
    assert deaths > 10
    assert store.seal().state is StoreState.COMPLETE
    assert indexes(redis_server, store.store_id) == expected


def test_several_processes_seal_at_once(redis_server: RedisServer, store: RedisStore, expected: Any) -> None:
    load_devices(store)
    load_sites(store)

    def seal(_: int) -> Any:
        with RedisStore(store_id=store.store_id, url=redis_server.url) as other:
            return other.seal().state

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(seal, range(4))) == [StoreState.COMPLETE] * 4
    assert indexes(redis_server, store.store_id) == expected


@pytest.mark.slow
def test_a_restart_between_shards_is_noticed(expected: Any) -> None:
    options = "--appendonly", "yes", "--appendfsync", "always"
    with RedisServer("valkey", *options) as server, RedisStore(store_id="s", url=server.url) as store:
        load_devices(store)
        server.kill()
        server.start()
        load_sites(store)
        with pytest.raises(ObjectStoreException, match=r"restarted.*Load these shards again: devices\."):
            store.seal()
        assert [shard.state for shard in store.shards()] == [ShardState.FAILED, ShardState.COMPLETE]
        assert store.record().state is StoreState.LOADING
        load_devices(store)
        assert store.seal().state is StoreState.COMPLETE
        assert indexes(server, "s") == expected


def begin_and_pause(store: RedisStore, objects: int) -> None:
    """Load some devices, then give no more signs of life, as a process that is stopped."""
    store._begin_shard("devices", store._plan("devices", OF, ""), store._load_report)
    for number in range(objects):
        flat(store).add(Device(name=f"paused {number}"))
    store.flush()
    assert store._shard is not None
    store._shard.stop()
    store._redis.hset(store._keys.record, "until:0", 0)


def test_a_paused_process_writes_nothing_after_the_store_was_sealed_without_its_shard(
    redis_server: RedisServer, store: RedisStore
) -> None:
    with RedisStore(store_id=store.store_id, url=redis_server.url) as paused:
        begin_and_pause(paused, 3)
        load_sites(store)
        sealed = store.seal()
        assert sealed.state is StoreState.PARTIAL
        with pytest.raises(StoreInUse):  # noqa: PT012  # the add, if its claim has ended meanwhile
            flat(paused).add(Device(name="late"))
            paused.flush()
        paused._discard_all()
        with pytest.raises(StoreInUse):
            paused._end_shard(ShardState.COMPLETE, "", {})
        paused._shard = None
    assert store.record() == sealed


def test_a_paused_process_ends_its_shard_if_nobody_has_come(redis_server: RedisServer, store: RedisStore) -> None:
    with RedisStore(store_id=store.store_id, url=redis_server.url) as paused:
        begin_and_pause(paused, 3)
        flat(paused).add(Device(name="late"))
        paused._end_shard(ShardState.COMPLETE, "", {})
        paused._shard = None
    load_sites(store)
    assert store.seal().counts["device"] == 4


def load_one(store: RedisStore, name: str) -> None:
    with store.loading(shard="devices", of=OF):
        flat(store).add(Device(name=name, role="of the first"))


@pytest.mark.parametrize("is_removed", [True, False])
def test_an_object_that_another_shard_gives_up_meanwhile_is_changed_and_removed(
    redis_server: RedisServer, store: RedisStore, is_removed: bool
) -> None:
    with RedisStore(store_id=store.store_id, url=redis_server.url) as first:
        load_one(first, "both")
        with store.loading(shard="sites", of=OF):
            flat(store).add(Device(name="both", role="of the second"))
            store.flush()
            load_one(first, "only")
            if is_removed:
                store.remove_item("device", "both")
            else:
                store.update(obj=Device(name="both", role="changed"))
    assert store.seal().state is StoreState.COMPLETE
    found = {device.name: device.role for device in flat(store).get_all(Device)}
    assert found == {"only": "of the first"} | ({} if is_removed else {"both": "changed"})


def test_a_unique_id_that_no_page_can_hold_is_refused_by_name(store: RedisStore) -> None:
    refused = pytest.raises(ObjectStoreException, match=r"A unique id of a device has more than 65,535 bytes")
    with refused, store.loading(shard="devices", of=OF):
        flat(store).add(Device(name="x" * 65_536))
    with store.loading(shard="devices", of=OF):
        flat(store).add(Device(name="x" * 65_535))
        flat(store).add(Device(name="ä" * 20_000))
    load_sites(store)
    assert store.seal().counts["device"] == 2
    assert [device.name[0] for device in flat(store).get_all(Device)] == ["x", "ä"]
