"""Objects and parts of an index are written in transactions: what the server refuses is written in another way, and nothing is left behind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import redis

from diffsync_store import ObjectStoreException, StoreState
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.scripts.pipeline import Pipeline
from diffsync_store.store.redis.scripts.script import Script
from tests.servers import RedisServer
from tests.store.inventory import Device, Site, flat, sites
from tests.store.redis.stored_index import read_index

COUNT = 3000
OF = ("a", "b")
Send = Callable[..., None]


@pytest.fixture(autouse=True)
def by_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a batch only if it is full, never because of its age."""
    monkeypatch.setattr(redis_store, "_FLUSH_AFTER", 60.0)


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[Any]:
    with closing(own_redis.client()) as opened:
        yield opened


@pytest.fixture
def store(own_redis: RedisServer, store_id: str) -> Iterator[RedisStore]:
    with RedisStore(store_id=store_id, url=own_redis.url) as opened:
        yield opened


def names(first: int = 0, count: int = COUNT) -> list[str]:
    return [f"d{number:05}" for number in range(first, first + count)]


def load(store: RedisStore, found: list[str], between: Callable[[], object] = lambda: None, **options: Any) -> None:
    """Load devices; do something else in the middle."""
    adapter = flat(store)
    with store.loading(**options):
        for name in found[: len(found) // 2]:
            adapter.add(Device(name=name, role="loaded"))
        between()
        for name in found[len(found) // 2 :]:
            adapter.add(Device(name=name, role="loaded"))


def stored(url: str, store_id: str) -> list[str]:
    with RedisStore(store_id=store_id, url=url) as reader:
        return [device.get_unique_id() for device in flat(reader).get_all(Device)]


def calls(client: Any, command: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The transactions that are sent: a key of each, and its commands."""
    found: list[tuple[str, Any]] = []
    send: Send = Pipeline.send_transaction

    def note(pipe: Pipeline, key: str, commands: Any) -> None:
        found.append((key, commands))
        send(pipe, key, commands)

    monkeypatch.setattr(Pipeline, "send_transaction", note)
    return found


def keys_of_transactions(client: Any) -> list[bytes]:
    return [key for key in client.keys("*") if b":adding:" in key]


def require_whole(url: str, client: Any, store_id: str, found: list[str]) -> None:
    """The store has these objects and their index, and no key of a transaction."""
    with RedisStore(store_id=f"{store_id}-calm", url=url) as calm:
        load(calm, found)
    assert stored(url, store_id) == found
    assert read_index(client, store_id, "device") == read_index(client, f"{store_id}-calm", "device")
    assert keys_of_transactions(client) == []
    client.delete(*StoreKeys(f"{store_id}-calm").all(["device"]))


def test_no_script_copies_the_objects_of_a_load(own_redis: RedisServer, store: RedisStore, client: Any) -> None:
    load(store, names())
    assert calls(client, "exec") >= COUNT // 500
    require_whole(own_redis.url, client, store.store_id, names())


@pytest.mark.parametrize("right", ["-multi", "-exec", "-rename", "-hsetex"])
@pytest.mark.parametrize("shards", [{}, {"shard": "a", "of": ("a",)}, {"shard": "a", "of": OF}], ids=len)
def test_a_user_without_the_rights_loads_the_same(
    own_redis: RedisServer, client: Any, store_id: str, right: str, shards: dict[str, Any]
) -> None:
    client.acl_setuser("few", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"])
    with suppress(redis.ResponseError):  # the server has no such command
        client.acl_setuser("few", enabled=True, keys=["*"], commands=["+@all", right])
    url = own_redis.url.replace("redis://", "redis://few:secret@")
    with RedisStore(store_id=store_id, url=url) as store:
        load(store, names(), **shards)
        if shards:
            store.seal()
    require_whole(own_redis.url, client, store_id, names())


@pytest.mark.parametrize("shards", [{}, {"shard": "a", "of": OF}], ids=len)
def test_a_server_that_has_forgotten_the_scripts_gets_every_object(
    own_redis: RedisServer, store: RedisStore, client: Any, shards: dict[str, Any]
) -> None:
    load(store, names(), client.script_flush, **shards)
    if shards:
        store.seal()
    require_whole(own_redis.url, client, store.store_id, names())


def test_a_server_without_the_scripts_keeps_objects_that_were_stored_before(
    own_redis: RedisServer, store: RedisStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects in the key of the transaction are removed, not taken over."""
    key = StoreKeys(store.store_id).adding("device")

    def leave_behind() -> None:
        client.hset(key, "of another transaction", b"\0" * 8 + b"{}")

    load(store, names(), leave_behind)
    require_whole(own_redis.url, client, store.store_id, names())


def test_nothing_is_left_of_other_models_whose_transactions_were_sent_together(
    own_redis: RedisServer, store: RedisStore, client: Any
) -> None:
    adapter = sites(store)
    with store.loading():
        for half in range(2):
            for number in range(COUNT):
                adapter.add(Site(name=f"s{half} {number:05}"))
                adapter.add(Device(name=f"d{half} {number:05}"))
            client.script_flush()
    assert calls(client, "exec")
    assert [adapter.count(model) for model in ("site", "device")] == [2 * COUNT] * 2
    assert keys_of_transactions(client) == []


def test_an_interrupt_after_a_refused_transaction_loses_nothing(
    own_redis: RedisServer, store: RedisStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, interrupts = names(count=2 * COUNT), list[str]()
    adapter = flat(store)
    unlink = store._redis.unlink

    def interrupt(key: str) -> None:
        interrupts.append(key)
        if len(interrupts) < 4:
            raise KeyboardInterrupt
        unlink(key)

    monkeypatch.setattr(store._redis, "unlink", interrupt)
    with store.loading():
        for number, name in enumerate(found):
            if number == COUNT:
                store.count()  # what was sent is answered
                client.script_flush()
            device = Device(name=name, role="loaded")
            try:
                adapter.add(device)
            except KeyboardInterrupt:
                assert store.get_cached("device", name) is device
        with suppress(KeyboardInterrupt):
            store.flush()
        store.flush()
    assert interrupts
    client.delete(StoreKeys(store.store_id).adding("device"))
    require_whole(own_redis.url, client, store.store_id, found)


def test_a_server_that_does_not_say_what_a_user_may_call_gets_each_object_once(
    own_redis: RedisServer,
    store: RedisStore,
    client: Any,
    sent: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those before Redis 7: a transaction is refused there, and its batch would be sent again."""
    add = Script("store/add")
    add._text = add._text.replace("redis.acl_check_cmd", "redis.of_a_later_version")
    add.digest = hashlib.sha1(add._text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(scripts, "ADD", add)
    load(store, names())
    assert [command for _, commands in sent for command in commands if command[0] != "EVALSHA"] == []
    require_whole(own_redis.url, client, store.store_id, names())


def test_what_another_version_has_left_is_dropped_with_the_store(store: RedisStore, client: Any) -> None:
    load(store, names())
    client.hset(StoreKeys(store.store_id).adding("device"), "left", "behind")
    store.drop()
    assert [key for key in client.keys("*") if b"device" in key] == []


@pytest.mark.parametrize("first", [0, 700, COUNT - 1])
@pytest.mark.parametrize("again", OF)
def test_an_object_of_two_shards_is_found_and_either_can_be_loaded_again(
    own_redis: RedisServer, store: RedisStore, client: Any, first: int, again: str
) -> None:
    """Whichever shard gives the object up, the value of the other one is there."""
    twice = names(first, 1)[0]
    own = {"a": names(), "b": sorted([*names(COUNT, COUNT), twice])}
    for shard, found in own.items():
        load(store, found, shard=shard, of=OF)
    with pytest.raises(ObjectStoreException, match=rf"{twice}.*\ba\b.*\bb\b"):
        store.seal()
    own[again].remove(twice)
    load(store, own[again], shard=again, of=OF)
    assert store.seal().state is StoreState.COMPLETE
    require_whole(own_redis.url, client, store.store_id, [*own["a"], *own["b"]])


@pytest.mark.parametrize("shards", [{}, {"shard": "a", "of": OF}], ids=len)
def test_a_transaction_that_comes_again_changes_nothing(
    own_redis: RedisServer, store: RedisStore, client: Any, sent: list[tuple[str, Any]], shards: dict[str, Any]
) -> None:
    """As if the network had delivered it late, after its batch was sent again and others have followed."""

    def repeat() -> None:
        store.count()  # they are answered
        assert sent or (shards and not calls(client, "hsetex"))
        for _, commands in sent:
            pipe = client.pipeline()
            for command in commands:
                pipe.execute_command(*command)
            pipe.execute()

    load(store, names(), repeat, **shards)
    if shards:
        store.seal()
    require_whole(own_redis.url, client, store.store_id, names())


def test_a_writer_that_was_replaced_writes_nothing(
    own_redis: RedisServer, store: RedisStore, client: Any, sent: list[tuple[str, Any]]
) -> None:
    """Its transactions come after another process has begun to load the same shard."""
    old = [f"old {name}" for name in names()]
    with pytest.raises(ZeroDivisionError):
        load(store, old, lambda: 1 / 0, shard="a", of=OF)
    late = [commands for _, commands in sent]
    assert late or not calls(client, "hsetex")

    def deliver() -> None:
        for commands in late:
            pipe = client.pipeline()
            for command in commands:
                pipe.execute_command(*command)
            pipe.execute()

    with RedisStore(store_id=store.store_id, url=own_redis.url) as other:
        load(other, names(), deliver, shard="a", of=OF)
        deliver()
        other.seal()
    deliver()
    require_whole(own_redis.url, client, store.store_id, names())
