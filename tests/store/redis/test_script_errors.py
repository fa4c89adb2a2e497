"""An error in the midst of a script: the batch is written again or said to be missing, and never taken for written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from diffsync_store import ObjectStoreException, StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import OperationState
from diffsync_store.journal import Entry
from diffsync_store.store.redis import RedisLeases, RedisStore
from diffsync_store.store.redis import store as redis_store
from diffsync_store.store.redis.keys import DiffKeys, StoreKeys
from tests.servers import RedisServer
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, Inventory, Site, content, flat, sites


def change_everything(adapter: Inventory) -> None:
    """A batch of each kind, on both models."""
    adapter.get(Site, "s1").region = "changed"
    adapter.get(Site, "s2").tags.append("in place")
    adapter.remove(adapter.get(Site, "s3"))
    adapter.remove(adapter.get(Device, "d3"))
    adapter.update(Site(name="s4", region="put"))
    device = Device(name="new")
    adapter.add(device)
    adapter.add(Site(name="new", devices=["new"]))
    adapter.get(Device, "d1").role = "changed"
    adapter.get(Site, "s5").add_child(device)


def fill(adapter: Inventory) -> Inventory:
    with adapter.store.loading():
        for number in range(8):
            site, device = Site(name=f"s{number}"), Device(name=f"d{number}")
            adapter.add(site)
            adapter.add(device)
            site.add_child(device)
    return adapter


@pytest.fixture
def by_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written before it is flushed, however long that takes."""
    monkeypatch.setattr(redis_store, "_FLUSH_AFTER", 60.0)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Any]:
    with closing(redis_server.client()) as client:
        yield client


KEYS = (
    *("record", "schema", "counts", "objects:site", "order:site", "touched:site", "pages:site", "index:0:site"),
    *("objects:device", "order:device", "touched:device"),
)


@pytest.mark.parametrize("shared", [False, True], ids=["one writer", "two writers"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.usefixtures("by_size_alone")
def test_a_key_of_another_type_costs_nothing(
    open_redis: OpenStore, client: Any, store_id: str, key: str, shared: bool
) -> None:
    expected, adapter = fill(sites()), fill(sites(open_redis()))
    other = sites(open_redis())
    if shared:
        for one in (other, expected):
            one.add(Site(name="other"))
        other.store.flush()
    change_everything(expected)
    change_everything(adapter)
    needless = ("pages", "index", *(["order"] if shared else []))  # of two writers each writes what is new at once
    with of_another_type(client, f"dss:{{{store_id}}}:{key}"):
        is_refused(adapter.store.flush, 0 if key.split(":", maxsplit=1)[0] in needless else 2)
    adapter.store.flush()
    assert in_no_order(content(sites(open_redis()))) == in_no_order(content(expected))
    assert open_redis().state is StoreState.COMPLETE
    source = fill(sites())
    assert adapter.diff_from(source).summary() == expected.diff_from(source).summary()


@contextmanager
def of_another_type(client: Any, key: str) -> Iterator[None]:
    if not client.exists(key):
        client.set(key, "of another type")
        yield
        client.delete(key)
        return
    client.rename(key, f"{key}:aside")
    client.set(key, "of another type")
    yield
    client.delete(key)
    client.rename(f"{key}:aside", key)


def in_no_order(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(objects, key=lambda fields: str(fields["name"])) for name, objects in found.items()}


@pytest.mark.parametrize("key", ["schema", "counts", "objects:site", "pages:site", "pages:device"])
@pytest.mark.usefixtures("by_size_alone")
def test_a_key_of_another_type_during_a_load_costs_nothing(
    open_redis: OpenStore, client: Any, store_id: str, key: str
) -> None:
    expected, adapter = fill(sites()), sites(open_redis())
    with adapter.store.loading():
        adapter.add(Site(name="s0"))
        adapter.add(Device(name="d0"))
        adapter.store.flush()
        adapter.get(Site, "s0").add_child(adapter.get(Device, "d0"))
        for number in range(1, 8):
            site, device = Site(name=f"s{number}"), Device(name=f"d{number}")
            adapter.add(site)
            adapter.add(device)
            site.add_child(device)
        adapter.add(Site(name="more"))
        with of_another_type(client, f"dss:{{{store_id}}}:{key}"):
            is_refused(adapter.store.flush)
        adapter.store.flush()
        adapter.remove(adapter.get(Site, "more"))
    assert content(sites(open_redis())) == content(expected)
    assert open_redis().state is StoreState.COMPLETE
    assert not open_redis().record().undigested
    assert sites(open_redis()).diff_from(expected).summary()["no-change"] == 16


@pytest.mark.parametrize("key", ["index:0:site", "index:0:device", "edges:0:device", "sums:0:device", "nodes:site"])
def test_a_load_whose_index_cannot_be_written_is_not_complete(
    open_redis: OpenStore, client: Any, store_id: str, key: str
) -> None:
    adapter = sites(open_redis())

    def load() -> None:
        with adapter.store.loading():
            adapter.add(Device(name="d"))
            adapter.add(Site(name="s", devices=["d"]))
            client.lpush(f"dss:{{{store_id}}}:{key}", "of another type")

    is_refused(load)
    assert open_redis().state is StoreState.FAILED
    fill(adapter)
    assert open_redis().state is StoreState.COMPLETE


def is_refused(work: Callable[[], object], count: int = 2) -> None:
    for _ in range(count):
        with pytest.raises(ObjectStoreException):
            work()


def test_a_store_with_half_a_batch_is_not_complete(own_redis: RedisServer, store_id: str) -> None:
    """As where a right is taken away while a load is under way, and the script fails between two of its writes."""
    with closing(own_redis.client()) as client:
        client.acl_setuser("few", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"])
        url = own_redis.url.replace("redis://", "redis://few:secret@")
        with RedisStore(url=url, store_id=store_id) as store:
            expected, adapter = fill(sites()), fill(sites(store))
            change_everything(adapter)
            change_everything(expected)
            client.acl_setuser("few", enabled=True, keys=["*"], commands=["+@all", "-zadd", "-zrem"])
            is_refused(store.flush)
            with RedisStore(url=own_redis.url, store_id=store_id) as reader:
                assert reader.record().state is StoreState.FAILED
                assert "failed halfway" in reader.record().reason
            client.acl_setuser("few", enabled=True, keys=["*"], commands=["+@all"])
            store.flush()
            assert store.record().state is StoreState.COMPLETE
            assert content(sites(RedisStore(url=own_redis.url, store_id=store_id))) == content(expected)
            source = fill(sites())
            assert adapter.diff_from(source).summary() == expected.diff_from(source).summary()
            store.drop()


@pytest.mark.parametrize("way", ["full", "replica"])
def test_what_a_server_does_not_take_is_written_when_it_does(own_redis: RedisServer, store_id: str, way: str) -> None:
    with closing(own_redis.client()) as client, RedisStore(url=own_redis.url, store_id=store_id) as store:
        expected, adapter = fill(sites()), fill(sites(store))
        change_everything(adapter)
        change_everything(expected)
        if way == "full":
            client.config_set("maxmemory", "1")
        else:
            client.replicaof("127.0.0.1", "1")
        is_refused(store.flush)
        if way == "full":
            client.config_set("maxmemory", "0")
        else:
            client.replicaof("no", "one")
        store.flush()
        assert content(sites(RedisStore(url=own_redis.url, store_id=store_id))) == content(expected)
        assert store.record().state is StoreState.COMPLETE
        assert not store.record().undigested


def test_entries_of_a_journal_that_failed_are_written_again(redis_url: str, client: Any, store_id: str) -> None:
    with closing(RedisDiffs(url=redis_url)) as diffs:
        source, target = flat(), flat()
        source.add(Device(name="d"))
        saved = diffs.open(diffs.save(target.diff_from(source), store_id))
        journal, key = saved.journal(), DiffKeys(store_id).journal
        journal.begin("ann")
        journal.write({"before": Entry(OperationState.DONE)})
        client.rename(key, f"{key}:aside")
        client.set(key, "of another type")
        stream = dict(journal._batches)
        for _ in range(2):
            with pytest.raises(ObjectStoreException):
                journal.write({"a": Entry(OperationState.DONE)})
        client.delete(key)
        client.rename(f"{key}:aside", key)
        journal._free_streams.extend(stream)  # as a retry of the very batch
        journal._batches = stream
        journal.write({"a": Entry(OperationState.DONE)})
        assert set(journal.read(["before", "a"])) == {"before", "a"}
        saved.drop()


def test_a_lease_that_could_not_be_broken_is_held(own_redis: RedisServer) -> None:
    leases = RedisLeases(url=own_redis.url)
    with closing(own_redis.client()) as client, closing(leases), leases.take("target-x", "test", ttl=30.0) as lease:
        client.config_set("maxmemory", "1")
        is_refused(lambda: leases.break_lease("target-x"))
        holder = leases.holder("target-x")
        assert holder is not None
        assert holder.token == lease.token
        client.config_set("maxmemory", "0")
        assert leases.break_lease("target-x") is not None


# The time to live


@pytest.mark.parametrize("ttl", [1, 5, 30])
def test_a_load_with_a_short_time_to_live_keeps_what_it_has_loaded_first(
    own_redis: RedisServer, store_id: str, ttl: int
) -> None:
    with closing(own_redis.client()) as client, RedisStore(url=own_redis.url, store_id=store_id, ttl=ttl) as store:
        adapter = sites(store)
        with store.loading():
            adapter.add(Site(name="first"))
            store.flush()
            for key in client.keys("dss:*"):
                assert client.ttl(key) > 3000, key  # also where the system pauses for longer than that
            adapter.add(Device(name="later"))
        for key in client.keys("dss:*"):
            assert 0 < client.ttl(key) <= ttl, key


def test_no_part_of_a_store_expires_before_another(own_redis: RedisServer, store_id: str) -> None:
    """One model is written and read, the other is not."""
    with closing(own_redis.client()) as client, RedisStore(url=own_redis.url, store_id=store_id, ttl=100) as store:
        adapter = sites(store)
        with store.loading():
            adapter.add(Site(name="first"))
            adapter.add(Device(name="d"))

        def pass_time(seconds: int) -> None:
            for key in client.keys("dss:*"):
                client.expire(key, client.ttl(key) - seconds)
            store._renewed -= seconds

        for number in range(5):
            pass_time(60)
            adapter.add(Device(name=f"d{number}"))
            store.flush()
            pass_time(60)
            adapter.get(Device, "d").role = "x"
            store.flush()
            pass_time(60)
            assert len(list(adapter.get_all(Device))) == number + 2
            record = client.ttl(StoreKeys(store_id).record)
            assert record > 80
            for key in client.keys("dss:*"):
                assert client.ttl(key) >= record - 1, key
        assert store.record().state is StoreState.COMPLETE


def test_a_store_that_has_expired_under_its_writer_says_so(own_redis: RedisServer, store_id: str) -> None:
    with closing(own_redis.client()) as client, RedisStore(url=own_redis.url, store_id=store_id, ttl=60) as store:
        adapter = sites(store)
        with store.loading():
            adapter.add(Site(name="first"))
        client.delete(*client.keys("dss:*"))
        with pytest.raises(ObjectStoreException, match=r"expired while it was open \(its ttl is 60 seconds\)"):
            adapter.add(Site(name="second"))
        store.drop()


def test_a_diff_with_a_short_time_to_live_is_whole(own_redis: RedisServer) -> None:
    with closing(own_redis.client()) as client, closing(RedisDiffs(url=own_redis.url, ttl=60)) as diffs:
        source, target = flat(), flat()
        with source.store.loading(), target.store.loading():
            for number in range(1200):
                source.add(Device(name=f"d{number}"))
        times: list[int] = []

        def look(*_: Any) -> None:
            times.extend(client.ttl(key) for key in client.keys("dsd:*elements"))

        diffs.compare(source, target, "short", callback=look)
        assert times
        assert min(times) > 3000
        assert max(client.ttl(key) for key in client.keys("dsd:*")) <= 60
