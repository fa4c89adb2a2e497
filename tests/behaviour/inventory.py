"""Models and adapters for the tests of this folder: sites with devices with interfaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from tests.behaviour.api import Adapter, BaseStore, Diff, DiffSyncFlags, DiffSyncModel, LocalStore

A = TypeVar("A", bound=Adapter)
Data = dict[str, Any]
Devices = dict[str, str]
Sites = dict[str, tuple[str | None, Devices]]
"""Region and devices by site; role by device."""


class Journaled(DiffSyncModel):
    """Records each operation in the journal of its adapter."""

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        adapter.journal.append(("create", cls.get_type(), cls.create_unique_id(**ids), attrs))
        return super().create(adapter, ids, attrs)

    def update(self, attrs: Data) -> Self | None:
        self.adapter.journal.append(("update", self.get_type(), self.get_unique_id(), attrs))
        return super().update(attrs)

    def delete(self) -> Self | None:
        self.adapter.journal.append(("delete", self.get_type(), self.get_unique_id(), None))
        return super().delete()


class Site(Journaled):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region", "tags")
    _children = {"device": "devices"}

    name: str
    region: str | None = None
    tags: list[str] = []
    devices: list[str] = []
    note: int = 4


class Device(Journaled):
    _modelname = "device"
    _identifiers = ("site", "name")
    _shortname = ("name",)
    _attributes: ClassVar[tuple[str, ...]] = ("role", "slots")
    _children = {"interface": "interfaces"}

    site: str
    name: str
    role: str = "leaf"
    slots: int | None = None
    interfaces: list[str] = []


class Interface(Journaled):
    _modelname = "interface"
    _identifiers = ("device", "name")
    _attributes = ("speed",)

    device: str
    name: str
    speed: int = 1


class Inventory(Adapter):
    site = Site
    device = Device
    interface = Interface

    top_level = ["site"]

    def __init__(self, name: str | None = None, internal_storage_engine: Any = LocalStore) -> None:
        super().__init__(name, internal_storage_engine=internal_storage_engine)
        self.journal: list[tuple[str, str, str, Data | None]] = []
        self.completions: list[tuple[Adapter, Diff, DiffSyncFlags, Any]] = []

    def sync_complete(
        self, source: Adapter, diff: Diff, flags: DiffSyncFlags = DiffSyncFlags.NONE, logger: Any = None
    ) -> None:
        self.completions.append((source, diff, flags, logger))

    def operations(self) -> list[str]:
        """Return the journal as text, without attributes."""
        return [f"{action} {uid}" for action, _, uid, _ in self.journal]

    def fill(self, sites: Sites) -> None:
        """Add the sites and their devices, in order."""
        for name, (region, devices) in sites.items():
            site = self.site(name=name, region=region)
            self.add(site)
            for device_name, role in devices.items():
                device = self.device(site=name, name=device_name, role=role)
                self.add(device)
                site.add_child(device)


V = TypeVar("V", bound=Inventory)


class Adapters:
    """Creates adapters, each with a new store of the kind under test."""

    def __init__(self, new_store: Callable[[], BaseStore]) -> None:
        self.new_store = new_store
        self.made: list[Adapter] = []

    def make(self, adapter_class: type[A], name: str | None = None) -> A:
        adapter = adapter_class(name, internal_storage_engine=self.new_store())
        self.made.append(adapter)
        return adapter

    def filled(self, adapter_class: type[V], sites: Sites, name: str | None = None) -> V:
        adapter = self.make(adapter_class, name)
        adapter.fill(sites)
        return adapter

    def pair(
        self,
        source: Sites,
        target: Sites,
        target_class: type[Inventory] = Inventory,
        source_class: type[Inventory] = Inventory,
    ) -> tuple[Inventory, Inventory]:
        """Return a source named S and a target named T."""
        return self.filled(source_class, source, "S"), self.filled(target_class, target, "T")
