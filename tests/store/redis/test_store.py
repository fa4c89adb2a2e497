"""What a store in Redis promises beyond the contract of every store."""

from __future__ import annotations

import gc
import os
import pickle
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pydantic
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from airports.demo.ports import free_port
from diffsync_store import (
    DiffSyncModel,
    ObjectStoreException,
    StoredAdapter,
    StoreInUse,
    StoreNotComplete,
    StoreNotFound,
    StoreReloaded,
    StoreState,
)
from diffsync_store.store.redis import RedisStore, RedisStores
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.writing import writer as redis_writer
from tests.servers import RedisServer, wait_until
from tests.store.child import Child, listen, run, say
from tests.store.conftest import OpenStore, keys_of
from tests.store.inventory import Device, Inventory, Site, content, flat, open_store, read_flat, sites

SECRET = "s3cret-pa55"
UNAVAILABLE = r"^Redis store is unavailable\.$"


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Any]:
    with closing(redis_server.client()) as client:
        yield client


@pytest.fixture(scope="module")
def locked_server() -> Iterator[RedisServer]:
    with RedisServer(password=SECRET) as server:
        yield server


def texts(error: BaseException) -> str:
    """All that a traceback of the error would show."""
    parts = [repr(error), str(error), *getattr(error, "__notes__", [])]
    parts += [texts(below) for below in (error.__cause__, error.__context__) if below is not None]
    return "\n".join(parts)


# Name and store_id


def test_a_store_has_its_name_and_its_id(open_redis: OpenStore, store_id: str) -> None:
    assert str(open_redis(name="netbox")) == f"netbox ({store_id})"
    assert str(open_redis()) == f"RedisStore ({store_id})"


def test_a_store_without_an_id_makes_up_a_new_one(redis_url: str) -> None:
    with RedisStore(url=redis_url) as first, RedisStore(url=redis_url) as second:
        assert first.store_id
        assert first.store_id != second.store_id


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128, "..", "-"])
def test_letters_digits_and_three_signs_make_a_store_id(redis_url: str, given: str) -> None:
    with RedisStore(url=redis_url, store_id=given) as store:
        assert store.store_id == given


@pytest.mark.parametrize(
    "given", ["", "a:b", "a*", "a b", "{a}", "a}", "ä", "a\n", "\n", "a/b", "x" * 129, "x" * 10_000, "٣", "a\0"]
)
def test_any_other_store_id_is_refused_with_the_rule(redis_url: str, given: str) -> None:
    with pytest.raises(ObjectStoreException, match="use 1 to 128 letters, digits") as raised:
        RedisStore(url=redis_url, store_id=given)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_time_to_live_below_a_second_is_refused(redis_url: str, ttl: int) -> None:
    with pytest.raises(ObjectStoreException, match="at least 1 second"):
        RedisStore(url=redis_url, ttl=ttl)


# Connections


@pytest.mark.parametrize("place", ["host", "url"])
def test_an_unknown_option_is_refused(redis_server: RedisServer, place: str) -> None:
    where: dict[str, Any] = (
        {"url": redis_server.url} if place == "url" else {"host": "127.0.0.1", "port": redis_server.port}
    )
    with pytest.raises(TypeError, match="sockettimeout"):
        RedisStore(**where, sockettimeout=3)


def test_host_and_url_together_are_refused(redis_server: RedisServer) -> None:
    with pytest.raises(ObjectStoreException, match="'host' and 'url' can not be specified at the same time"):
        RedisStore(host="127.0.0.1", port=redis_server.port, url=redis_server.url)


@pytest.mark.parametrize("options", [{"host": "127.0.0.1"}, {"url": "redis://127.0.0.1"}, {"password": SECRET}])
def test_a_client_and_the_means_to_make_one_together_are_refused(client: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ObjectStoreException, match="not both") as raised:
        RedisStore(client=client, **options)
    assert SECRET not in texts(raised.value)


def test_host_and_port_are_enough(redis_server: RedisServer, open_redis: OpenStore) -> None:
    with flat(open_redis(url=None, host="127.0.0.1", port=redis_server.port)).store as store:
        store.add(obj=Device(name="a"))
    assert flat(open_redis()).count() == 1


def test_a_unix_socket_is_enough(redis_server: RedisServer, open_redis: OpenStore) -> None:
    with open_redis(url=None, unix_socket_path=str(redis_server.unix_socket)) as store:
        store.add(obj=Device(name="a"))
    with open_redis(url=f"unix://{redis_server.unix_socket}") as store:
        assert store.count() == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", f"rediss:{SECRET}@x", f"redi://:{SECRET}@host"])
def test_a_url_of_another_kind_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ObjectStoreException, match="begin with redis://, rediss://, unix://") as raised:
        RedisStore(url=url)
    assert SECRET not in texts(raised.value)


def test_a_port_that_is_no_number_is_refused_without_the_url_being_repeated() -> None:
    with pytest.raises(ObjectStoreException, match="URL is not valid") as raised:
        RedisStore(url=f"redis://:{SECRET}@127.0.0.1:port/0")
    assert SECRET not in texts(raised.value)


def test_the_database_of_the_url_is_used(redis_server: RedisServer, store_id: str) -> None:
    url = redis_server.url.removesuffix("/0") + "/3"
    with RedisStore(url=url, store_id=store_id) as store:
        store.add(obj=Device(name="a"))
        store.flush()
        with closing(redis_server.client()) as other, closing(redis.Redis.from_url(url)) as own:
            assert keys_of(other, store_id) == set()
            assert keys_of(own, store_id) != set()
        store.drop()


def test_the_database_may_be_given_by_itself(redis_server: RedisServer, store_id: str) -> None:
    with RedisStore(host="127.0.0.1", port=redis_server.port, db=4, store_id=store_id) as store:
        store.add(obj=Device(name="a"))
        store.flush()
        with closing(redis.Redis(port=redis_server.port, db=4)) as own:
            assert keys_of(own, store_id) != set()
        store.drop()


def test_a_given_client_is_used_and_not_closed(client: Any, store_id: str) -> None:
    store = RedisStore(client=client, store_id=store_id)
    store.add(obj=Device(name="a"))
    store.close()
    pool = client.connection_pool
    assert client.ping()
    assert client.connection_pool is pool
    with RedisStore(client=client, store_id=store_id) as again:
        assert again.count() == 1
        again.drop()


def test_a_client_that_the_store_created_is_closed_with_it(own_redis: RedisServer, store_id: str) -> None:
    client = own_redis.client()
    before = len(client.client_list())
    store = RedisStore(url=own_redis.url, store_id=store_id)
    store.add(obj=Device(name="a"))
    assert len(client.client_list()) > before
    store.close()
    wait_until(lambda: len(client.client_list()) == before)


def test_a_client_that_decodes_is_refused(redis_server: RedisServer) -> None:
    client = redis_server.client(decode_responses=True)
    with closing(client), pytest.raises(ObjectStoreException, match="decode_responses=False"):
        RedisStore(client=client)


@pytest.mark.parametrize("place", ["host", "url"])
def test_a_store_cannot_be_asked_to_decode(redis_server: RedisServer, place: str) -> None:
    where: dict[str, Any] = (
        {"url": redis_server.url} if place == "url" else {"host": "127.0.0.1", "port": redis_server.port}
    )
    with pytest.raises((TypeError, ObjectStoreException), match="decode_responses"):
        RedisStore(**where, decode_responses=True)


def test_a_url_that_asks_to_decode_is_refused(redis_server: RedisServer) -> None:
    with pytest.raises((TypeError, ObjectStoreException), match="decode_responses"):
        RedisStore(url=f"{redis_server.url}?decode_responses=True")


@pytest.mark.parametrize("password", ["wrong-pa55", None], ids=["wrong", "missing"])
@pytest.mark.parametrize("place", ["host", "url"])
def test_the_error_of_a_wrong_password_says_so(locked_server: RedisServer, password: str | None, place: str) -> None:
    port, user = locked_server.port, f":{password}@" if password else ""
    where: dict[str, Any] = {"url": f"redis://{user}127.0.0.1:{port}/0"}
    if place == "host":
        where = {"host": "127.0.0.1", "port": port, "password": password}
    with pytest.raises(ObjectStoreException, match="refused the user name or password") as raised:
        RedisStore(**where)
    assert isinstance(raised.value.__cause__, redis.RedisError)
    assert "wrong-pa55" not in texts(raised.value)


def test_a_right_password_opens_the_store(locked_server: RedisServer, store_id: str) -> None:
    with RedisStore(url=locked_server.url, store_id=store_id) as store:
        store.add(obj=Device(name="a"))
    with RedisStore(host="127.0.0.1", port=locked_server.port, password=SECRET, store_id=store_id) as store:
        assert store.count() == 1
    with RedisStore(
        host="127.0.0.1", port=locked_server.port, username="default", password=SECRET, store_id=store_id
    ) as store:
        assert store.count() == 1


def test_the_error_of_a_missing_right_says_so(locked_server: RedisServer, store_id: str) -> None:
    with closing(locked_server.client()) as admin:
        run_command: Callable[..., object] = admin.execute_command
        run_command("ACL", "SETUSER", "reader", "on", ">reader-pa55", "~*", "+@read", "+ping", "-@write")
    store = RedisStore(
        host="127.0.0.1", port=locked_server.port, username="reader", password="reader-pa55", store_id=store_id
    )
    with pytest.raises(ObjectStoreException, match="lacks a right") as raised:
        store.add(obj=Device(name="a"))
    assert isinstance(raised.value.__cause__, redis.RedisError)
    assert "reader-pa55" not in texts(raised.value)


def test_an_unreachable_server_is_unavailable() -> None:
    port = free_port()
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE) as raised:
        RedisStore(url=f"redis://:{SECRET}@127.0.0.1:{port}/0", retry=Retry(NoBackoff(), 0))
    assert isinstance(raised.value.__cause__, redis.ConnectionError)
    assert SECRET not in texts(raised.value)


@pytest.mark.slow
def test_a_store_that_was_not_closed_reports_lost_writes(own_redis: RedisServer, store_id: str) -> None:
    store = RedisStore(url=own_redis.url, store_id=store_id, retry=Retry(NoBackoff(), 0))
    store.add(obj=Device(name="a"))
    own_redis.kill()
    with capture_logs() as logs:
        del store
        gc.collect()
    [event] = [log["event"] for log in logs]
    assert event == f"Store {store_id!r}: its pending changes are lost. Redis store is unavailable."


def test_a_host_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE) as raised:
        RedisStore(host="no-such-host.invalid", password=SECRET, retry=Retry(NoBackoff(), 0))
    assert isinstance(raised.value.__cause__, redis.ConnectionError)
    assert SECRET not in texts(raised.value)


CALLS: dict[str, Callable[[Inventory], object]] = {
    "get": lambda adapter: adapter.get(Device, "b"),
    "get_all": lambda adapter: adapter.get_all(Device),
    "count": lambda adapter: adapter.count(),
    "names": lambda adapter: adapter.get_all_model_names(),
    "record": lambda adapter: adapter.store.record(),
    "add": lambda adapter: adapter.add(Device(name="c")),
    "flush": lambda adapter: adapter.store.flush(),
    "remove": lambda adapter: adapter.remove(Device(name="d")),
    "mark": lambda adapter: adapter.store.mark(StoreState.COMPLETE),
    "loading": lambda adapter: adapter.store.loading().__enter__(),
    "drop": lambda adapter: adapter.store.drop(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_goes_away_later_is_unavailable_for_every_call(
    own_redis: RedisServer, store_id: str, call: str
) -> None:
    adapter = sites(RedisStore(url=own_redis.url, store_id=store_id, retry=Retry(NoBackoff(), 0)))
    adapter.add(Device(name="a"))
    adapter.store.flush()
    if call == "flush":
        adapter.update(Device(name="c"))
    own_redis.kill()
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE) as raised:
        CALLS[call](adapter)
    assert isinstance(raised.value.__cause__, redis.ConnectionError)
    own_redis.start()
    adapter.store.drop()


@pytest.mark.slow
def test_pending_writes_are_written_when_the_server_answers_again(own_redis: RedisServer, store_id: str) -> None:
    store = RedisStore(url=own_redis.url, store_id=store_id, retry=Retry(NoBackoff(), 0), socket_timeout=2)
    adapter = sites(store)
    site, device = Site(name="ber"), Device(name="a")
    adapter.add(site)
    adapter.add(device)
    own_redis.pause()
    site.tags.append("x")
    device.role = "spine"
    with pytest.raises(ObjectStoreException, match=UNAVAILABLE) as raised:
        store.flush()
    assert isinstance(raised.value.__cause__, redis.TimeoutError)
    own_redis.resume()
    del site, device
    store.flush()
    store.close()
    with RedisStore(url=own_redis.url, store_id=store_id) as again:
        assert sites(again).get(Site, "ber").tags == ["x"]
        assert sites(again).get(Device, "a").role == "spine"


@pytest.mark.slow
def test_a_batch_with_a_lost_answer_is_not_a_duplicate(own_redis: RedisServer, store_id: str) -> None:
    """The server does what it was asked while its answer is late; redis-py asks again."""
    first = RedisStore(url=own_redis.url, store_id=store_id)
    first.add(obj=Device(name="before"))
    first.close()
    store = RedisStore(url=own_redis.url, store_id=store_id, retry=Retry(NoBackoff(), 100), socket_timeout=0.2)
    with Child(resume_soon, pid=own_redis.pid) as child:
        assert child.heard() == "paused"
        store.add(obj=Device(name="a"))  # an add that is checked in Redis at once
        child.result()
    store.flush()
    assert list(read_flat(own_redis.url, store_id)) == ["before", "a"]


def resume_soon(pid: int) -> None:
    process = psutil.Process(pid)
    process.suspend()
    say("paused")
    time.sleep(0.7)
    process.resume()


def test_a_server_out_of_memory_says_so_and_loses_nothing_that_was_there(own_redis: RedisServer, store_id: str) -> None:
    adapter = flat(RedisStore(url=own_redis.url, store_id=store_id))
    adapter.add(Device(name="before"))
    adapter.store.flush()
    client: Any = own_redis.client()
    adapter.add(Device(name="after"))
    client.config_set("maxmemory", "1")
    with pytest.raises(ObjectStoreException, match="out of memory"):
        adapter.store.flush()
    client.config_set("maxmemory", "0")
    adapter.store.flush()
    assert list(read_flat(own_redis.url, store_id)) == ["before", "after"]


# Keys and time to live


def fill(store: RedisStore) -> Inventory:
    adapter = sites(store)
    for number in range(3):
        adapter.add(Site(name=f"site-{number}"))
        adapter.add(Device(name=f"device-{number}"))
    store.flush()
    return adapter


def test_every_key_of_a_store_carries_its_hash_tag(open_redis: OpenStore, client: Any, store_id: str) -> None:
    fill(open_redis())
    keys = keys_of(client, store_id)
    assert len(keys) >= 5
    for key in keys:
        assert key[key.index("{") + 1 : key.index("}")].partition(":")[0] == store_id


def test_every_key_of_a_store_expires(open_redis: OpenStore, client: Any, store_id: str) -> None:
    with open_redis(ttl=1000).loading() as store:
        fill(store)
    for key in keys_of(client, store_id):
        assert 990 <= client.ttl(key) <= 1000, key
    assert open_redis().record().ttl == 1000


def test_the_default_time_to_live_is_a_week(open_redis: OpenStore, client: Any, store_id: str) -> None:
    fill(open_redis())
    for key in keys_of(client, store_id):
        assert 604_700 <= client.ttl(key) <= 604_800, key


def test_a_reader_keeps_the_time_to_live_that_the_store_has(open_redis: OpenStore, client: Any, store_id: str) -> None:
    fill(open_redis(ttl=1000))
    reader = sites(open_redis())
    reader.get_all(Site)
    reader.add(Site(name="another"))
    reader.store.flush()
    for key in keys_of(client, store_id):
        assert 990 <= client.ttl(key) <= 1000, key


USES: dict[str, Callable[[Inventory], object]] = {
    "get": lambda adapter: adapter.get(Site, "site-1"),
    "get_all": lambda adapter: adapter.get_all(Site),
    "count": lambda adapter: adapter.count(),
    "flush": lambda adapter: adapter.store.flush(),
    "snapshot": lambda adapter: list(adapter.store.snapshot_all("site")),
}


@pytest.mark.parametrize("use", USES)
def test_using_a_store_renews_its_time_to_live(open_redis: OpenStore, client: Any, store_id: str, use: str) -> None:
    fill(open_redis(ttl=1000)).store.close()
    for key in keys_of(client, store_id):
        client.expire(key, 100)
    USES[use](sites(open_redis()))
    for key in keys_of(client, store_id):
        assert client.ttl(key) >= 990, key


def test_writing_renews_the_time_to_live_of_every_key(open_redis: OpenStore, client: Any, store_id: str) -> None:
    """A model that is not written to must not expire before the rest of its store."""
    fill(open_redis(ttl=1000)).store.close()
    for key in keys_of(client, store_id):
        client.expire(key, 100)
    writer = sites(open_redis())
    writer.add(Site(name="new"))
    writer.store.close()
    for key in keys_of(client, store_id):
        assert client.ttl(key) >= 990, key


def test_a_store_that_expired_is_not_found(open_redis: OpenStore, client: Any, store_id: str) -> None:
    store = fill(open_redis()).store
    client.delete(*keys_of(client, store_id))
    with pytest.raises(StoreNotFound, match=f"There is no store '{store_id}'.*Load it again"):
        store.require_complete()
    with pytest.raises(StoreNotFound):
        StoredAdapter(open_redis())


def test_a_dropped_store_leaves_no_key(own_redis: RedisServer, store_id: str) -> None:
    store = RedisStore(url=own_redis.url, store_id=store_id)
    with store.loading():
        fill(store)
    store.add(obj=Device(name="pending"))
    store.drop()
    store.close()
    client: Any = own_redis.client()
    assert client.dbsize() == 0
    store.drop()
    assert client.dbsize() == 0


def test_a_dropped_store_may_be_written_again(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    store = open_redis()
    fill(store)
    store.drop()
    store.add(obj=Device(name="again"))
    store.flush()
    assert read_flat(redis_url, store_id) == {"again": "leaf"}


def test_opening_a_store_and_looking_at_it_writes_nothing(own_redis: RedisServer, store_id: str) -> None:
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        adapter = sites(store)
        assert (adapter.count(), adapter.get_all(Site), adapter.get_or_none(Site, "a")) == (0, [], None)
    client: Any = own_redis.client()
    assert client.dbsize() == 0


def test_other_stores_and_foreign_keys_are_left_alone(own_redis: RedisServer) -> None:
    client: Any = own_redis.client()
    client.set("foreign", "1")
    client.hset("dss:{a}", "x", "1")
    stores = {name: RedisStore(url=own_redis.url, store_id=name) for name in ("a", "a.b", "ab", "A", "a-")}
    for name, store in stores.items():
        flat(store).add(Device(name=name))
        store.flush()
    for name, store in stores.items():
        assert [device.name for device in flat(store).get_all(Device)] == [name]
    stores["a"].drop()
    assert client.get("foreign") == b"1"
    assert client.hgetall("dss:{a}") == {b"x": b"1"}
    assert {name: store.count() for name, store in stores.items()} == {"a": 0, "a.b": 1, "ab": 1, "A": 1, "a-": 1}


# Cost


def commands(client: Any) -> dict[str, int]:
    """Commands that clients have sent since the last reset, by name; those that scripts ran inside are among them."""
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}


@pytest.mark.slow
def test_loads_and_reads_use_batches_whatever_else_is_in_redis(
    own_redis: RedisServer, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "_FLUSH_AFTER", 60.0)  # no batch is sent because of its age
    monkeypatch.setattr(redis_writer, "CLAIM_SECONDS", 60.0)
    client: Any = own_redis.client()
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        adapter = flat(store)
        started = client.info("stats")["total_commands_processed"]

        def spent() -> int:
            nonlocal started
            before, started = started, client.info("stats")["total_commands_processed"]
            return int(started - before - 1)

        calls_before = evaluations(client)
        with store.loading():
            for number in range(10_000):
                adapter.add(Device(name=f"device-{number}"))
        assert evaluations(client) - calls_before < 60
        spent()
        assert adapter.count() == 10_000
        assert adapter.get_all_model_names() == {"device"}
        assert spent() <= 8
        calls_before = evaluations(client)
        assert len(adapter.get_all(Device)) == 10_000
        assert evaluations(client) - calls_before <= 12  # the last page is empty, and the script is sent once
        calls_before = evaluations(client)
        assert len(adapter.get_by_uids([f"device-{number}" for number in range(10_000)], Device)) == 10_000
        assert evaluations(client) - calls_before <= 11
    assert {"keys", "scan", "hscan", "sscan", "zscan"}.isdisjoint(commands(client))


def evaluations(client: Any) -> int:
    """How many times clients have asked for scripts; one transaction has two of them."""
    found = commands(client)
    return sum(found.get(name, 0) for name in ("eval", "evalsha")) - found.get("exec", 0)


def test_a_count_costs_the_same_whatever_the_size(own_redis: RedisServer, store_id: str) -> None:
    client: Any = own_redis.client()
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        adapter = flat(store)
        costs: list[dict[str, int]] = []
        for size in (1000, 2000):
            for number in range(1000):
                adapter.add(Device(name=f"device-{size}-{number}"))
            store.flush()
            adapter.count()
            client.config_resetstat()
            adapter.count()
            costs.append(commands(client))
    assert costs[0]["hgetall"] == costs[1]["hgetall"] == 1
    assert sum(costs[0].values()) == sum(costs[1].values())


def test_adding_to_a_big_store_costs_no_round_trip_an_object(
    own_redis: RedisServer, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_store, "_FLUSH_AFTER", 60.0)
    monkeypatch.setattr(redis_writer, "CLAIM_SECONDS", 60.0)
    client: Any = own_redis.client()
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        for number in range(5000):
            store.add(obj=Device(name=f"device-{number}"))
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        before = evaluations(client)
        for number in range(5000, 8000):
            store.add(obj=Device(name=f"device-{number}"))
        store.flush()
        assert evaluations(client) - before < 120
        assert store.count() == 8000


# A store that changes under an open writer


def test_writes_to_a_store_that_was_dropped_meanwhile_are_refused(
    open_redis: OpenStore, client: Any, store_id: str
) -> None:
    writer = fill(open_redis())
    open_redis().drop()
    with pytest.raises(StoreNotFound, match="dropped or expired while it was open"):
        writer.add(Site(name="late"))
    assert keys_of(client, store_id) == set()


def test_what_is_pending_for_a_store_that_was_dropped_meanwhile_is_refused(
    open_redis: OpenStore, client: Any, store_id: str
) -> None:
    writer = flat(open_redis())
    writer.add(Device(name="a"))
    open_redis().drop()
    with pytest.raises(StoreNotFound, match="dropped or expired while it was open"):
        writer.store.flush()
    assert keys_of(client, store_id) == set()


def test_changes_of_objects_of_a_store_that_was_dropped_meanwhile_are_refused(open_redis: OpenStore) -> None:
    writer = fill(open_redis())
    site = writer.get(Site, "site-1")
    open_redis().drop()
    site.tags.append("late")
    with pytest.raises(StoreNotFound):
        writer.store.flush()


WRITES: dict[str, Callable[[Inventory, Site], object]] = {
    "add": lambda adapter, _: adapter.add(Site(name="late")),
    "change": lambda _, site: site.tags.append("late"),
    "assign": lambda _, site: setattr(site, "region", "late"),
    "put": lambda adapter, _: adapter.update(Site(name="site-1", region="late")),
    "remove": lambda adapter, site: adapter.remove(site),
    "mark": lambda adapter, _: adapter.store.mark(StoreState.FAILED, "late"),
}


def write_and_flush(adapter: Inventory, site: Site, write: str) -> None:
    WRITES[write](adapter, site)
    adapter.store.flush()


@pytest.mark.parametrize("write", WRITES)
def test_writes_to_a_store_that_was_loaded_again_meanwhile_are_refused_and_change_nothing(
    open_redis: OpenStore, write: str
) -> None:
    old = fill(open_redis())
    site = old.get(Site, "site-1")
    new = open_redis()
    with new.loading():
        sites(new).add(Site(name="site-1", region="new"))
        sites(new).add(Device(name="new"))
    expected, record = content(sites(open_redis())), open_redis().record()
    with pytest.raises(StoreInUse, match="loaded again by another process"):
        write_and_flush(old, site, write)
    assert content(sites(open_redis())) == expected
    assert open_redis().record() == record
    assert record.state is StoreState.COMPLETE


def test_a_diff_made_of_a_load_is_refused_after_the_next_one(open_redis: OpenStore) -> None:
    store = open_redis()
    with store.loading():
        fill(store)
    first = store.require_complete()
    assert store.require_load(first.generation) == store.require_complete()
    with store.loading():
        fill(store)
    with pytest.raises(StoreReloaded, match="Make a new diff of the stores"):
        store.require_load(first.generation)


@pytest.mark.slow
def test_a_store_whose_loading_process_died_is_in_the_state_loading(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    with Child(load_until_killed, url=redis_url, store_id=store_id) as child:
        pid = child.heard()
        child.kill()
    store = open_redis()
    assert store.state is StoreState.LOADING
    with pytest.raises(StoreNotComplete) as raised:
        store.require_complete()
    message = str(raised.value)
    assert f"Store '{store_id}' (netbox) is loading, not complete" in message
    assert f":{pid}, 1500 objects" in message
    assert message.endswith("Wait for the load to end; if it is no longer running, load the store again.")
    assert raised.value.record.counts == {"device": 1500}
    with store.loading():
        flat(store).add(Device(name="a"))
    assert store.require_complete().counts == {"device": 1}
    assert list(read_flat(redis_url, store_id)) == ["a"]


def load_until_killed(url: str, store_id: str) -> None:
    store = open_store(url, store_id, name="netbox")
    adapter = flat(store)
    with store.loading():
        for number in range(1500):
            adapter.add(Device(name=f"device-{number}"))
        store.flush()
        say(os.getpid())
        listen()


def load_and_fail(url: str, store_id: str) -> None:
    store = open_store(url, store_id)
    with store.loading():
        flat(store).add(Device(name="a"))
        raise ConnectionResetError("the API has gone away")


def test_a_load_that_failed_in_another_process_says_why(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    with pytest.raises(AssertionError, match="the API has gone away"):
        run(load_and_fail, url=redis_url, store_id=store_id)
    with pytest.raises(StoreNotComplete, match="is failed, not complete: ConnectionResetError: the API has gone away"):
        open_redis().require_complete()


# What is stored


@pytest.mark.parametrize(
    "value",
    [b"garbage", b"", b"\xff\xfe\x00", b"{", b"[]", b"null", b"1", b'{"role": "leaf"}', b'{"name": 5}', b'"x"'],
)
@pytest.mark.parametrize("read", ["get", "get_all"])
def test_a_value_that_fits_no_object_is_a_clear_error(
    open_redis: OpenStore, client: Any, store_id: str, value: bytes, read: str
) -> None:
    objects = objects_key(open_redis(), client, store_id)
    client.hset(objects, "a", value)
    adapter = flat(open_redis())
    with pytest.raises(
        ObjectStoreException, match=r"(?s)stored device 'a' does not fit the class Device.*load it again"
    ):
        adapter.get(Device, "a") if read == "get" else adapter.get_all(Device)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(os.environ["BOMB"]),)


@pytest.mark.parametrize("before", [b"", b'{"name": "a"}\n'], ids=["in place of an object", "behind an object"])
def test_nothing_is_unpickled(
    open_redis: OpenStore, client: Any, before: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    store = open_redis()
    client.hset(objects_key(store, client, store.store_id), "a", before + pickle.dumps(Bomb()))
    with pytest.raises(ObjectStoreException, match="device 'a'"):
        StoredAdapter(open_redis()).get_all("device")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("said", [b"garbage", b"[1]", b"{", b"null", b'{"get_attrs": 5}'])
def test_invalid_stored_attributes_are_an_error(open_redis: OpenStore, client: Any, store_id: str, said: bytes) -> None:
    client.hset(objects_key(open_redis(), client, store_id), "a", b'{"name": "a"}\n' + said)
    with pytest.raises(ObjectStoreException, match="device 'a'"):
        StoredAdapter(open_redis()).get_all("device")


def test_text_that_looks_like_code_stays_text(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    code = "__import__('os').system('true'); return redis.call('FLUSHALL') {} %s \x00 \u2028"
    adapter = flat(open_redis())
    adapter.add(Device(name=code, role=code))
    adapter.store.flush()
    assert run(read_flat, url=redis_url, store_id=store_id) == {code: code}


def objects_key(store: RedisStore, client: Any, store_id: str) -> str:
    """The hash that holds the device `a`, which is stored first."""
    flat(store).add(Device(name="a"))
    store.flush()
    [key] = [key for key in keys_of(client, store_id) if key.endswith("objects:device")]
    assert client.hkeys(key) == [b"a"]
    return key


# The end of a process


def end_without_closing(url: str, store_id: str) -> None:
    adapter = flat(open_store(url, store_id))
    adapter.add(Device(name="added"))
    device = Device(name="changed")
    adapter.add(device)
    device.role = "spine"
    globals()["held"] = adapter, device


@pytest.mark.slow
def test_pending_writes_are_written_when_the_interpreter_exits(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    run(end_without_closing, url=redis_url, store_id=store_id)
    assert read_flat(redis_url, store_id) == {"added": "leaf", "changed": "spine"}


def fork_and_end(url: str, store_id: str) -> None:
    adapter = flat(open_store(url, store_id))
    adapter.add(Device(name="parents"))
    pid = os.fork()
    if pid == 0:
        adapter.store.close()
        os._exit(0)
    os.waitpid(pid, 0)
    adapter.store.flush()


@pytest.mark.slow
def test_a_fork_does_not_write_what_its_parent_has_pending(
    open_redis: OpenStore, redis_url: str, store_id: str
) -> None:
    run(fork_and_end, url=redis_url, store_id=store_id)
    assert list(read_flat(redis_url, store_id)) == ["parents"]


def test_a_secret_is_refused_rather_than_stored_as_asterisks(open_redis: OpenStore) -> None:
    class Login(DiffSyncModel):
        _modelname = "login"
        _identifiers = ("name",)
        _attributes = ("password",)
        name: str
        password: pydantic.SecretStr

    store = open_redis()
    with pytest.raises(ObjectStoreException, match=r"login 'admin' cannot be stored.*'password'.*asterisks") as refusal:
        store.add(obj=Login(name="admin", password=pydantic.SecretStr("s3cret")))
    assert "s3cret" not in str(refusal.value)
    store.drop()


PARTS = {
    "objects:device": "device",
    "pages:device": "device",
    "order:device": "device",
    "touched:device": "device",
    "schema": "site, device",
    "counts": "whole models",
    "index:0:device": "its index",
    "edges:0:device": "its index",
    "sums:0:device": "its index",
    "nodes:site": "its index",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_store_of_which_redis_has_lost_a_part_is_failed(own_redis: RedisServer, store_id: str, part: str) -> None:
    """Redis evicts whole keys where it may; a smaller store would be taken for a source with fewer objects."""
    client: Any = own_redis.client()
    with RedisStore(url=own_redis.url, store_id=store_id) as store:
        adapter = sites(store)
        with store.loading():
            adapter.add(Site(name="site", devices=[f"device-{number}" for number in range(10)]))
            for number in range(10):
                adapter.add(Device(name=f"device-{number}"))
        adapter.add(Device(name="added later"))
        store.flush()
        assert store.require_complete().counts == {"device": 11, "site": 1}
        assert client.unlink(f"dss:{{{store_id}}}:{part}") == 1
        assert store.state is StoreState.FAILED
        lost = re.escape(PARTS[part])
        with pytest.raises(
            StoreNotComplete, match=f"Redis has lost .*{lost}.*: set its maxmemory-policy to noeviction"
        ):
            store.require_complete()
        store.drop()
        assert client.dbsize() == 0


def put_store_of_layout_1(client: Any, store_id: str) -> None:
    space = f"dss:{{{store_id}}}:"
    times = {"created": "1700000000000.000", "updated": "1700000000000.000"}
    record = {"generation": "old", "state": "complete", "layout": "1", "writer": "host:1", "ttl": "600", "models": "1"}
    client.hset(f"{space}record", mapping={**record, **times, "name": "netbox", "adapter": "netbox"})
    client.hset(f"{space}counts", "device", 1)
    client.hset(f"{space}schema", "device", Device.__name__)
    client.hset(f"{space}objects:device", "a", '{"name":"a"}')
    client.zadd(f"{space}order:device", {"a": 1})
    for part in ("tree", "sums", "members"):
        client.hset(f"{space}{part}:device", "a", "1")
    client.zadd("ds:stores", {store_id: 1})


OLD_STORE: dict[str, Callable[[Inventory], object]] = {
    "get": lambda adapter: adapter.get(Device, "a"),
    "get_all": lambda adapter: adapter.get_all(Device),
    "count": lambda adapter: adapter.count(),
    "add": lambda adapter: adapter.add(Device(name="b")),
    "uids": lambda adapter: list(adapter.store.uids("device")),
    "require_complete": lambda adapter: adapter.store.require_complete(),
}


@pytest.mark.parametrize("use", OLD_STORE)
def test_a_store_of_an_earlier_layout_is_refused_until_it_is_loaded_again(
    own_redis: RedisServer, store_id: str, use: str
) -> None:
    client: Any = own_redis.client()
    put_store_of_layout_1(client, store_id)
    adapter, other = (sites(RedisStore(url=own_redis.url, store_id=store_id)) for _ in range(2))
    with pytest.raises(
        (ObjectStoreException, StoreNotComplete), match=r"another version.*Load it again with this version"
    ):
        OLD_STORE[use](adapter)
    [found] = RedisStores(url=own_redis.url).list()
    assert (found.state, found.name) == (StoreState.FAILED, "netbox")
    with other.store.loading():
        other.add(Device(name="new"))
    assert [device.name for device in flat(RedisStore(url=own_redis.url, store_id=store_id)).get_all(Device)] == ["new"]
    assert not [
        key for key in keys_of(client, store_id) if key.endswith((":tree:device", ":sums:device", ":members:device"))
    ]


def test_a_store_of_an_earlier_layout_is_dropped_whole(own_redis: RedisServer, store_id: str) -> None:
    client: Any = own_redis.client()
    put_store_of_layout_1(client, store_id)
    RedisStore(url=own_redis.url, store_id=store_id).drop()
    assert client.dbsize() == 0
