"""A request whose answer is lost is executed once, and a silent server is not waited for forever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from diffsync_store import ObjectStoreException, StoredAdapter, StoreInUse
from diffsync_store.diffs import RedisDiffs
from diffsync_store.operation import operations_of
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.connection.retry import RETRIES
from diffsync_store.store.redis.diffs import DiffWriter
from diffsync_store.store.redis.diffs.pages import PAGE
from diffsync_store.store.redis.keys import DiffKeys
from tests.proxy import Proxy
from tests.servers import RedisServer, wait_until
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, Flat, content, flat

UNAVAILABLE = r"^Redis store is unavailable\.$"
SCRIPT = b"EVAL"
"""In each request that runs a script, by its digest or by its text."""
COMMAND = rb"^\*\d+\r\n\$\d+\r\n(?!HELLO|CLIENT|AUTH|SELECT)"
"""Each request but those that begin a connection."""


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    """Ask for it before `open_redis`, whose stores are dropped through it."""
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once: how long they wait is redis-py's business."""
    monkeypatch.setattr("diffsync_store.store.redis.connection.retry.EqualJitterBackoff", lambda **_: NoBackoff())


def devices(count: int) -> list[Device]:
    return [Device(name=f"d{number:05}") for number in range(count)]


def filled(store: RedisStore, objects: list[Device]) -> Flat:
    adapter = flat(store)
    with store.loading():
        for obj in objects:
            adapter.add(obj)
    return adapter


@pytest.mark.usefixtures("quick")
def test_a_load_that_loses_answers_is_whole(proxy: Proxy, open_redis: OpenStore, store_id: str) -> None:
    filled(open_redis(), [Device(name=f"of an earlier load {number}") for number in range(30)])
    through = open_redis(url=proxy.url)
    proxy.lose_answers(SCRIPT, every=3)
    filled(through, devices(5000))
    proxy.lose_answers(SCRIPT, every=0)
    assert proxy.lost >= 3
    store = open_redis()
    assert store.require_complete().counts == {"device": 5000}
    assert [device.name for device in flat(store).get_all(Device)] == [device.name for device in devices(5000)]
    with open_redis(store_id=f"{store_id}-other") as other:
        filled(other, devices(5000))
        diff = StoredAdapter(store).diff_from(StoredAdapter(other))
        assert diff.summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 5000, "skip": 0}
        other.drop()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_changes_of_every_kind_whose_answers_are_lost_are_made_once(proxy: Proxy, open_redis: OpenStore) -> None:
    filled(open_redis(), devices(3000))
    through = open_redis(url=proxy.url)
    adapter, expected = flat(through), {device.name: device.role for device in devices(3000)}
    proxy.lose_answers(SCRIPT, every=2)
    for number, device in enumerate(adapter.get_all(Device)):
        if number % 3 == 0:
            adapter.remove(device)
            del expected[device.name]
        elif number % 3 == 1:
            device.role = expected[device.name] = "spine"
        else:
            adapter.update(Device(name=device.name, role="core"))
            expected[device.name] = "core"
    for device in devices(3010)[3000:]:
        adapter.add(device)
        expected[device.name] = device.role
    through.flush()
    proxy.lose_answers(SCRIPT, every=0)
    assert proxy.lost >= 3
    found = {device.name: device.role for device in flat(open_redis()).get_all(Device)}
    assert found == expected
    assert list(found) == list(expected)
    assert open_redis().count() == len(expected)


@pytest.mark.usefixtures("quick")
def test_each_command_of_a_store_is_sent_again(proxy: Proxy, open_redis: OpenStore) -> None:
    filled(open_redis(), devices(10))
    through = open_redis(url=proxy.url, ttl=100)
    adapter = flat(through)
    proxy.lose_answers(COMMAND, every=2)
    assert adapter.get(Device, "d00003").name == "d00003"
    assert len(adapter.get_all(Device)) == adapter.count() == 10
    adapter.add(Device(name="more"))
    through.flush()
    adapter.remove(adapter.get(Device, "d00001"))
    through.flush()
    assert through.record().counts == {"device": 10}
    through.drop()
    assert proxy.lost >= 8


@pytest.mark.usefixtures("quick")
def test_a_diff_that_loses_answers_is_saved_right(redis_server: RedisServer, proxy: Proxy, store_id: str) -> None:
    source, target = flat(), flat()
    for device in devices(1700):
        source.add(device)
    diff = target.diff_from(source)
    with closing(RedisDiffs(url=proxy.url)) as diffs:
        proxy.lose_answers(SCRIPT, every=2)
        diffs.save(diff, store_id)
        proxy.lose_answers(SCRIPT, every=0)
        assert proxy.lost >= 3
    with closing(RedisDiffs(url=redis_server.url)) as diffs:
        saved = diffs.open(store_id)
        assert list(saved.elements()) == list(operations_of(diff))
        assert saved.diff().dict() == diff.dict()
        saved.drop()


def test_two_simultaneous_saves_of_one_diff_id_do_not_mix(redis_server: RedisServer, store_id: str) -> None:
    target, source = flat(), flat()
    for device in devices(PAGE + 100):
        source.add(device)
    diff = target.diff_from(source)
    keys = DiffKeys(store_id)
    with closing(redis_server.client()) as client:
        writer = DiffWriter(client, keys, 60)
        texts = [operation.text().encode() for operation in operations_of(diff)]
        writer.append(texts[:PAGE])
        client.delete(keys.elements)
        client.rpush(keys.elements, "of the other", "and more")
        with pytest.raises(StoreInUse, match="Another process is saving a diff"):
            writer.append(texts[PAGE:])
        assert client.lrange(keys.elements, 0, -1) == [b"of the other", b"and more"]
        client.delete(keys.elements)


def test_a_given_retry_policy_is_used(proxy: Proxy, open_redis: OpenStore) -> None:
    filled(open_redis(), devices(1))
    store = open_redis(url=proxy.url, retry=Retry(NoBackoff(), 0))
    proxy.lose_answers(SCRIPT)
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE):
        store.record()
    assert proxy.lost == 1
    proxy.lose_answers(SCRIPT, every=0)
    assert store.record().counts == {"device": 1}


@pytest.mark.usefixtures("quick")
def test_retries_end(proxy: Proxy, open_redis: OpenStore) -> None:
    filled(open_redis(), devices(1))
    store = open_redis(url=proxy.url)
    proxy.lose_answers(SCRIPT)
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE):
        store.record()
    assert proxy.lost == 1 + RETRIES
    proxy.lose_answers(SCRIPT, every=0)
    assert store.record().counts == {"device": 1}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the pauses between tries, which really happen."""
    found: list[float] = []

    def sleep(seconds: float) -> None:
        found.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr("redis.retry.sleep", sleep)
    return found


def expect_waits(waits: list[float]) -> None:
    """Those of one call that was tried as often as it may be."""
    assert len(waits) == RETRIES
    assert 0.75 <= sum(waits) <= 1.5


def test_a_server_that_is_restarted_between_two_tries_is_found_again(
    own_redis: RedisServer, waits: list[float]
) -> None:
    store = RedisStore(url=own_redis.url)
    own_redis.kill()
    own_redis.start()
    assert store.count() == 0
    own_redis.kill()
    waits.clear()
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE):
        store.count()
    expect_waits(waits)


@pytest.mark.slow
def test_a_server_that_takes_connections_and_never_answers_is_unavailable(waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ObjectStoreException, match=UNAVAILABLE):
            RedisStore(port=silent.getsockname()[1], socket_timeout=0.3)
        assert time.monotonic() - started < 80  # three times the default would be 90
    expect_waits(waits)


@pytest.mark.slow
def test_a_server_that_falls_silent_is_unavailable(own_redis: RedisServer, waits: list[float]) -> None:
    store = RedisStore(url=own_redis.url, socket_timeout=0.3)
    own_redis.pause()
    waits.clear()
    started = time.monotonic()
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE):
        store.count()
    assert time.monotonic() - started < 80
    expect_waits(waits)
    own_redis.resume()
    assert store.count() == 0


def test_a_refused_password_is_offered_once() -> None:
    with RedisServer(password="right") as server, closing(server.client()) as admin:
        with pytest.raises(ObjectStoreException, match="refused the user name or password"):
            RedisStore(host="127.0.0.1", port=server.port, password="wrong")
        wait_until(lambda: logged(admin), 100, "the refusal is in the ACL log")
        assert sum(entry["count"] for entry in logged(admin)) == 1


def logged(client: redis.Redis) -> list[dict[str, Any]]:
    entries: Any = client.acl_log()
    return [entry for entry in entries if entry["reason"] == "auth"]


def test_content_is_the_same_through_a_proxy(proxy: Proxy, open_redis: OpenStore) -> None:
    filled(open_redis(), devices(2500))
    assert content(flat(open_redis(url=proxy.url))) == content(flat(open_redis()))
