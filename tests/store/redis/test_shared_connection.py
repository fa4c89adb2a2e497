"""One connection that stores, saved diffs and leases share; whoever opened it closes it."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest
import redis

from diffsync_store import ObjectStoreException, StoredAdapter, StoreNotFound
from diffsync_store.diffs import RedisDiffs
from diffsync_store.retention import Retention, drop_store
from diffsync_store.store.redis import Connection, RedisLeases, RedisStore, RedisStores
from tests.servers import RedisServer
from tests.store.inventory import Device, flat


def count_of_clients(server: RedisServer) -> int:
    with closing(redis.Redis(host="127.0.0.1", port=server.port)) as client:
        clients: list[Any] = client.client_list()
        return len(clients)


def test_all_classes_share_one_connection_and_leave_it_open(redis_server: RedisServer, store_id: str) -> None:
    keep = timedelta(days=1)
    with Connection(url=redis_server.url) as connection:
        before = count_of_clients(redis_server)
        with RedisStore(store_id=store_id, connection=connection) as store:
            with store.loading():
                flat(store).add(Device(name="a"))
            with (
                closing(RedisStores(connection=connection)) as stores,
                closing(RedisDiffs(connection=connection)) as diffs,
                closing(RedisLeases(connection=connection)) as leases,
                closing(Retention(connection=connection, stores=keep, diffs=keep)) as retention,
            ):
                diff_id = diffs.compare(StoredAdapter(store), StoredAdapter(store), store_id)
                with leases.take(store_id, "test"):
                    assert stores.record(store_id).counts == {"device": 1}
                assert list(retention.run(dry_run=True)) == []
                assert diffs.open(diff_id).record.operations == 0
                assert count_of_clients(redis_server) <= before + 1  # a store's pipeline has a connection of its own
                diffs.open(diff_id).drop()
        drop_store(store_id, connection=connection)
        assert connection.client.ping()
        with pytest.raises(StoreNotFound):
            RedisStores(connection=connection).record(store_id)


def test_a_shared_connection_outlives_the_name_of_its_owner(redis_server: RedisServer, store_id: str) -> None:
    store = RedisStore(store_id=store_id, connection=Connection(url=redis_server.url))
    with store.loading():
        flat(store).add(Device(name="a"))
    assert store.record().counts == {"device": 1}
    store.drop()
    store.close()


@pytest.mark.parametrize("more", [{"url": "redis://localhost"}, {"host": "localhost"}, {"db": 1}, {"password": "x"}])
def test_a_connection_and_arguments_for_another_one_are_refused(
    redis_server: RedisServer, more: dict[str, Any]
) -> None:
    with Connection(url=redis_server.url) as connection:
        for opened in (RedisStore, RedisStores, RedisDiffs, RedisLeases):
            with pytest.raises(ObjectStoreException, match=f"either a connection, or {next(iter(more))} to open one"):
                opened(connection=connection, **more)


def test_a_closed_connection_is_closed_for_all_who_share_it(redis_server: RedisServer) -> None:
    connection = Connection(url=redis_server.url)
    stores = RedisStores(connection=connection)
    stores.now()
    before = count_of_clients(redis_server)
    connection.close()
    with suppress(ObjectStoreException):
        connection.close()
    assert count_of_clients(redis_server) < before
