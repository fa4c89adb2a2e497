"""The stores, diffs and leases of a project, over one connection to Redis."""

import socket
from collections.abc import Callable, Collection
from datetime import timedelta
from threading import Lock
from typing import Any, Generic, Self, TypeVar

from diffsync_store.diffs import RedisDiffs
from diffsync_store.exceptions import ObjectStoreException, StoreNotFound
from diffsync_store.project.errors import ConfigError, UserError
from diffsync_store.project.project import BaseProject
from diffsync_store.redaction import redact_url_passwords
from diffsync_store.retention import Retention
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import Connection, RedisInSync, RedisLeases, RedisNotices, RedisStore, RedisStores
from diffsync_store.transient import is_transient

P = TypeVar("P", bound=BaseProject[Any])


class SyncContext(Generic[P]):
    """A project with a connection to its Redis, which is opened at first use and closed on exit.

    All stores, diffs and leases that it opens share the connection. Threads may share a context. If Redis does not answer, the
    error leaves the context with a note that names the server.

    Args:
        project: the project.
        url: the Redis to use instead of the file's `store`.
        why_unavailable: says what to do if this Redis does not answer.
    """

    def __init__(self, project: P, url: str = "", why_unavailable: Callable[[], str] | None = None) -> None:
        self.project = project
        self._url = url
        self._why_unavailable = why_unavailable
        self._ttl = project.ttl
        self._connection: Connection | None = None
        self._lock = Lock()

    @property
    def connection(self) -> Connection:
        """The connection to the project's Redis."""
        with self._lock:
            if self._connection is None:
                self._connection = Connection(url=self._url or self.project.store_url())
            return self._connection

    def open_store(self, store_id: str, name: str = "") -> RedisStore:
        """Open a store; `name` is the adapter's, for a store that is about to be loaded."""
        connection = self.connection
        namespace = self.project.namespace
        return RedisStore(name=name, store_id=store_id, connection=connection, ttl=self._ttl, namespace=namespace)

    def diffs(self, retention: int | None = None) -> RedisDiffs:
        """Return the saved diffs; a new one expires after `retention` seconds, by default after the store's `ttl`."""
        connection = self.connection
        return RedisDiffs(connection=connection, ttl=retention or self._ttl, namespace=self.project.namespace)

    def leases(self) -> RedisLeases:
        """Return the leases on targets."""
        return RedisLeases(connection=self.connection, namespace=self.project.namespace)

    def stores(self) -> RedisStores:
        """Return the catalog of the project's stores."""
        return RedisStores(connection=self.connection, namespace=self.project.namespace)

    def in_sync(self) -> RedisInSync:
        """Return when the syncs were last in sync."""
        return RedisInSync(self.connection, self.project.namespace)

    def notices(self) -> RedisNotices:
        """Return which notifications were sent."""
        return RedisNotices(self.connection, self.project.namespace)

    def retention(self, pending_approvals: Collection[str] = ()) -> Retention:
        """Return the retention that `housekeeping` declares; the diffs of pending approvals are in use."""
        declared = self.project.declared.housekeeping
        return Retention(
            connection=self.connection,
            stores=timedelta(seconds=declared.store_retention),
            diffs=timedelta(seconds=declared.diff_retention),
            pending_approvals=pending_approvals,
            namespace=self.project.namespace,
        )

    def newest_store(self, adapter: str) -> StoreRecord:
        """Return the record of an adapter's newest complete store.

        Raises:
            StoreNotFound: there is none.
        """
        return self.stores().newest(adapter)

    def last_count(self, adapter: str) -> int | None:
        """Return the number of objects of an adapter's newest complete store; None if there is none."""
        try:
            return sum(self.newest_store(adapter).counts.values())
        except StoreNotFound:
            return None

    def check_store(self) -> None:
        """Connect to the store.

        Raises:
            ConfigError: it cannot be reached, or refuses the connection.
        """
        file, secrets = self.project.file, self.project.secrets
        try:
            self.stores()
        except ConfigError:
            raise
        except (ObjectStoreException, UserError) as error:
            message = f"{error} {self._hint()}" if is_transient(error) else str(error)
            raise file.error(("store",), secrets.redact(message)) from None
        except (TypeError, ValueError) as error:  # redis-py does not know an option of the URL, or its value is wrong
            message = f"The Redis URL is not valid: {secrets.redact(str(error))}"
            raise file.error(("store",), message) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ObjectStoreException) and is_transient(error):
            error.add_note(self._hint())
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _hint(self) -> str:
        if self._why_unavailable is not None:
            return self._why_unavailable()
        address = redact_url_passwords(self._url) if self._url else self.project.store_address()
        return f"Check that {address} runs and that {socket.gethostname()} can reach it, then try again."
