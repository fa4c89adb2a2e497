"""A target that is a SQLite file: it keeps every call that it was given, and outlives the processes that call."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Self

from diffsync_store import Adapter, BaseStore, DiffSyncModel, LocalStore

Data = dict[str, Any]


def _nothing(call: str) -> None:
    """Neither refuses nor dies."""


class System:
    """Records by model and unique id, in a file; each call is one transaction together with its line in the log."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.before: Callable[[str], None] = _nothing
        """Called with "action model uid" before a call; what it raises is the call's failure."""
        self.after: Callable[[str], None] = _nothing
        with closing(self._open()) as connection:
            connection.executescript(
                "CREATE TABLE IF NOT EXISTS records (model, uid, attrs, PRIMARY KEY (model, uid));"
                "CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, action, model, uid);"
            )

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.execute(
            "PRAGMA synchronous = OFF"
        )  # a killed process loses nothing by it, only a dead machine would
        return connection

    def call(self, action: str, model: str, uid: str, attrs: Data) -> None:
        self.call_many(action, model, [(uid, attrs)])

    def call_many(self, action: str, model: str, records: list[tuple[str, Data]]) -> None:
        """Several records in one call, all or nothing."""
        told = f"{action} {model} {', '.join(uid for uid, _ in records)}"
        self.before(told)
        with closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for uid, attrs in records:
                self._do(connection, action, model, uid, attrs)
            connection.execute("COMMIT")
        self.after(told)

    def _do(self, connection: sqlite3.Connection, action: str, model: str, uid: str, attrs: Data) -> None:
        connection.execute("INSERT INTO calls (action, model, uid) VALUES (?, ?, ?)", (action, model, uid))
        if action == "create":
            connection.execute("INSERT INTO records VALUES (?, ?, ?)", (model, uid, json.dumps(attrs)))
        elif action == "delete":
            connection.execute("DELETE FROM records WHERE model = ? AND uid = ?", (model, uid))
        else:
            now = {**(self._read(connection, model, uid) or {}), **attrs}
            connection.execute(
                "UPDATE records SET attrs = ? WHERE model = ? AND uid = ?", (json.dumps(now), model, uid)
            )

    def read(self, model: str, uid: str) -> Data | None:
        with closing(self._open()) as connection:
            return self._read(connection, model, uid)

    @staticmethod
    def _read(connection: sqlite3.Connection, model: str, uid: str) -> Data | None:
        row = connection.execute("SELECT attrs FROM records WHERE model = ? AND uid = ?", (model, uid)).fetchone()
        return None if row is None else json.loads(row[0])

    def records(self) -> dict[tuple[str, str], Data]:
        with closing(self._open()) as connection:
            rows = connection.execute("SELECT model, uid, attrs FROM records")
            return {(model, uid): json.loads(attrs) for model, uid, attrs in rows}

    def calls(self) -> list[str]:
        with closing(self._open()) as connection:
            return [" ".join(row) for row in connection.execute("SELECT action, model, uid FROM calls ORDER BY number")]

    def fill(self, adapter: Adapter) -> None:
        """Put in what an adapter holds, without a line in the log."""
        with closing(self._open()) as connection:
            connection.execute("BEGIN")
            for name in sorted(adapter.get_all_model_names()):
                for obj in adapter.get_all(name):
                    row = name, obj.get_unique_id(), json.dumps(obj.get_attrs())
                    connection.execute("INSERT INTO records VALUES (?, ?, ?)", row)
            connection.execute("COMMIT")


class Record(DiffSyncModel):
    """Writes to its adapter's system, where that has one."""

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        if adapter.system is not None:
            adapter.system.call("create", cls._modelname, cls.create_unique_id(**ids), attrs)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: Data) -> Self | None:
        if self.adapter.system is not None:
            self.adapter.system.call("update", self._modelname, self.get_unique_id(), attrs)
        return super().update(attrs)

    def delete(self) -> Self | None:
        if self.adapter.system is not None:
            self.adapter.system.call("delete", self._modelname, self.get_unique_id(), {})
        return super().delete()


class Seen(Record):
    """Can be looked up."""

    @classmethod
    def lookup(cls, adapter: Any, ids: Data) -> Any:
        found: Data | None = adapter.system.read(cls._modelname, cls.create_unique_id(**ids))
        return found


class Device(Seen):
    _modelname = "device"
    _identifiers = ("site", "name")
    _shortname = ("name",)
    _attributes = ("role", "password")

    site: str
    name: str
    role: str = "leaf"
    password: str = ""


class Site(Seen):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region", "tags")
    _children = {"device": "devices"}

    name: str
    region: str = ""
    tags: list[str] = []
    devices: list[str] = []


class Network(Adapter):
    site = Site
    device = Device
    top_level = ["site"]

    def __init__(
        self, name: str, store: BaseStore | type[BaseStore] = LocalStore, system: System | None = None
    ) -> None:
        super().__init__(name, store)
        self.system = system

    def put(self, sites: dict[str, tuple[str, dict[str, str]]]) -> Self:
        """Load sites as name: (region, {device: role})."""
        for name, (region, devices) in sites.items():
            site = self.site(name=name, region=region)
            self.add(site)
            for device, role in devices.items():
                obj = self.device(site=name, name=device, role=role)
                self.add(obj)
                site.add_child(obj)
        return self


class SilentDevice(Device):
    @classmethod
    def lookup(cls, adapter: Any, ids: Data) -> Any:  # noqa: ARG003  # it has nowhere to look
        return NotImplemented


class SilentSite(Site):
    @classmethod
    def lookup(cls, adapter: Any, ids: Data) -> Any:  # noqa: ARG003  # it has nowhere to look
        return NotImplemented


class MuteDevice(Device):
    lookup: ClassVar[None] = None  # type: ignore[assignment]


class MuteSite(Site):
    lookup: ClassVar[None] = None  # type: ignore[assignment]


class Mute(Network):
    """Its models have no `lookup` at all."""

    site = MuteSite
    device = MuteDevice


class Silent(Network):
    """Cannot look anything up."""

    site = SilentSite
    device = SilentDevice
