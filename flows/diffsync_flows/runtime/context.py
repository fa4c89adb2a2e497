"""What all parts of a flow run share: the YAML file, read once, and one connection to Redis."""

import socket
from collections.abc import Collection
from datetime import timedelta
from threading import Lock
from typing import Self

from diffsync_flows.config.config import Config
from diffsync_store import ObjectStoreException, StoreNotFound, StoreRecord
from diffsync_store.diffs import RedisDiffs
from diffsync_store.retention import Retention
from diffsync_store.store.redis import Connection, RedisLeases, RedisStore, RedisStores
from diffsync_store.transient import is_transient


class SyncContext:
    """The configuration of a flow run, and the stores, diffs and leases that it names.

    Everything that this opens shares one connection, which is made at first use and closed on exit. Threads may share a
    context. An error of a store that does not answer leaves the context with a note that names the server.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._connection: Connection | None = None
        self._lock = Lock()
        self._ttl = 0

    @property
    def connection(self) -> Connection:
        """The connection to the project's Redis."""
        with self._lock:
            if self._connection is None:
                url, self._ttl = self.config._store()
                self._connection = Connection(url=url)
            return self._connection

    def open_store(self, store_id: str, name: str = "") -> RedisStore:
        """Open a store; `name` is the adapter's, for a store that is about to be loaded."""
        connection = self.connection
        return RedisStore(
            name=name, store_id=store_id, connection=connection, ttl=self._ttl, namespace=self.config.namespace
        )

    def diffs(self, retention: int | None = None) -> RedisDiffs:
        """Return the saved diffs; a new one expires after `retention` seconds, by default after the store's `ttl`."""
        connection = self.connection
        return RedisDiffs(connection=connection, ttl=retention or self._ttl, namespace=self.config.namespace)

    def leases(self) -> RedisLeases:
        """Return the leases on targets."""
        return RedisLeases(connection=self.connection, namespace=self.config.namespace)

    def stores(self) -> RedisStores:
        """Return the catalog of the project's stores."""
        return RedisStores(connection=self.connection, namespace=self.config.namespace)

    def retention(self, pending_approvals: Collection[str]) -> Retention:
        """Return what drops expired stores and diffs; those of pending approvals are in use."""
        declared = self.config.declared.housekeeping
        return Retention(
            connection=self.connection,
            stores=timedelta(seconds=declared.store_retention),
            diffs=timedelta(seconds=declared.diff_retention),
            pending_approvals=pending_approvals,
            namespace=self.config.namespace,
        )

    def newest_store(self, adapter: str) -> StoreRecord:
        """Return the record of an adapter's newest complete store.

        Raises:
            StoreNotFound: The adapter has no complete store.
        """
        return self.stores().newest(adapter)

    def last_count(self, adapter: str) -> int | None:
        """Return how many objects the adapter's newest complete store has; None without such a store."""
        try:
            return sum(self.newest_store(adapter).counts.values())
        except StoreNotFound:
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ObjectStoreException) and is_transient(error):
            error.add_note(self._unreachable_hint())
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _unreachable_hint(self) -> str:
        address = self.config.store_address()
        return f"It is {address}: check that it runs and that {socket.gethostname()} reaches it, then try again."
