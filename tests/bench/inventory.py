"""The measured data, for this library and for diffsync alike: sites with nine devices with ten interfaces each.

The classes stand at the top of an importable module: diffsync's RedisStore pickles them by name.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING or os.environ["BENCH_LIBRARY"] == "diffsync_store":
    from diffsync_store import Adapter, DiffSyncModel
else:
    from diffsync import Adapter, DiffSyncModel

DEVICES = 9
INTERFACES = 10
OBJECTS_PER_SITE = 1 + DEVICES * (1 + INTERFACES)


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
    """`changed` interfaces, spread evenly, differ from the inventory with none changed: of ten of them eight have
    another value, one is missing and one is new.
    """

    site = Site
    device = Device
    interface = Interface
    top_level: ClassVar[list[str]] = ["site"]
    type = "inventory"

    def fill(self, objects: int, changed: int) -> None:
        sites = objects // OBJECTS_PER_SITE
        changes = _Changes(sites * DEVICES * INTERFACES, changed)
        for number in range(sites):
            self._load_site(number, changes)

    def _load_site(self, number: int, changes: "_Changes") -> None:
        site = Site(**site_record(number))
        for position in range(DEVICES):
            device = Device(**device_record(number, position))
            for record in interface_records(device.name, (number * DEVICES + position) * INTERFACES, changes):
                interface = Interface(**record)
                self.add(interface)
                device.add_child(interface)
            # Children first: diffsync's RedisStore does not see a child that is given to a stored parent.
            self.add(device)
            site.add_child(device)
        self.add(site)


class _Changes:
    def __init__(self, interfaces: int, changed: int) -> None:
        self._every = interfaces // changed if changed else 0

    def of(self, index: int) -> str:
        if not self._every or index % self._every:
            return "none"
        return {0: "missing", 1: "new"}.get(index // self._every % 10, "value")


def site_record(number: int) -> dict[str, Any]:
    return {
        "name": f"site-{number:06}",
        "region": f"region-{number % 12}",
        "tenant": f"tenant-{number % 40}",
        "status": "active",
        "facility": f"building {number % 300}, floor {number % 7}",
        "asn": 64512 + number % 1000,
    }


def device_record(site: int, position: int) -> dict[str, Any]:
    return {
        "name": f"device-{site:06}-{position:02}",
        "role": ("access", "distribution", "core")[position % 3],
        "model": f"model-{position % 5}",
        "serial": f"SN{site:08}{position:04}",
        "address": f"10.{site // 250 % 250}.{site % 250}.{position + 1}",
        "status": "active",
    }


def interface_records(device: str, first: int, changes: _Changes) -> Iterator[dict[str, Any]]:
    for position in range(INTERFACES):
        index = first + position
        change = changes.of(index)
        if change != "missing":
            yield interface_record(device, f"ethernet{position}", index, mtu=1500 if change == "value" else 9000)
        if change == "new":
            yield interface_record(device, f"loopback{position}", index, mtu=9000)


def interface_record(device: str, name: str, index: int, mtu: int) -> dict[str, Any]:
    return {
        "device_name": device,
        "name": name,
        "description": f"link {index} of {device}",
        "enabled": index % 9 != 0,
        "mtu": mtu,
        "mac": f"02:00:{index >> 24 & 255:02x}:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:{index & 255:02x}",
        "vlans": [index % 4000, (index + 7) % 4000],
    }
