"""The data to measure, as plain values, with the expected number of objects and differences.

The shape `tree` has sites with nine devices, each with ten interfaces. The shape `flat` has interfaces only, as one top-level
model. `changed` interfaces, spread evenly, differ from the unchanged data: of each ten, eight have another value, one is
missing and one is new.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

DEVICES = 9
INTERFACES = 10
OBJECTS_PER_SITE = 1 + DEVICES * (1 + INTERFACES)
SHAPES = ("tree", "flat")
Record = dict[str, Any]


class Changes:
    """Selects the interfaces that are changed."""

    def __init__(self, interfaces: int, changed: int) -> None:
        self._interfaces = interfaces
        self._every = max(1, interfaces // changed) if changed else 0

    def of(self, index: int) -> str:
        if not self._every or index % self._every:
            return "none"
        return {0: "missing", 1: "new"}.get(index // self._every % 10, "value")

    def counts(self) -> Counter[str]:
        indexes = range(0, self._interfaces, self._every) if self._every else ()
        return Counter(self.of(index) for index in indexes)


def interfaces_of(shape: str, objects: int) -> int:
    return objects // OBJECTS_PER_SITE * DEVICES * INTERFACES if shape == "tree" else objects


def count(shape: str, objects: int, changed: int) -> int:
    """Return the number of objects on one side."""
    counts = Changes(interfaces_of(shape, objects), changed).counts()
    unchanged = objects // OBJECTS_PER_SITE * OBJECTS_PER_SITE if shape == "tree" else objects
    return unchanged - counts["missing"] + counts["new"]


def summary(shape: str, objects: int, changed: int) -> dict[str, int]:
    """Return the expected summary of a diff between an unchanged source and a target with `changed` changes."""
    counts = Changes(interfaces_of(shape, objects), changed).counts()
    same = count(shape, objects, 0) - counts["missing"] - counts["value"]
    return {
        "create": counts["missing"],
        "update": counts["value"],
        "delete": counts["new"],
        "no-change": same,
        "skip": 0,
    }


def site_record(number: int) -> Record:
    return {
        "name": f"site-{number:06}",
        "region": f"region-{number % 12}",
        "tenant": f"tenant-{number % 40}",
        "status": "active",
        "facility": f"building {number % 300}, floor {number % 7}",
        "asn": 64512 + number % 1000,
    }


def device_record(site: int, position: int) -> Record:
    return {
        "name": f"device-{site:06}-{position:02}",
        "role": ("access", "distribution", "core")[position % 3],
        "model": f"model-{position % 5}",
        "serial": f"SN{site:08}{position:04}",
        "address": f"10.{site // 250 % 250}.{site % 250}.{position + 1}",
        "status": "active",
    }


def interface_records(device: str, indexes: range, changes: Changes) -> Iterator[Record]:
    for position, index in enumerate(indexes):
        change = changes.of(index)
        if change != "missing":
            yield interface_record(device, f"ethernet{position}", index, mtu=1500 if change == "value" else 9000)
        if change == "new":
            yield interface_record(device, f"loopback{position}", index, mtu=9000)


def interface_record(device: str, name: str, index: int, mtu: int) -> Record:
    return {
        "device_name": device,
        "name": name,
        "description": f"link {index} of {device}",
        "enabled": index % 9 != 0,
        "mtu": mtu,
        "mac": f"02:00:{index >> 24 & 255:02x}:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:{index & 255:02x}",
        "vlans": [index % 4000, (index + 7) % 4000],
    }
