"""Sites with devices in a system that notes what syncs write."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from diffsync_store import Adapter, DiffSyncModel

Tree = dict[str, dict[str, str]]
"""Devices of each site, with their roles."""
Write = tuple[str, str, str]
"""Action, model and unique id."""


class Noted(DiffSyncModel):
    """Its adapter notes each write before it is done."""

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Self | None:
        adapter.note("create", cls._modelname, cls.create_unique_id(**ids))
        return super().create(adapter=adapter, ids=ids, attrs=attrs)

    def update(self, attrs: dict[str, Any]) -> Self | None:
        self._note("update")
        return super().update(attrs)

    def delete(self) -> Self | None:
        self._note("delete")
        return super().delete()

    def _note(self, action: str) -> None:
        adapter: Any = self.adapter
        adapter.note(action, self._modelname, self.get_unique_id())


class Device(Noted):
    _modelname = "device"
    _identifiers = ("site", "name")
    _attributes = ("role",)
    site: str
    name: str
    role: str = ""


class Site(Noted):
    _modelname = "site"
    _identifiers = ("name",)
    _children: ClassVar[dict[str, str]] = {"device": "devices"}
    name: str
    devices: list[str] = []


class Inventory(Adapter):
    site = Site
    device = Device
    top_level: ClassVar[list[str]] = ["site"]

    def __init__(self, tree: Tree, **options: Any) -> None:
        super().__init__(**options)
        self._given = tree
        self.writes: list[Write] = []

    def note(self, action: str, model: str, unique_id: str) -> None:
        self.writes.append((action, model, unique_id))

    def load(self) -> None:
        for name, devices in self._given.items():
            site = self.site(name=name)
            self.add(site)
            for device, role in devices.items():
                child = self.device(site=name, name=device, role=role)
                self.add(child)
                site.add_child(child)
