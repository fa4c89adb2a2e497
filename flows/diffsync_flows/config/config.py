"""The YAML file of adapters and syncs. The only place that reads the environment.

    store:
      url: ${REDIS_URL}
    adapters:
      registry:
        class: airports.registry:AirportsAdapter
        settings: {folder: /srv/airportsdata}
    syncs:
      airports: {source: registry, target: database}

`${VAR}` in the store's `url` and `block` and in an adapter's `settings` is taken from the environment, `$${` stands for `${`. An adapter's
settings are read only where the adapter is used: a worker needs no secret of a system that it does not touch.

`diffsync-flows check` checks the whole file, with every class and every variable in it, and reaches the store.
"""

import os
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from diffsync_flows.blocks import DiffsyncStore
from diffsync_flows.config.adapter_factory import AdapterClasses
from diffsync_flows.config.cross_checks import read_declarations
from diffsync_flows.config.schema import PROJECT, StoreSettings, SyncEntry
from diffsync_flows.config.secrets import Secrets
from diffsync_flows.config.settings_reader import Reader
from diffsync_flows.config.yaml_source import ConfigFault, YamlFile
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.prefect_client import translated_api_errors
from diffsync_store import (
    DiffSyncFlags,
    Guards,
    LeaseHeld,
    ObjectStoreException,
    StoreNotFound,
    StoreRecord,
)
from diffsync_store.diffs import RedisDiffs
from diffsync_store.redaction import redact_url_passwords
from diffsync_store.retention import Retention
from diffsync_store.store.redis import Lease, RedisLeases, RedisStore, RedisStores, target_lease
from diffsync_store.transient import is_transient

DEFAULT_CONFIG = "syncs.yaml"
SET_CONFIG = (
    "Set DIFFSYNC_CONFIG to the absolute path of the YAML file in the environment of the worker: a flow run starts in an "
    "empty folder."
)

LEASE_TTL = 30.0
"""Seconds after the last sign of life of a sync's process at which another one may go on."""


class WrongSync(UserError):
    """Stores or a diff were given to a sync of other adapters."""


class Config:
    """The file's declarations, and the stores and adapters made from them."""

    def __init__(self, path: Path) -> None:
        self.file = YamlFile(path)
        declared = read_declarations(self.file)
        self.path = path
        self.declared = declared
        self.adapters = declared.adapters
        self.syncs = declared.syncs
        self.secrets = Secrets()
        self._reader = Reader(self.file, os.environ, self.secrets)
        self.classes = AdapterClasses(self.file, self.adapters, self._reader, self.secrets)

    @property
    def namespace(self) -> str:
        """The namespace in Redis: a project's own, where the file names one."""
        return "" if self.declared.project == PROJECT else self.declared.project

    def sync(self, name: str) -> SyncEntry:
        if name not in self.syncs:
            raise self.file.unknown("sync", name, self.syncs)
        return self.syncs[name]

    def flags(self, source: str, target: str) -> DiffSyncFlags:
        """The flags of the sync between two adapters; without one, those of a sync that states none."""
        return self.sync_of(source, target)[1].combined_flags

    def guards(self, source: str, target: str) -> Guards:
        """The guards of the sync between two adapters; without one, those of a sync that states none."""
        return self.sync_of(source, target)[1].guards

    def sync_of(self, source: str, target: str) -> tuple[str, SyncEntry]:
        """The sync between two adapters, with its name; one that states nothing, without a name, if none is declared."""
        found = (pair for pair in self.syncs.items() if (pair[1].source, pair[1].target) == (source, target))
        return next(found, ("", SyncEntry(source=source, target=target)))

    def open_store(self, store_id: str, name: str = "") -> RedisStore:
        url, ttl = self._store()
        return RedisStore(name=name, store_id=store_id, url=url, ttl=ttl, namespace=self.namespace)

    @contextmanager
    def open_diffs(self, retention: int | None = None) -> Iterator[RedisDiffs]:
        """The saved diffs; what is saved is kept for `retention` seconds, or as long as a store."""
        url, ttl = self._store()
        with closing(RedisDiffs(url=url, ttl=retention or ttl, namespace=self.namespace)) as diffs:
            yield diffs

    @contextmanager
    def retention(self, waited_for: Collection[str] = ()) -> Iterator[Retention]:
        """What is kept, and for how long; a diff that is waited for is in use."""
        told = self.declared.housekeeping
        stores, diffs = timedelta(seconds=told.stores), timedelta(seconds=told.diffs)
        url, _ = self._store()
        made = Retention(url=url, stores=stores, diffs=diffs, pending_approvals=waited_for, namespace=self.namespace)
        with closing(made) as retention:
            yield retention

    def newest_store(self, adapter: str) -> StoreRecord:
        """What the newest complete store of an adapter says of itself.

        Raises:
            StoreNotFound: there is none.
        """
        with closing(self.open_stores()) as stores:
            return stores.newest(adapter)

    def open_stores(self) -> RedisStores:
        """The project's stores; the caller closes them."""
        return RedisStores(url=self._store()[0], namespace=self.namespace)

    def last_count(self, adapter: str) -> int | None:
        """How many objects the last complete load of an adapter had; None where none is left."""
        try:
            return sum(self.newest_store(adapter).counts.values())
        except StoreNotFound:
            return None

    def require_pair(self, name: str, source: str, target: str, what: str) -> SyncEntry:
        """Refuse stores or a diff of other adapters than those of a sync: its guards and its approval are for these two.

        Raises:
            WrongSync: they are others; the message names the sync that they are for.
        """
        declared = self.sync(name)
        if (declared.source, declared.target) == (source, target):
            return declared
        other, _ = self.sync_of(source, target)
        if other:
            remedy = f"They are those of the sync {other}."
        elif (declared.target, declared.source) == (source, target):
            remedy = "Source and target are exchanged: the system that is right would be changed."
        else:
            remedy = "No sync of these two is declared."
        raise WrongSync(
            f"{what} {source} → {target}; the sync {name} is {declared.source} → {declared.target}. {remedy}"
        )

    @contextmanager
    def lease(self, adapter: str, reason: str, told: Callable[[str], None]) -> Iterator[Lease]:
        """The right to change an adapter's system, which one run at a time has.

        One that was taken for the same reason is waited for: its run was killed, and it ends by itself, or it was thought
        to be dead, and what it has done needs not be done again.
        """
        with self.open_leases() as leases, self._taken(leases, target_lease(adapter), reason, told) as lease:
            yield lease

    @contextmanager
    def open_leases(self) -> Iterator[RedisLeases]:
        """Who may do what of which there is one at a time."""
        with closing(RedisLeases(url=self._store()[0], namespace=self.namespace)) as leases:
            yield leases

    def _taken(self, leases: RedisLeases, name: str, reason: str, told: Callable[[str], None]) -> Lease:
        is_told = False
        while True:
            try:
                return leases.take(name, reason, ttl=LEASE_TTL)
            except LeaseHeld as error:
                is_own = error.holder is not None and error.holder.reason == reason and error.holder.until is not None
                if not is_own:
                    raise
                if not is_told:
                    told(f"Waiting for the lease of a run before this one: {error.holder}")
                    is_told = True
                time.sleep(1)

    def reach(self) -> None:
        """Reach the store.

        Raises:
            ConfigFault: it cannot be reached, or refuses.
        """
        try:
            with self.open_diffs():
                pass
        except ConfigFault:
            raise
        except (ObjectStoreException, UserError) as error:
            raise self.file.config_fault(("store",), self.secrets.redact(self.sentence(error))) from None
        except (TypeError, ValueError) as error:  # an option in the URL that redis-py does not know, or not so
            told = f"The Redis URL is not valid: {self.secrets.redact(str(error))}"
            raise self.file.config_fault(("store",), told) from None

    def sentence(self, error: Exception) -> str:
        """What the error says; of a store that does not answer also which one it is, and what to do."""
        if not (isinstance(error, ObjectStoreException) and is_transient(error)):
            return str(error)
        return (
            f"{error} It is {self.store_address()}: see that it runs, and that {socket.gethostname()} reaches it; then "
            "try again."
        )

    def store_settings(self) -> StoreSettings:
        """How the store is reached, as the file says; nothing is reached yet."""
        return self._reader.read(StoreSettings, ("store",))

    def store_address(self) -> str:
        """The URL of the store without its password."""
        return redact_url_passwords(self._store()[0])

    def _store(self) -> tuple[str, int]:
        """The URL of the store, and for how many seconds what is in it is kept."""
        settings = self.store_settings()
        url = settings.url or self._url_of_block(str(settings.block))
        text = url.get_secret_value()
        if redact_url_passwords(text) != text:
            self.secrets.keep(text)
        return text, settings.ttl

    def _url_of_block(self, name: str) -> SecretStr:
        try:
            with translated_api_errors():
                found = DiffsyncStore.load(name, _sync=True)  # type: ignore[call-arg]  # also in a flow that is async
        except ValueError as error:
            kind = DiffsyncStore._block_type_name
            raise self.file.config_fault(
                ("store", "block"), f"no block {name!r} of the type {kind!r} can be read: {error}"
            ) from None
        assert isinstance(found, DiffsyncStore)  # noqa: S101  # for the type checker: it is no coroutine
        return found.url


def read_config() -> Config:
    """The file that DIFFSYNC_CONFIG names, as a flow run reads it.

    Raises:
        ConfigFault: the file is wrong, or the variable does not name one.
    """
    named = os.environ.get("DIFFSYNC_CONFIG", "")
    path = Path(named or DEFAULT_CONFIG)
    if not path.is_absolute() and not path.exists():
        problem = f"DIFFSYNC_CONFIG={named} is not an absolute path" if named else "DIFFSYNC_CONFIG is not set"
        raise ConfigFault([f"{problem}, and there is no {path} in {Path.cwd()}. {SET_CONFIG}"])
    return Config(path)


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes, for a child process."""
    return {**os.environ, **changes}
