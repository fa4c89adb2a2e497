"""Sites with devices in a system that notes what syncs write."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from diffsync_store import Adapter, DiffSyncModel

Tree = dict[str, dict[str, str]]
"""Devices of each site, with their roles."""
Write = tuple[str, str, str]
"""Action, model and unique id."""


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("site", "name")
    _attributes = ("role",)
    site: str
    name: str
    role: str = ""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Self | None:
        found = super().create(adapter=adapter, ids=ids, attrs=attrs)
        adapter.writes.append(("create", cls._modelname, cls.create_unique_id(**ids)))
        return found

    def update(self, attrs: dict[str, Any]) -> Self | None:
        self.adapter.writes.append(("update", self._modelname, self.get_unique_id()))
        return super().update(attrs)

    def delete(self) -> Self | None:
        self.adapter.writes.append(("delete", self._modelname, self.get_unique_id()))
        return super().delete()


class Site(Device):
    _modelname = "site"
    _identifiers = ("name",)  # type: ignore[assignment]
    _attributes = ()  # type: ignore[assignment]
    _children: ClassVar[dict[str, str]] = {"device": "devices"}
    site: str = ""
    devices: list[str] = []


class Inventory(Adapter):
    site = Site
    device = Device
    top_level: ClassVar[list[str]] = ["site"]

    def __init__(self, tree: Tree, **options: Any) -> None:
        super().__init__(**options)
        self.tree = tree
        self.writes: list[Write] = []

    def load(self) -> None:
        for name, devices in self.tree.items():
            site = self.site(name=name)
            self.add(site)
            for device, role in devices.items():
                child = self.device(site=name, name=device, role=role)
                self.add(child)
                site.add_child(child)
