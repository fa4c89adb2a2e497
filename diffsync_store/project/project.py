"""A project: what a file declares, and the stores, diffs, leases and adapters made from it."""

import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Generic, TypeVar, cast

from diffsync_store.adapter import Adapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import LeaseHeld, ObjectStoreException, StoreNotFound
from diffsync_store.guards import Guards
from diffsync_store.project.adapter_factory import AdapterFactory
from diffsync_store.project.errors import ConfigError, UserError, WrongSync
from diffsync_store.project.schema import PROJECT, AdapterEntry, Declarations, StoreSettings, SyncEntry
from diffsync_store.project.secrets import Secrets
from diffsync_store.project.settings import SettingsReader
from diffsync_store.project.validation import read_declarations
from diffsync_store.project.yaml_file import YamlFile
from diffsync_store.redaction import redact_url_passwords
from diffsync_store.retention import Retention
from diffsync_store.store import BaseStore
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis import Lease, RedisLeases, RedisStore, RedisStores, target_lease
from diffsync_store.transient import is_transient

LEASE_TTL = 30.0
"""Seconds after the last renewal at which the lease of a dead sync ends."""


S = TypeVar("S", bound=SyncEntry)


class BaseProject(Generic[S]):
    """Read a file, and open what it declares.

    Nothing is connected, and no adapter class is imported, before it is used. A process needs only the variables of the
    adapters that it uses.

    Args:
        path: the YAML file.
        environment: the values of `${VAR}`, such as `os.environ`.

    Raises:
        ConfigError: the file is wrong; it names each fault with its line and column.
    """

    declarations: ClassVar[type[Declarations]] = Declarations
    """The schema of the file."""

    declared: Declarations
    adapters: Mapping[str, AdapterEntry]
    syncs: Mapping[str, S]

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self.path = path
        self.file = YamlFile(path)
        self.declared = read_declarations(self.file, self.declarations)
        self.adapters = self.declared.adapters
        self.syncs = cast("Mapping[str, S]", self.declared.syncs)
        self.secrets = Secrets()
        self._reader = SettingsReader(self.file, environment, self.secrets)
        self.factory = AdapterFactory(self.file, self.adapters, self._reader, self.secrets)

    @property
    def namespace(self) -> str:
        """The namespace in Redis: the project's name, if the file states one."""
        return "" if self.declared.project == PROJECT else self.declared.project

    def sync(self, name: str) -> S:
        """Return a declared sync.

        Raises:
            ConfigError: there is no such sync.
        """
        if name not in self.syncs:
            raise self.file.undeclared("sync", name, self.syncs)
        return self.syncs[name]

    def sync_of(self, source: str, target: str) -> tuple[str, S]:
        """Return name and entry of the sync between two adapters; if none is declared, an entry with the defaults."""
        found = (pair for pair in self.syncs.items() if (pair[1].source, pair[1].target) == (source, target))
        return next(found, ("", cast("S", self.declarations.sync_entry(source=source, target=target))))

    def flags(self, source: str, target: str) -> DiffSyncFlags:
        """Return the flags of the sync between two adapters."""
        return self.sync_of(source, target)[1].combined_flags

    def guards(self, source: str, target: str) -> Guards:
        """Return the guards of the sync between two adapters."""
        return self.sync_of(source, target)[1].guards

    def require_pair(self, name: str, source: str, target: str, what: str) -> S:
        """Return a sync, if stores or a diff belong to its adapters: its guards and its approval are for these two.

        Args:
            name: of the sync.
            source: adapter of the source's store.
            target: adapter of the target's store.
            what: how the message begins, e.g. `The diff is`.

        Raises:
            WrongSync: they belong to others; the message names their sync.
        """
        declared = self.sync(name)
        if (declared.source, declared.target) == (source, target):
            return declared
        other, _ = self.sync_of(source, target)
        if other:
            remedy = f"Use the sync {other}."
        elif (declared.target, declared.source) == (source, target):
            remedy = "Source and target are swapped: this would change the source of truth."
        else:
            remedy = "No sync of these two adapters is declared."
        raise WrongSync(
            f"{what} {source} → {target}; the sync {name} is {declared.source} → {declared.target}. {remedy}"
        )

    def make_adapter(self, name: str, store: BaseStore) -> Adapter:
        """Create a declared adapter that loads into a store.

        Raises:
            ConfigError: it is not declared, or its class or settings are wrong.
        """
        return self.factory.make(name, store)

    def open_store(self, store_id: str, name: str = "") -> RedisStore:
        """Open a store; the caller closes it."""
        url, ttl = self._store()
        return RedisStore(name=name, store_id=store_id, url=url, ttl=ttl, namespace=self.namespace)

    def open_stores(self) -> RedisStores:
        """Open the catalog of the project's stores; the caller closes it."""
        return RedisStores(url=self._store()[0], namespace=self.namespace)

    @contextmanager
    def open_diffs(self, retention: int | None = None) -> Iterator[RedisDiffs]:
        """Open the saved diffs.

        Args:
            retention: seconds to keep what is saved; the store's `ttl` if not given.
        """
        url, ttl = self._store()
        with closing(RedisDiffs(url=url, ttl=retention or ttl, namespace=self.namespace)) as diffs:
            yield diffs

    @contextmanager
    def open_leases(self) -> Iterator[RedisLeases]:
        """Open the project's leases."""
        with closing(RedisLeases(url=self._store()[0], namespace=self.namespace)) as leases:
            yield leases

    @contextmanager
    def retention(self, pending_approvals: Collection[str] = ()) -> Iterator[Retention]:
        """Open the retention that `housekeeping` declares.

        Args:
            pending_approvals: diffs that wait for an approval, and so are in use.
        """
        kept = self.declared.housekeeping
        retention = Retention(
            url=self._store()[0],
            stores=timedelta(seconds=kept.store_retention),
            diffs=timedelta(seconds=kept.diff_retention),
            pending_approvals=pending_approvals,
            namespace=self.namespace,
        )
        with closing(retention):
            yield retention

    def newest_store(self, adapter: str) -> StoreRecord:
        """Return the record of an adapter's newest complete store.

        Raises:
            StoreNotFound: there is none.
        """
        with closing(self.open_stores()) as stores:
            return stores.newest(adapter)

    def last_count(self, adapter: str) -> int | None:
        """Return the number of objects of an adapter's last complete load; None if there is none."""
        try:
            return sum(self.newest_store(adapter).counts.values())
        except StoreNotFound:
            return None

    @contextmanager
    def lease(self, adapter: str, reason: str, log: Callable[[str], None]) -> Iterator[Lease]:
        """Hold the exclusive right to change an adapter's system.

        A lease that was acquired for the same reason is waited for: its process was killed and the lease will expire, or
        it still runs and does the same work.

        Args:
            adapter: name of the adapter.
            reason: what for, shown to others.
            log: called with a message when the wait begins.

        Raises:
            LeaseHeld: the lease is held for another reason.
        """
        with self.open_leases() as leases, self._acquired(leases, target_lease(adapter), reason, log) as lease:
            yield lease

    def _acquired(self, leases: RedisLeases, name: str, reason: str, log: Callable[[str], None]) -> Lease:
        is_logged = False
        while True:
            try:
                return leases.take(name, reason, ttl=LEASE_TTL)
            except LeaseHeld as error:
                is_own = error.holder is not None and error.holder.reason == reason and error.holder.until is not None
                if not is_own:
                    raise
                if not is_logged:
                    log(f"Waiting for the lease of an earlier run: {error.holder}")
                    is_logged = True
                time.sleep(1)

    def check_store(self) -> None:
        """Connect to the store.

        Raises:
            ConfigError: it cannot be reached, or refuses the connection.
        """
        try:
            with self.open_diffs():
                pass
        except ConfigError:
            raise
        except (ObjectStoreException, UserError) as error:
            raise self.file.error(("store",), self.secrets.redact(self.describe_error(error))) from None
        except (TypeError, ValueError) as error:  # redis-py does not know an option of the URL, or its value is wrong
            message = f"The Redis URL is not valid: {self.secrets.redact(str(error))}"
            raise self.file.error(("store",), message) from None

    def describe_error(self, error: Exception) -> str:
        """Return the error's message, and for an unavailable store its address and what to do."""
        if not (isinstance(error, ObjectStoreException) and is_transient(error)):
            return str(error)
        return f"{error} Check that {self.store_address()} runs and that {socket.gethostname()} can reach it, then try again."

    def store_settings(self) -> StoreSettings:
        """Return the settings of the store, with their variables expanded."""
        return self._reader.read(StoreSettings, ("store",))

    def store_address(self) -> str:
        """Return the URL of the store without its password."""
        return redact_url_passwords(self._store()[0])

    def _store(self) -> tuple[str, int]:
        """Return the URL of the store, and the seconds for which it keeps data."""
        settings = self.store_settings()
        url = settings.url.get_secret_value() if settings.url else self._url_of_block(str(settings.block))
        if redact_url_passwords(url) != url:
            self.secrets.add(url)
        return url, settings.ttl

    def _url_of_block(self, name: str) -> str:
        """Return the URL that a Prefect block holds; only a project of `diffsync_flows` can."""
        message = f"only diffsync-flows can read the Prefect block {name!r}. Give the url instead."
        raise self.file.error(("store", "block"), message)


class Project(BaseProject[SyncEntry]):
    """A project that needs no Prefect: the keys of the file that only Prefect needs are ignored."""
