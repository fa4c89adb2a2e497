"""Two adapters for diffsync, of a kind that plugins have: jobs, flags, children, own arguments."""

import json
import os
import signal
from pathlib import Path
from typing import ClassVar

from diffsync import Adapter, DiffSyncModel
from diffsync.enum import DiffSyncModelFlags
from diffsync.exceptions import ObjectNotCreated, ObjectNotFound


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    _children: ClassVar = {"device": "devices"}

    name: str
    region: str | None = None
    devices: list[str] = []


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("site_name", "serial", "tags")
    _children: ClassVar = {"interface": "interfaces"}

    name: str
    site_name: str
    serial: str | None = None
    tags: list[dict] | None = None
    interfaces: list[str] = []
    pk: int | None = None


class Interface(DiffSyncModel):
    _modelname = "interface"
    _identifiers = ("device_name", "name")
    _shortname = ("name",)
    _attributes = ("mtu",)

    device_name: str
    name: str
    mtu: int | None = None


class Job:
    """Stands for the job that a plugin gives to its adapters."""

    def __init__(self):
        self.messages = []

    def log(self, message):
        self.messages.append(message)


class Inventory(Adapter):
    """Reads a JSON file: the source."""

    site = Site
    device = Device
    interface = Interface
    top_level: ClassVar = ["site"]

    def __init__(self, *args, job=None, sync=None, path, **kwargs):
        super().__init__(*args, **kwargs)
        self.job = job or Job()
        self.sync = sync
        self.path = Path(path)

    def read(self):
        return json.loads(self.path.read_text("utf-8"))

    def load(self):
        for record in self.read()["sites"]:
            self.get_or_instantiate(self.site, {"name": record["name"]}, {"region": record.get("region")})
        for record in self.read()["devices"]:
            self.load_device(record)
        self.job.log(f"Loaded {len(self)} objects")

    def load_device(self, record):
        site, _ = self.get_or_instantiate(self.site, {"name": record["site"]}, {"region": None})
        attrs = {"site_name": record["site"], "serial": record.get("serial"), "tags": record.get("tags")}
        device, _ = self.update_or_instantiate(self.device, {"name": record["name"]}, attrs)
        if record.get("is_pinned"):
            device.model_flags = DiffSyncModelFlags.SKIP_UNMATCHED_DST
        site.add_child(device)
        for name, mtu in record.get("interfaces", {}).items():
            interface = self.interface(device_name=device.name, name=name, mtu=mtu)
            self.add(interface)
            device.add_child(interface)


class SystemSite(Site):
    @classmethod
    def create(cls, adapter, ids, attrs):
        adapter.change(lambda data: data["sites"].append({**ids, **attrs}))
        return super().create(adapter=adapter, ids=ids, attrs=attrs)

    def update(self, attrs):
        self.adapter.change(lambda data: _one(data["sites"], self.name).update(attrs))
        return super().update(attrs)

    def delete(self):
        self.adapter.change(lambda data: data["sites"].remove(_one(data["sites"], self.name)))
        super().delete()
        return self


class SystemDevice(Device):
    @classmethod
    def create(cls, adapter, ids, attrs):
        if attrs["serial"] == "refused":
            raise ObjectNotCreated(f"{ids['name']} is refused")
        if attrs["serial"] == "skipped":
            adapter.job.log(f"Skipped {ids['name']}")
            return None
        record = {"name": ids["name"], "site": attrs["site_name"], "serial": attrs["serial"], "tags": attrs["tags"]}
        adapter.change(lambda data: data["devices"].append({**record, "interfaces": {}}))
        return super().create(adapter=adapter, ids=ids, attrs=attrs)

    def update(self, attrs):
        self.adapter.change(lambda data: _one(data["devices"], self.name).update(attrs))
        return super().update(attrs)

    def delete(self):
        self.adapter.change(lambda data: data["devices"].remove(_one(data["devices"], self.name)))
        super().delete()
        return self


class SystemInterface(Interface):
    @classmethod
    def create(cls, adapter, ids, attrs):
        adapter.get("device", ids["device_name"])  # its parent is there already
        adapter.change(
            lambda data: _one(data["devices"], ids["device_name"])["interfaces"].update({ids["name"]: attrs["mtu"]})
        )
        return super().create(adapter=adapter, ids=ids, attrs=attrs)

    def update(self, attrs):
        self.adapter.change(
            lambda data: _one(data["devices"], self.device_name)["interfaces"].update({self.name: attrs["mtu"]})
        )
        return super().update(attrs)

    def delete(self):
        def change(data):
            found = [record for record in data["devices"] if record["name"] == self.device_name]
            for record in found:  # the device may be gone
                record["interfaces"].pop(self.name)

        self.adapter.change(change)
        super().delete()
        return self


class System(Inventory):
    """Reads and writes a JSON file: the target."""

    site = SystemSite
    device = SystemDevice
    interface = SystemInterface

    def change(self, function):
        data = self.read()
        function(data)
        self.path.write_text(json.dumps(data), "utf-8")

    def load(self):
        try:
            self.get("site", "nowhere")
        except ObjectNotFound:  # diffsync's exception, whatever the store
            super().load()


class DyingDevice(SystemDevice):
    """Kills the process when the system has the first device, before the sync knows it."""

    @classmethod
    def create(cls, adapter, ids, attrs):
        created = super().create(adapter, ids, attrs)
        if not adapter.path.with_suffix(".killed").exists():
            adapter.path.with_suffix(".killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return created

    @classmethod
    def lookup(cls, adapter, ids):
        found = [record for record in adapter.read()["devices"] if record["name"] == ids["name"]]
        return (
            {"site_name": found[0]["site"], "serial": found[0]["serial"], "tags": found[0]["tags"]} if found else None
        )


class Dying(System):
    device = DyingDevice


class Plain(Adapter):
    """Takes neither a name nor a store."""

    site = Site
    device = Device
    interface = Interface
    top_level: ClassVar = ["site"]

    def __init__(self, path, job=None):
        super().__init__()
        self.path = Path(path)

    def load(self):
        self.load_from_dict(json.loads(self.path.read_text("utf-8")))


def _one(records, name):
    [found] = [record for record in records if record["name"] == name]
    return found
