"""A target with foreign keys: it refuses what has no parent, what refers to nothing, and what something still needs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, Self

from diffsync_store import Adapter, BaseStore, DiffSyncModel, DiffSyncModelFlags, LocalStore

Data = dict[str, Any]
Key = tuple[str, str]


class ParentMissing(Exception):
    """There is no such parent, or something stands below."""


class ReferenceMissing(Exception):
    """Something that is referred to is not there, or something refers to it."""


def _nothing(call: str) -> None:
    """Refuses nothing."""


class Constrained:
    """Records in memory, each with what it stands below and what it refers to. Thread-safe."""

    def __init__(self) -> None:
        self.records: dict[Key, Data] = {}
        self.calls: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.log: list[str] = []
        self.faults: list[Exception] = []
        """Calls that broke a foreign key."""
        self.before: Callable[[str], None] = _nothing
        self._lock = threading.Lock()

    def call(self, action: str, records: list[tuple[Key, Data]], *, cascades: bool = False) -> None:
        """All of it or nothing."""
        with self._lock:
            self.calls[f"{action} {records[0][0][0]}"] += 1
            for (model, uid), _ in records:
                self.before(f"{action} {model} {uid}")
            found = dict(self.records)
            try:
                for key, values in records:
                    getattr(self, f"_{action}")(found, key, values, cascades=cascades)
            except (ParentMissing, ReferenceMissing) as error:
                self.faults.append(error)
                raise
            self.records = found
            told = [f"{action} {model} {uid}" for (model, uid), _ in records]
            self.done.update(told)
            self.log += told

    def _create(self, found: dict[Key, Data], key: Key, values: Data, *, cascades: bool) -> None:
        if key in found:
            raise ReferenceMissing(f"{key} is there already")
        self._check(found, key, values)
        found[key] = values

    def _update(self, found: dict[Key, Data], key: Key, values: Data, *, cascades: bool) -> None:
        found[key] = {**found[key], **values}
        self._check(found, key, found[key])

    def _delete(self, found: dict[Key, Data], key: Key, values: Data, *, cascades: bool) -> None:
        if key not in found:
            raise ParentMissing(f"{key} is not there")
        gone = [key]
        for each in gone:
            gone += [other for other, data in found.items() if data["parent"] == each]
        if len(gone) > 1 and not cascades:
            raise ParentMissing(f"{gone[1:]} stand below {key}")
        for each in gone:
            del found[each]
        users = [other for other, data in found.items() if data.get("refers") in gone]
        if users:
            raise ReferenceMissing(f"{users} refer to {gone}")

    @staticmethod
    def _check(found: dict[Key, Data], key: Key, values: Data) -> None:
        if values["parent"] is not None and values["parent"] not in found:
            raise ParentMissing(f"{key} below {values['parent']}")
        if values.get("refers") is not None and values["refers"] not in found:
            raise ReferenceMissing(f"{key} refers to {values['refers']}")


class Row(DiffSyncModel):
    """Writes to its adapter's system, one by one."""

    @classmethod
    def place(cls, values: Data) -> Data:
        """What a record with these identifiers and attributes stands below and refers to."""
        raise NotImplementedError

    @classmethod
    def key(cls, ids: Data) -> Key:
        return cls._modelname, cls.create_unique_id(**ids)

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        adapter.system.call("create", [(cls.key(ids), {**attrs, **cls.place({**ids, **attrs})})])
        return cls.create_base(adapter, ids, attrs)

    def changed(self, attrs: Data) -> tuple[Key, Data]:
        now = {**self.get_identifiers(), **self.get_attrs(), **attrs}
        return self.key(self.get_identifiers()), {**attrs, **self.place(now)}

    def update(self, attrs: Data) -> Self | None:
        self.adapter.system.call("update", [self.changed(attrs)])
        return self.update_base(attrs)

    def delete(self) -> Self | None:
        cascades = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE in self.model_flags
        self.adapter.system.call("delete", [(self.key(self.get_identifiers()), {})], cascades=cascades)
        return self.delete_base()


class ManyRows(Row):
    """Writes many at once too."""

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        rows = [(cls.key(ids), {**attrs, **cls.place({**ids, **attrs})}) for ids, attrs in records]
        adapter.system.call("create", rows)
        return [cls.create_base(adapter, ids, attrs) for ids, attrs in records]

    @classmethod
    def update_many(cls, adapter: Any, changes: list[tuple[ManyRows, Data]]) -> list[Any]:
        adapter.system.call("update", [obj.changed(attrs) for obj, attrs in changes])
        return [obj.update_base(attrs) for obj, attrs in changes]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[ManyRows]) -> list[Any]:
        cascades = any(DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE in obj.model_flags for obj in objects)
        adapter.system.call("delete", [(obj.key(obj.get_identifiers()), {}) for obj in objects], cascades=cascades)
        return [obj.delete_base() for obj in objects]


class SiteBase(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _children = {"device": "devices"}

    name: str
    devices: list[str] = []

    @classmethod
    def place(cls, values: Data) -> Data:  # noqa: ARG003
        return {"parent": None}


class DeviceBase(DiffSyncModel):
    """By its name alone: it may change its site."""

    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("site", "role")
    _children = {"interface": "interfaces", "address": "addresses"}

    name: str
    site: str
    role: str = ""
    interfaces: list[str] = []
    addresses: list[str] = []

    @classmethod
    def place(cls, values: Data) -> Data:
        return {"parent": ("site", values["site"])}


class InterfaceBase(DiffSyncModel):
    _modelname = "interface"
    _identifiers = ("device", "name")
    _attributes = ("role",)

    device: str
    name: str
    role: str = ""

    @classmethod
    def place(cls, values: Data) -> Data:
        return {"parent": ("device", values["device"])}


class AddressBase(DiffSyncModel):
    """By itself alone: it may change its device; it refers to an interface, of another device perhaps."""

    _modelname = "address"
    _identifiers = ("ip",)
    _attributes = ("device", "interface")

    ip: str
    device: str
    interface: str

    @classmethod
    def place(cls, values: Data) -> Data:
        return {"parent": ("device", values["device"]), "refers": ("interface", values["interface"])}


class VlanBase(DiffSyncModel):
    """Refers to a site; of the top, and after the sites."""

    _modelname = "vlan"
    _identifiers = ("number",)
    _attributes = ("site",)

    number: int
    site: str

    @classmethod
    def place(cls, values: Data) -> Data:
        return {"parent": None, "refers": ("site", values["site"])}


def _with(base: type[DiffSyncModel], way: type[Row]) -> type[Any]:
    return type(base.__name__, (base, way), {"__module__": __name__})


class Ring(Adapter):
    """Sites, devices, their interfaces and addresses, and VLANs; written one by one."""

    site: ClassVar[type[Any]] = _with(SiteBase, Row)
    device: ClassVar[type[Any]] = _with(DeviceBase, Row)
    interface: ClassVar[type[Any]] = _with(InterfaceBase, Row)
    address: ClassVar[type[Any]] = _with(AddressBase, Row)
    vlan: ClassVar[type[Any]] = _with(VlanBase, Row)
    top_level: ClassVar[list[str]] = ["site", "vlan"]

    def __init__(self, name: str, store: BaseStore | type[BaseStore] = LocalStore) -> None:
        super().__init__(name, store)
        self.system = Constrained()

    def fill(self, data: Data) -> Self:
        """Load `{"sites": [...], "devices": {name: (site, role)}, "interfaces": {(device, name): role},
        "addresses": {ip: (device, interface)}, "vlans": {number: site}, "flags": {key: flags}}`."""
        flags = data.get("flags", {})
        objects: list[tuple[Any, Key | None]] = [(self.site(name=name), None) for name in data["sites"]]
        for name, (site, role) in data["devices"].items():
            objects.append((self.device(name=name, site=site, role=role), ("site", site)))
        for (device, name), role in data["interfaces"].items():
            objects.append((self.interface(device=device, name=name, role=role), ("device", device)))
        for ip, (device, interface) in data["addresses"].items():
            objects.append((self.address(ip=ip, device=device, interface=interface), ("device", device)))
        objects += [(self.vlan(number=number, site=site), None) for number, site in data["vlans"].items()]
        for obj, above in objects:
            obj.model_flags = flags.get((obj.get_type(), obj.get_unique_id()), DiffSyncModelFlags.NONE)
            self.add(obj)
            if above is not None:
                self.get(*above).add_child(obj)
            values = {**obj.get_identifiers(), **obj.get_attrs()}
            self.system.records[obj.get_type(), obj.get_unique_id()] = {**obj.get_attrs(), **obj.place(values)}
        return self

    def content(self) -> dict[Key, Data]:
        """What the store holds."""
        return {
            (name, obj.get_unique_id()): {**obj.get_attrs(), **obj.place({**obj.get_identifiers(), **obj.get_attrs()})}
            for name in ("site", "device", "interface", "address", "vlan")
            for obj in self.get_all(name)
        }


class ManyRing(Ring):
    """Written many at once."""

    site: ClassVar[type[Any]] = _with(SiteBase, ManyRows)
    device: ClassVar[type[Any]] = _with(DeviceBase, ManyRows)
    interface: ClassVar[type[Any]] = _with(InterfaceBase, ManyRows)
    address: ClassVar[type[Any]] = _with(AddressBase, ManyRows)
    vlan: ClassVar[type[Any]] = _with(VlanBase, ManyRows)


class MixedRing(Ring):
    """Devices and addresses many at once, the others one by one."""

    device: ClassVar[type[Any]] = _with(DeviceBase, ManyRows)
    address: ClassVar[type[Any]] = _with(AddressBase, ManyRows)
