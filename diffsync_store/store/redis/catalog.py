"""The stores of one Redis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, TypeVar

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import DiffNotFound, StoreNotFound
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, StoreKeys, check_namespace, index_of_stores, users_of
from diffsync_store.store.redis.partitions import Partitions, read_partitions
from diffsync_store.store.redis.record import read_record, server_time, time_of
from diffsync_store.store.redis.scripts.catalog import MEMORY, REGISTER_USER
from diffsync_store.store.redis.scripts.pipeline import Call, call_each
from diffsync_store.store.redis.scripts.store import RENEW

_PAGE = 100
T = TypeVar("T")


class RedisStores:
    """The stores of one Redis, in one namespace. Threads may share it, and so may forked child processes.

    Args:
        connection: a connection to share; the caller closes it.
        namespace: the namespace of the stores, as RedisStore takes it.
        connection_arguments: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        connection: Connection | None = None,
        namespace: str = "",
        **connection_arguments: Any,
    ) -> None:
        self.namespace = check_namespace(namespace)
        self._index = index_of_stores(namespace)
        self._connection = Connection.share_or_open(connection, **connection_arguments)
        self._redis = self._connection.client

    def close(self) -> None:
        """Close the connection, unless it is shared."""
        self._connection.close()

    def _keys(self, store_id: str) -> StoreKeys:
        return StoreKeys(store_id, self.namespace)

    def _partitions(self, store_id: str) -> Partitions:
        return read_partitions(self._redis, self._keys(store_id))

    def list(self) -> Iterator[StoreRecord]:
        """Yield the record of each store, last written first. Each is read when the caller asks for it."""
        return newest_first(self._redis, self._index, lambda name: read_record(self._redis, self._keys(name)))

    def now(self) -> datetime:
        """Return the time in UTC by the clock of Redis, as in all records."""
        return server_time(self._redis, self._index)

    def register_user(self, user_id: str, description: str, *, expires_after: int) -> dict[str, datetime]:
        """Register a user of this namespace; return description and time of registration of each other user.

        Args:
            user_id: an id that stays the same.
            description: text that the other users get.
            expires_after: seconds after which a user is forgotten.
        """
        with translated_errors():
            key = users_of(self.namespace)
            found = iter(REGISTER_USER(self._redis, [key], [user_id, description, expires_after]))
        return {text.decode(): time_of(at) for text, at in zip(found, found, strict=True)}

    def record(self, store_id: str) -> StoreRecord:
        """Return the record of a store.

        Raises:
            StoreNotFound: there is no such store.
        """
        return read_record(self._redis, self._keys(store_id))

    def expires_in(self, store_id: str) -> int | None:
        """Return the seconds until an unused store expires; None if there is no such store."""
        with translated_errors():
            seconds = self._redis.ttl(self._keys(store_id).record)
        return int(seconds) if seconds >= 0 else None

    def renew(self, record: StoreRecord) -> None:
        """Restart the time to live of a store."""
        with translated_errors():
            calls: list[Call] = [
                ([keys.record], [record.ttl or DEFAULT_TTL]) for keys in self._partitions(record.store_id).keys
            ]
            call_each(self._redis, RENEW, calls)

    def memory(self, record: StoreRecord) -> int | None:
        """Return the estimated size of a store in bytes; None if the Redis user may not run `MEMORY USAGE`."""
        with translated_errors():
            calls: list[Call] = [([keys.record], []) for keys in self._partitions(record.store_id).keys]
            sizes = [int(size) for size in call_each(self._redis, MEMORY, calls)]
        return None if min(sizes) < 0 else sum(sizes)

    def newest(self, name: str, states: Collection[StoreState] = (StoreState.COMPLETE,)) -> StoreRecord:
        """Return the record of the store that was last loaded by the adapter of this name.

        Args:
            name: the adapter's name, which a load gives to its store.
            states: the states that it may be in.

        Raises:
            StoreNotFound: there is no such store.
        """
        for record in self.list():
            if record.name == name and record.state in states:
                return record
        wanted = " or ".join(state.value for state in states)
        raise StoreNotFound(f"There is no {wanted} store of {name!r}. Load {name!r} first.")


def newest_first(client: Any, index: str, read: Callable[[str], T]) -> Iterator[T]:
    """Yield the item of each id in an index, newest first. Ids of expired items are removed from the index."""
    start = 0
    while True:
        with translated_errors():
            page = [found.decode() for found in client.zrange(index, start, start + _PAGE - 1, desc=True)]
        if not page:
            return
        expired = []
        for name in page:
            try:
                yield read(name)
            except (StoreNotFound, DiffNotFound):
                expired.append(name)
        if expired:
            with translated_errors():
                client.zrem(index, *expired)
        start += len(page) - len(expired)
