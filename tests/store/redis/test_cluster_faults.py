"""A cluster whose slots move, and whose answers are lost, while a store is loaded and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from airports.demo.ports import free_port
from diffsync_store import ObjectStoreException, StoredAdapter, StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis.connection.retry import RetryingCluster
from tests.conftest import demand
from tests.proxy import Proxy
from tests.redis_servers import ClusterNode, RedisClusterServers
from tests.store.inventory import Device, flat


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[ExitStack, dict[str, RedisClusterServers]]]:
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def cluster(clusters: tuple[ExitStack, dict[str, RedisClusterServers]], redis_kind: str) -> RedisClusterServers:
    stack, started = clusters
    if redis_kind not in started:
        started[redis_kind] = stack.enter_context(demand(lambda: RedisClusterServers(redis_kind)))
    return started[redis_kind]


class Migration:
    """The slot of a store moves from the node that has it to another one, step by step."""

    def __init__(self, cluster: RedisClusterServers, store_id: str) -> None:
        self.nodes = cluster.nodes
        self.slot: int = cluster.nodes[0].run("CLUSTER KEYSLOT", f"{{{store_id}}}")
        self.old = cluster.holder(self.slot)
        self.new = next(node for node in cluster.nodes if node is not self.old)

    def begin(self) -> None:
        self.new.run("CLUSTER SETSLOT", self.slot, "IMPORTING", self._name(self.old))
        self.old.run("CLUSTER SETSLOT", self.slot, "MIGRATING", self._name(self.new))

    def move(self, most: int) -> None:
        """Move at most so many keys."""
        for key in self.old.run("CLUSTER GETKEYSINSLOT", self.slot, most):
            self.old.run("MIGRATE", "127.0.0.1", self.new.port, key, 0, 5000)

    def end(self) -> None:
        self.move(1000)
        for node in (self.new, self.old, *self.nodes):
            node.run("CLUSTER SETSLOT", self.slot, "NODE", self._name(self.new))

    @staticmethod
    def _name(node: ClusterNode) -> str:
        name = node.run("CLUSTER MYID")
        return name.decode() if isinstance(name, bytes) else str(name)


def fill(store: RedisStore, names: str) -> None:
    with store.loading():
        for name in names:
            flat(store).add(Device(name=name))
            store.flush()


@pytest.mark.slow
def test_a_loaded_store_is_whole_after_its_slot_has_moved(cluster: RedisClusterServers, store_id: str) -> None:
    with RedisStore(url=cluster.url, store_id=store_id) as store:
        fill(store, "abc")
        migration = Migration(cluster, store_id)
        migration.begin()
        migration.move(3)
        migration.end()
        assert store.require_complete().counts == {"device": 3}
        assert [device.name for device in flat(store).get_all(Device)] == ["a", "b", "c"]
        store.drop()


@pytest.mark.slow
def test_a_store_that_is_being_moved_is_said_to_be_and_nothing_is_half_written(
    cluster: RedisClusterServers, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffsync_store.store.redis.connection.retry._MOVING_PATIENCE", 0.0)
    with RedisStore(url=cluster.url, store_id=store_id) as store:
        fill(store, "abc")
        migration = Migration(cluster, store_id)
        migration.begin()
        for most in (0, 3):
            migration.move(most)
            with pytest.raises(ObjectStoreException, match="is moving the store"):
                flat(store).add(Device(name="d"))
        migration.end()
        flat(store).add(Device(name="d"))
        store.flush()
        assert store.record().counts == {"device": 4}
        store.drop()


def test_a_load_during_which_its_slot_moves_ends_as_failed(cluster: RedisClusterServers, store_id: str) -> None:
    with RedisStore(url=cluster.url, store_id=store_id) as store:
        loading = store.loading()
        loading.__enter__()
        flat(store).add(Device(name="a"))
        store.flush()
        migration = Migration(cluster, store_id)
        migration.begin()
        migration.end()
        flat(store).add(Device(name="b"))
        with pytest.raises(
            ObjectStoreException, match=r"moved the store to another node of its cluster.*Load it again"
        ):
            loading.__exit__(None, None, None)
        assert store.record().state is StoreState.FAILED
        store.drop()


def test_a_diff_is_the_same_after_the_slot_of_its_source_has_moved(cluster: RedisClusterServers, store_id: str) -> None:
    with (
        RedisStore(store_id=f"{store_id}-a", url=cluster.url) as source,
        RedisStore(store_id=f"{store_id}-b", url=cluster.url) as target,
        closing(RedisDiffs(url=cluster.url)) as diffs,
    ):
        fill(source, "abcd")
        fill(target, "cdef")
        migration = Migration(cluster, f"{store_id}-a")
        migration.begin()
        migration.end()
        diff_id = diffs.compare(StoredAdapter(source), StoredAdapter(target), store_id)
        expected = {"create": 2, "update": 0, "delete": 2, "no-change": 2, "skip": 0}
        assert diffs.open(diff_id).record.summary == expected
        diffs.open(diff_id).drop()
        source.drop()
        target.drop()


def test_a_load_that_loses_answers_of_a_cluster_is_whole(
    cluster: RedisClusterServers, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffsync_store.store.redis.connection.retry.EqualJitterBackoff", lambda **_: NoBackoff())
    with ExitStack() as stack:
        proxies = {node.port: stack.enter_context(Proxy(node.port)) for node in cluster.nodes}

        def remap(address: tuple[str, int]) -> tuple[str, int]:
            return address[0], proxies[address[1]].port if address[1] in proxies else address[1]

        with RedisStore(url=cluster.url, store_id=store_id, address_remap=remap) as store:
            for proxy in proxies.values():
                proxy.lose_answers(b"EVAL", every=3)
            fill(store, "abcdefghijkl")
            for proxy in proxies.values():
                proxy.lose_answers(b"EVAL", every=0)
        assert sum(proxy.lost for proxy in proxies.values()) >= 3
    with RedisStore(url=cluster.url, store_id=store_id) as store:
        assert store.require_complete().counts == {"device": 12}
        assert [device.name for device in flat(store).get_all(Device)] == list("abcdefghijkl")
        store.drop()


@pytest.mark.slow
def test_tries_on_a_cluster_wait_between_each_other(cluster: RedisClusterServers, monkeypatch: Any) -> None:
    waits: list[float] = []
    monkeypatch.setattr("redis.retry.sleep", waits.append)
    with pytest.raises(ObjectStoreException, match=r"^Redis store is unavailable\.$"):
        RedisStore(url=f"redis+cluster://127.0.0.1:{free_port()}")
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]
    del waits[:]
    for node in cluster.nodes:
        node.run("ACL SETUSER", "few", "on", ">right", "+@all", "~*")
    with pytest.raises(ObjectStoreException, match="refused the user name or password"):
        RedisStore(url=f"redis+cluster://few:wrong@127.0.0.1:{cluster.nodes[0].port}")
    assert waits == []


def test_what_was_given_as_retry_is_what_counts_on_a_cluster(cluster: RedisClusterServers) -> None:

    with RedisStore(url=cluster.url, retry=Retry(NoBackoff(), 1)) as store:
        assert isinstance(store._redis, redis.RedisCluster)
        assert not isinstance(store._redis, RetryingCluster)


def test_a_closed_store_of_a_cluster_connects_again_when_it_is_used(
    cluster: RedisClusterServers, store_id: str
) -> None:
    store = RedisStore(url=cluster.url, store_id=store_id)
    fill(store, "ab")
    store.close()
    assert store.record().counts == {"device": 2}
    store.drop()
    store.close()
