from __future__ import annotations

import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from diffsync_store import BaseStore, LocalStore
from diffsync_store.store.redis import RedisStore
from tests.conftest import SharedServers
from tests.redis_servers import RedisClusterServers
from tests.servers import RedisServer

NewStore = Callable[[], BaseStore]
OpenStore = Callable[..., RedisStore]


@pytest.fixture
def new_store(store_kind: str, shared_servers: SharedServers) -> Iterator[NewStore]:
    """Makes stores of the kind that the test is run on; those in Redis are dropped after it and leave nothing."""
    if store_kind == "local":
        yield LocalStore
        return
    server, connection = shared_servers.redis(store_kind), shared_servers.connection(store_kind)
    with ExitStack() as stores:

        def make() -> BaseStore:
            open_store = stores.enter_context(_opener(server, f"test-{uuid.uuid4().hex}", connection=connection))
            return open_store()

        yield make


@pytest.fixture
def store(new_store: NewStore) -> BaseStore:
    return new_store()


@pytest.fixture
def open_redis(redis_server: RedisServer, store_id: str) -> Iterator[OpenStore]:
    """Opens the test's store in Redis anew each time, as other processes do; after the test it is dropped."""
    with _opener(redis_server, store_id) as opener:
        yield opener


@contextmanager
def _opener(server: RedisServer | RedisClusterServers, store_id: str, **common: Any) -> Iterator[OpenStore]:
    """Drops the store at the end, pending writes too, and sees to it that no key of it is left."""
    made: weakref.WeakSet[RedisStore] = weakref.WeakSet()

    def make(**options: Any) -> RedisStore:
        store = RedisStore(**{"store_id": store_id, **(common or {"url": server.url}), **options})
        made.add(store)
        return store

    yield make
    for store in [*made, make()]:
        store.drop()
        store.close()
    with closing(server.client()) as client:
        assert keys_of(client, store_id) == set()


def keys_of(client: Any, store_id: str) -> set[str]:
    """All keys that mention the store; tests may scan, the library may not."""
    return {key.decode() for key in client.scan_iter(count=1000) if store_id.encode() in key}
