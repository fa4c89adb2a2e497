"""The models and adapters to measure, for this library and for diffsync.

The classes are at the top level of an importable module, because diffsync's RedisStore pickles them by name.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from benchmarks.records import (
    DEVICES,
    INTERFACES,
    OBJECTS_PER_SITE,
    Changes,
    device_record,
    interface_record,
    interface_records,
    interfaces_of,
    site_record,
)

if TYPE_CHECKING or os.environ["BENCH_LIBRARY"] == "diffsync_store":
    from diffsync_store import Adapter, DiffSyncModel
else:
    from diffsync import Adapter, DiffSyncModel


class Interface(DiffSyncModel):
    _modelname = "interface"
    _identifiers = ("device_name", "name")
    _attributes = ("description", "enabled", "mtu", "mac", "vlans")

    device_name: str
    name: str
    description: str
    enabled: bool
    mtu: int
    mac: str
    vlans: list[int]


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role", "model", "serial", "address", "status")
    _children: ClassVar[dict[str, str]] = {"interface": "interfaces"}

    name: str
    role: str
    model: str
    serial: str
    address: str
    status: str
    interfaces: list[str] = []


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region", "tenant", "status", "facility", "asn")
    _children: ClassVar[dict[str, str]] = {"device": "devices"}

    name: str
    region: str
    tenant: str
    status: str
    facility: str
    asn: int
    devices: list[str] = []


class Inventory(Adapter):
    """Loads one site at a time, and keeps no reference to earlier ones."""

    site = Site
    device = Device
    interface = Interface
    top_level: ClassVar[list[str]] = ["site"]
    type = "inventory"

    def fill(self, objects: int, changed: int) -> None:
        changes = Changes(interfaces_of("tree", objects), changed)
        self.fill_parts(range(objects // OBJECTS_PER_SITE), changes)

    def fill_parts(self, sites: range, changes: Changes | None = None) -> None:
        """Load these sites."""
        for number in sites:
            self._load_site(number, changes or Changes(0, 0))

    def _load_site(self, number: int, changes: Changes) -> None:
        site = Site(**site_record(number))
        for position in range(DEVICES):
            device = Device(**device_record(number, position))
            first = (number * DEVICES + position) * INTERFACES
            for record in interface_records(device.name, range(first, first + INTERFACES), changes):
                interface = Interface(**record)
                self.add(interface)
                device.add_child(interface)
            # Children first: diffsync's RedisStore loses a child that is added to a stored parent.
            self.add(device)
            site.add_child(device)
        self.add(site)

    def one_device(self, interfaces: int) -> Iterator[tuple["Device", "Interface"]]:
        """Yield a stored device with each new stored interface, which the caller adds as a child."""
        device = Device(**device_record(0, 0))
        self.add(device)
        for index in range(interfaces):
            interface = Interface(**interface_record(device.name, f"ethernet{index}", index, mtu=9000))
            self.add(interface)
            yield device, interface


class FlatInventory(Adapter):
    interface = Interface
    top_level: ClassVar[list[str]] = ["interface"]
    type = "flat-inventory"

    def fill(self, objects: int, changed: int) -> None:
        changes = Changes(objects, changed)
        for first in range(0, objects, INTERFACES):
            self._load_device(range(first, min(first + INTERFACES, objects)), changes)

    def fill_parts(self, devices: range) -> None:
        """Load the interfaces of these devices, ten of each."""
        for number in devices:
            self._load_device(range(number * INTERFACES, (number + 1) * INTERFACES), Changes(0, 0))

    def _load_device(self, indexes: range, changes: Changes) -> None:
        device = f"device-{indexes.start // INTERFACES:08}"
        for record in interface_records(device, indexes, changes):
            self.add(Interface(**record))


class BuildOnly(Inventory):
    """Stores nothing: filling it takes only the time to build the models."""

    def add(self, obj: DiffSyncModel) -> None:
        pass


class BuildOnlyFlat(FlatInventory):
    def add(self, obj: DiffSyncModel) -> None:
        pass


INVENTORIES: dict[str, type[Inventory] | type[FlatInventory]] = {"tree": Inventory, "flat": FlatInventory}
BUILD_ONLY: dict[str, type[Inventory] | type[FlatInventory]] = {"tree": BuildOnly, "flat": BuildOnlyFlat}
