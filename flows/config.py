"""The YAML file of adapters and syncs. The only place that reads the environment, and that imports by a name.

    store:
      url: ${REDIS_URL}
    adapters:
      registry:
        class: flows.adapters.airports:AirportsAdapter
        settings: {folder: /srv/airportsdata}
    syncs:
      airports: {source: registry, target: database}

`${VAR}` in `store` and in an adapter's `settings` is taken from the environment, `$${` stands for `${`. An adapter's
settings are read only where the adapter is used: a worker needs no secret of a system that it does not touch.

`python -m flows.config` checks the whole file, with every class and every variable in it.
"""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr
from pydantic import ValidationError as PydanticError

from diffsync_store import Adapter, BaseStore, DiffSyncFlags, Guards
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.redis_diffs import RedisDiffs
from diffsync_store.store.redis_lease import Lease, RedisLeases
from flows.declarations import StoreSettings, SyncEntry, read_declarations
from flows.redaction import Secrets
from flows.yaml_file import ConfigFault, Location, YamlFile

DEFAULT_CONFIG = "deployments/diffsync.yaml"
VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

M = TypeVar("M", bound=BaseModel)


class Config:
    """The file's declarations, and the stores and adapters made from them."""

    def __init__(self, path: Path) -> None:
        self._file = YamlFile(path)
        declared = read_declarations(self._file)
        self.adapters = declared.adapters
        self.syncs = declared.syncs
        self.secrets = Secrets()

    def sync(self, name: str) -> SyncEntry:
        if name not in self.syncs:
            raise self._unknown("sync", name, self.syncs)
        return self.syncs[name]

    def flags(self, source: str, target: str) -> DiffSyncFlags:
        """The flags of the sync between two adapters; without one, those of a sync that states none."""
        return self._sync_of(source, target).combined_flags

    def guards(self, source: str, target: str) -> Guards:
        """The guards of the sync between two adapters; without one, those of a sync that states none."""
        return self._sync_of(source, target).guards

    def _sync_of(self, source: str, target: str) -> SyncEntry:
        found = (sync for sync in self.syncs.values() if (sync.source, sync.target) == (source, target))
        return next(found, SyncEntry(source=source, target=target))

    def open_store(self, store_id: str, name: str = "") -> RedisStore:
        settings = self._store_settings()
        return RedisStore(name=name, store_id=store_id, url=settings.url.get_secret_value(), ttl=settings.ttl)

    @contextmanager
    def open_diffs(self) -> Iterator[RedisDiffs]:
        settings = self._store_settings()
        with closing(RedisDiffs(url=settings.url.get_secret_value(), ttl=settings.ttl)) as diffs:
            yield diffs

    @contextmanager
    def lease(self, adapter: str, reason: str) -> Iterator[Lease]:
        """The right to change an adapter's system, which one run at a time has."""
        url = self._store_settings().url.get_secret_value()
        with closing(RedisLeases(url=url)) as leases, leases.take(f"target-{adapter}", reason) as lease:
            yield lease

    def make_adapter(self, name: str, store: BaseStore) -> Adapter:
        """The adapter over a store; its system has not been touched yet."""
        adapter_class = self._import_adapter(name)
        options = self._adapter_settings(name, adapter_class)
        with self.secrets.redacted_errors():
            try:
                return adapter_class(name=name, internal_storage_engine=store, **options)
            except TypeError as error:  # what the adapter passes on to its base class shows only now
                raise self._fault(("adapters", name, "settings"), str(error)) from error

    def check(self) -> None:
        """Everything that is otherwise found only where it is used, all at once."""
        faults = _faults_of(self._store_settings)
        for name in self.adapters:
            faults += _faults_of(lambda name=name: self._adapter_settings(name, self._import_adapter(name)))
        if faults:
            raise ConfigFault(faults)

    def _store_settings(self) -> StoreSettings:
        settings = self._validate(StoreSettings, ("store",))
        self.secrets.keep(settings.url)
        return settings

    def _import_adapter(self, name: str) -> type[Adapter]:
        if name not in self.adapters:
            raise self._unknown("adapter", name, self.adapters)
        location = ("adapters", name, "class")
        module_name, class_name = self.adapters[name].class_.split(":")
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ImportError as error:
            raise self._fault(location, f"cannot import {module_name}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Adapter)):
            raise self._fault(location, f"{module_name} has no adapter class {class_name}")
        return found

    def _adapter_settings(self, name: str, adapter_class: type[Adapter]) -> dict[str, Any]:
        """The keyword arguments to make the adapter with: checked by its class's `Settings`, where it has one."""
        location = ("adapters", name, "settings")
        settings_class = getattr(adapter_class, "Settings", None)
        if settings_class is None:
            options: dict[str, Any] = self._expand(self.adapters[name].settings, location)
            self.secrets.keep(options)
        else:
            options = dict(self._validate(settings_class, location))
            self.secrets.keep([value for value in options.values() if isinstance(value, SecretStr)])
        try:
            inspect.signature(adapter_class).bind(name=name, internal_storage_engine=None, **options)
        except TypeError as error:
            raise self._fault(location, f"{adapter_class.__name__} {error}") from None
        return options

    def _validate(self, model: type[M], location: Location) -> M:
        data = reduce(lambda part, key: part.get(key, {}), location, self._file.data)
        try:
            return model.model_validate(self._expand(data, location))
        except PydanticError as error:
            raise ConfigFault(self._file.faults(error, location)) from None

    def _expand(self, data: Any, location: Location) -> Any:
        """The data with its variables; each one that is not set is a fault."""
        unset: list[str] = []
        expanded = self._expand_part(data, location, unset)
        if unset:
            raise ConfigFault(unset)
        return expanded

    def _expand_part(self, data: Any, location: Location, unset: list[str]) -> Any:
        if isinstance(data, dict):
            return {key: self._expand_part(value, (*location, key), unset) for key, value in data.items()}
        if isinstance(data, list):
            return [self._expand_part(value, (*location, number), unset) for number, value in enumerate(data)]
        if not isinstance(data, str):
            return data
        missing = [name for name in VARIABLE.findall(data) if name and name not in os.environ]
        unset.extend(self._file.fault(location, f"the environment has no variable {name}") for name in missing)
        return VARIABLE.sub(lambda found: os.environ.get(found[1], "") if found[1] else "${", data)

    def _fault(self, location: Location, message: str) -> ConfigFault:
        return ConfigFault([self._file.fault(location, message)])

    def _unknown(self, kind: str, name: str, declared: dict[str, Any]) -> ConfigFault:
        message = f"no {kind} {name!r} is declared; there are {', '.join(declared) or 'none'}"
        return ConfigFault([f"{self._file.path}: {message}"])


def read_config() -> Config:
    """The file that DIFFSYNC_CONFIG names."""
    return Config(Path(os.environ.get("DIFFSYNC_CONFIG", DEFAULT_CONFIG)))


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes, for a child process."""
    return {**os.environ, **changes}


def _faults_of(check: Any) -> list[str]:
    try:
        check()
    except ConfigFault as error:
        return list(error.faults)
    return []


if __name__ == "__main__":
    try:
        read_config().check()
    except ConfigFault as fault:
        sys.exit(str(fault))
