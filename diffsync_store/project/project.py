"""A project: the declarations of a file, and the adapters made from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Generic, TypeVar, cast

from diffsync_store.adapter import Adapter
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.field_rules import FieldRules
from diffsync_store.guards import Guards
from diffsync_store.project.adapter_factory import AdapterFactory
from diffsync_store.project.errors import ConfigError, WrongSync
from diffsync_store.project.models import DeclaredModels
from diffsync_store.project.notify import NotifyAddress, secrets_in
from diffsync_store.project.schema import PROJECT, STORE_TTL, AdapterEntry, Declarations, StoreSettings, SyncEntry
from diffsync_store.project.secrets import Secrets
from diffsync_store.project.serve import ServeSettings
from diffsync_store.project.settings import SettingsReader
from diffsync_store.project.validation import read_declarations
from diffsync_store.project.yaml_file import YamlFile
from diffsync_store.redaction import redact_url_passwords
from diffsync_store.store import BaseStore
from diffsync_store.store.load_report import ObjectKey

S = TypeVar("S", bound=SyncEntry)


class BaseProject(Generic[S]):
    """Read a file, and create the adapters that it declares.

    No adapter class is imported before it is used. A process needs only the variables of the adapters that it uses.
    `SyncContext` opens the stores.

    Args:
        path: the YAML file.
        environment: the values of `${VAR}`, such as `os.environ`.

    Raises:
        ConfigError: the file is wrong; it names each problem with its line and column.
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
        self.factory = AdapterFactory(
            self.file, self.adapters, DeclaredModels(self.file, self.declared.models), self._reader, self.secrets
        )

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

    def syncs_of(self, adapter: str) -> tuple[str, ...]:
        """Return the names of the syncs that have an adapter as source or target."""
        return tuple(name for name, each in self.syncs.items() if adapter in {each.source, each.target})

    def sync_between(self, source: str, target: str) -> tuple[str, S]:
        """Return name and entry of the sync between two adapters; if none is declared, an entry with the defaults."""
        found = (pair for pair in self.syncs.items() if (pair[1].source, pair[1].target) == (source, target))
        return next(found, ("", cast("S", self.declarations.sync_entry(source=source, target=target))))

    def flags(self, source: str, target: str) -> DiffSyncFlags:
        """Return the flags of the sync between two adapters."""
        return self.sync_between(source, target)[1].combined_flags

    def guards(self, source: str, target: str) -> Guards:
        """Return the guards of the sync between two adapters."""
        return self.sync_between(source, target)[1].guards

    def field_rules(self, source: str, target: str) -> FieldRules:
        """Return the field rules of the sync between two adapters. It remembers what other syncs of its target need too."""
        name, declared = self.sync_between(source, target)
        others = (each.own_rules for other, each in self.syncs.items() if each.target == target and other != name)
        return declared.own_rules.with_remembered(others)

    def require_pair(self, name: str, source: str, target: str, what: str) -> S:
        """Return a sync, and check that the stores or the diff belong to its adapters. Its guards are for these two only.

        Args:
            name: of the sync.
            source: adapter of the source's store.
            target: adapter of the target's store.
            what: the beginning of the message, e.g. `The diff is`.

        Raises:
            WrongSync: they belong to other adapters; the message names their sync.
        """
        declared = self.sync(name)
        if (declared.source, declared.target) == (source, target):
            return declared
        other, _ = self.sync_between(source, target)
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

    def has_shards(self, name: str) -> bool:
        """Return whether the file declares shards of an adapter."""
        return name in self.adapters and self.adapters[name].shards is not None

    def shards(self, name: str, adapter: Adapter) -> dict[str, list[ObjectKey]]:
        """Return the names of the shards in which an adapter is loaded, each with the objects below which all its records are.

        Args:
            name: of the adapter.
            adapter: the adapter, open: `shards: auto` asks its system.

        Raises:
            ConfigError: the adapter has no shards, or their names are wrong.
        """
        return self.factory.shards(name, adapter)

    @property
    def ttl(self) -> int:
        """The seconds after its last use for which a store or a diff is kept."""
        return self.declared.store.ttl if self.declared.store else STORE_TTL

    def store_settings(self) -> StoreSettings:
        """Return the settings of the store, with their variables expanded.

        Raises:
            ConfigError: the file has no `store`, or a variable is not set.
        """
        if self.declared.store is None:
            raise self.file.error((), "no `store`. Add the URL of a Redis: `store: {url: ...}`.")
        return self._reader.read(StoreSettings, ("store",))

    def serve_settings(self) -> ServeSettings:
        """Return the settings of the review page, with their variables expanded.

        Raises:
            ConfigError: a variable is not set, or its value is wrong.
        """
        return self._reader.read(ServeSettings, ("serve",))

    def page_address(self) -> str:
        """Return the address of the review page that people open; empty if the file names none, or its variable is not set."""
        try:
            return str(self._reader.expand(self.declared.serve.base_url or "", ("serve", "base_url")))
        except ConfigError:
            return ""

    def notify_address(self, name: str) -> NotifyAddress:
        """Return an address of `notify`, with its variables expanded. From then on, its URL is redacted.

        Raises:
            ConfigError: a variable is not set.
        """
        address = self._reader.read(NotifyAddress, ("notify", name))
        if address.secret is not None:
            self.secrets.add(list(secrets_in(address.secret.get_secret_value())))
        return address

    def store_address(self) -> str:
        """Return the URL of the store without its password."""
        return redact_url_passwords(self.store_url())

    def store_url(self) -> str:
        """Return the URL of the store.

        Raises:
            ConfigError: the file has no `store`, or a variable is not set.
        """
        settings = self.store_settings()
        url = settings.url.get_secret_value() if settings.url else self._url_of_block(str(settings.block))
        if redact_url_passwords(url) != url:
            self.secrets.add(url)
        return url

    def _url_of_block(self, name: str) -> str:
        """Return the URL that a Prefect block holds; only a project of `diffsync_flows` can."""
        message = f"only diffsync-flows can read the Prefect block {name!r}. Give the url instead."
        raise self.file.error(("store", "block"), message)


class Project(BaseProject[SyncEntry]):
    """A project that needs no Prefect: the keys of the file that only Prefect needs are ignored."""
