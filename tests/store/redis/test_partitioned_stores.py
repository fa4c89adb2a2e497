"""A store over the nodes of a cluster: its objects are spread, and what must be one step stays one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from diffsync_store import LeaseLost, ObjectAlreadyExists, ObjectStoreException, StoreState
from diffsync_store.store.redis import RedisLeases, RedisStore, RedisStores
from diffsync_store.store.redis.partitions import Partitions, number_for
from tests.conftest import SharedServers, demand
from tests.redis_servers import ClusterNode, RedisClusterServers
from tests.store.inventory import Device, Site, flat, sites
from tests.store.redis.test_cluster_faults import Migration

NAMES = [f"device-{number * 7919 % 1000:03}" for number in range(1000)]


@pytest.fixture
def cluster(shared_servers: SharedServers, redis_kind: str) -> RedisClusterServers:
    return shared_servers.cluster(redis_kind)


@pytest.fixture
def store(cluster: RedisClusterServers, store_id: str) -> Iterator[RedisStore]:
    store = RedisStore(url=cluster.url, store_id=store_id)
    yield store
    store.drop()
    store.close()


def load(store: RedisStore, names: list[str]) -> None:
    with store.loading():
        adapter = flat(store)
        for name in names:
            adapter.add(Device(name=name))


def stored_on(node: ClusterNode, store: RedisStore) -> int:
    """Return the number of objects of the store on a node."""
    with node.client() as client:
        keys: Any = [key for key in client.scan_iter(count=1000) if f"{{{store.store_id}".encode() in key]
        return sum(int(client.hlen(key)) for key in keys if b":objects:" in key)


def partitions_of(store: RedisStore) -> Partitions:
    return Partitions(store._keys, number_for(3))


def read(cluster: RedisClusterServers, store: RedisStore) -> list[str]:
    with RedisStore(url=cluster.url, store_id=store.store_id) as reader:
        return [device.name for device in flat(reader).get_all(Device)]


def test_the_objects_of_one_store_are_spread_over_the_nodes(cluster: RedisClusterServers, store: RedisStore) -> None:
    load(store, [f"device-{number}" for number in range(6000)])
    parts = [stored_on(node, store) for node in cluster.nodes]
    assert sum(parts) == store.record().counts["device"] == 6000
    assert max(parts) / min(parts) <= 1.2, parts


def test_objects_are_in_the_order_of_insertion_over_all_partitions(
    cluster: RedisClusterServers, store: RedisStore
) -> None:
    load(store, NAMES)
    assert read(cluster, store) == NAMES
    assert list(store.uids("device")) == NAMES
    adapter = flat(store)
    adapter.remove(adapter.get(Device, NAMES[0]))
    store.flush()
    later = [*(f"later-{number}" for number in range(200)), NAMES[0]]
    for name in later:
        adapter.add(Device(name=name))
    store.flush()
    assert read(cluster, store) == [*NAMES[1:], *later]
    assert list(store.uids("device")) == [*NAMES[1:], *later]
    positions = store.positions("device", [*NAMES, *later])
    assert sorted(positions, key=lambda uid: positions[uid]) == [*NAMES[1:], *later]


def test_a_new_load_empties_every_partition(cluster: RedisClusterServers, store: RedisStore) -> None:
    load(store, NAMES)
    load(store, ["only"])
    assert sum(stored_on(node, store) for node in cluster.nodes) == 1
    assert store.require_complete().counts == {"device": 1}


def test_an_object_that_another_process_has_added_is_refused_in_every_partition(
    cluster: RedisClusterServers, store: RedisStore
) -> None:
    load(store, NAMES)
    with RedisStore(url=cluster.url, store_id=store.store_id) as other:
        adapter = flat(other)
        for name in NAMES[::50]:
            with pytest.raises(ObjectAlreadyExists):
                adapter.add(Device(name=name, role="again"))
    assert read(cluster, store) == NAMES


def test_a_newer_lease_refuses_writes_in_every_partition(cluster: RedisClusterServers, store: RedisStore) -> None:
    load(store, NAMES)
    with (
        closing(RedisLeases(url=cluster.url)) as leases,
        leases.take(store.store_id, "sync") as lease,
        closing(RedisStore(url=cluster.url, store_id=store.store_id, lease=lease)) as late,
    ):
        adapter = flat(late)
        devices = adapter.get_all(Device)[:100]
        leases.break_lease(store.store_id)
        for device in devices:
            with pytest.raises(LeaseLost):  # noqa: PT012
                adapter.update(Device(name=device.name, role="late"))
                late.flush()
            late._discard_all()
        with closing(RedisStore(url=cluster.url, store_id=store.store_id)) as reader:
            assert {device.role for device in flat(reader).get_all(Device)} == {"leaf"}
    with closing(cluster.client()) as client:
        client.delete(*(keys.lease for keys in partitions_of(store).keys))


def test_a_load_during_which_the_slot_of_one_partition_moves_has_failed(
    cluster: RedisClusterServers, store: RedisStore
) -> None:
    loading = store.loading()
    loading.__enter__()
    adapter = flat(store)
    for name in NAMES:
        adapter.add(Device(name=name))
    store.flush()
    tag = partitions_of(store).keys[-1].record.partition("{")[2].partition("}")[0]
    migration = Migration(cluster, tag)
    migration.begin()
    migration.end()
    adapter.add(Device(name="late"))
    with pytest.raises(ObjectStoreException, match=r"moved the store to another node of its cluster.*Load it again"):
        loading.__exit__(None, None, None)
    assert store.record().state is StoreState.FAILED
    load(store, NAMES)
    assert read(cluster, store) == NAMES


def test_a_store_that_has_lost_a_partition_has_failed(cluster: RedisClusterServers, store: RedisStore) -> None:
    load(store, NAMES)
    lost = partitions_of(store).keys[5]
    with closing(cluster.client()) as client:
        client.delete(lost.record)
    record = store.record()
    assert record.state is StoreState.FAILED
    assert "Redis has lost a part of it" in record.reason


def test_the_size_and_the_time_to_live_are_those_of_all_partitions(
    cluster: RedisClusterServers, store: RedisStore
) -> None:
    load(store, NAMES)
    with closing(RedisStores(url=cluster.url)) as stores, closing(cluster.client()) as client:
        one = store.store_id
        size = stores.memory(stores.record(one))
        assert size is not None
        assert size > 100 * len(NAMES)
        stores.renew(stores.record(one).model_copy(update={"ttl": 10**6}))
        assert all(client.ttl(keys.record) > 9 * 10**5 for keys in partitions_of(store).keys)


def test_shards_of_a_store_are_spread_and_sealed_as_one(cluster: RedisClusterServers, store: RedisStore) -> None:
    regions = {"eu": NAMES[::2], "us": NAMES[1::2]}
    for attempt in range(2):  # the second one clears what the first has left
        for region, names in regions.items():
            if attempt and region == "us":
                continue
            with (
                RedisStore(url=cluster.url, store_id=store.store_id) as own,
                own.loading(shard=region, of=tuple(regions)),
            ):
                adapter = flat(own)
                for name in names[attempt:]:
                    adapter.add(Device(name=name, role=str(attempt)))
    record = store.seal()
    assert (record.state, record.counts) == (StoreState.COMPLETE, {"device": 999})
    parts = [stored_on(node, store) for node in cluster.nodes]
    assert min(parts) > 250
    roles = Counter(
        device.role for device in flat(RedisStore(url=cluster.url, store_id=store.store_id)).get_all(Device)
    )
    assert roles == {"1": 499, "0": 500}
    assert read(cluster, store) == [*regions["eu"][1:], *regions["us"]]


def test_an_object_in_two_shards_is_found_in_whatever_partition_it_is(
    cluster: RedisClusterServers, store: RedisStore
) -> None:
    for region in ("eu", "us"):
        with RedisStore(url=cluster.url, store_id=store.store_id) as own, own.loading(shard=region, of=("eu", "us")):
            adapter = flat(own)
            for name in (f"{region}-{number}" for number in range(100)):
                adapter.add(Device(name=name))
            adapter.add(Device(name="both"))
    with pytest.raises(ObjectAlreadyExists, match=r"both.*eu.*us"):
        store.seal()
    assert store.record().state is StoreState.FAILED


def test_children_in_other_partitions_and_shards_are_found(cluster: RedisClusterServers, store: RedisStore) -> None:
    names = [f"device-{number}" for number in range(200)]
    for shard in ("sites", "devices"):
        with (
            RedisStore(url=cluster.url, store_id=store.store_id) as own,
            own.loading(shard=shard, of=("sites", "devices")),
        ):
            adapter = sites(own)
            if shard == "sites":
                adapter.add(Site(name="ber", devices=names))
            for name in names if shard == "devices" else ():
                adapter.add(Device(name=name))
    assert store.seal().undigested == ""
    with RedisStore(url=cluster.url, store_id=store.store_id) as reader:
        adapter = sites(reader)
        assert adapter.get(Site, "ber").devices == names
        assert [device.name for device in adapter.get_all(Device)] == names


@pytest.mark.slow
def test_a_node_that_is_down_loses_nothing_and_a_seal_notices_its_restart(redis_kind: str, store_id: str) -> None:
    with (
        demand(lambda: RedisClusterServers(redis_kind)) as servers,
        RedisStore(url=servers.url, store_id=store_id) as store,
    ):
        load(store, NAMES)
        generation = store.record().generation
        away = next(
            node
            for node in servers.nodes
            if not node.run("CLUSTER COUNTKEYSINSLOT", servers.nodes[0].run("CLUSTER KEYSLOT", f"{{{store_id}}}"))
        )
        away.kill()
        with pytest.raises(ObjectStoreException):
            load(store, ["another"])
        away.start()
        servers.wait_until_whole()
        found = store.record()
        assert (found.generation, found.state) == (generation, StoreState.FAILED)  # the node keeps nothing on disk
        with RedisStore(url=servers.url, store_id=store_id) as own, own.loading(shard="eu", of=("eu", "us")):
            load_names = flat(own)
            for name in NAMES:
                load_names.add(Device(name=name))
        away.stop()
        away.start()
        servers.wait_until_whole()
        with RedisStore(url=servers.url, store_id=store_id) as own, own.loading(shard="us", of=("eu", "us")):
            flat(own).add(Device(name="us"))
        with pytest.raises(ObjectStoreException, match=r"Objects may be lost.*Load these shards again: eu\."):
            store.seal()
        with RedisStore(url=servers.url, store_id=store_id) as own, own.loading(shard="eu", of=("eu", "us")):
            load_names = flat(own)
            for name in NAMES:
                load_names.add(Device(name=name))
        assert store.seal().counts == {"device": 1001}
