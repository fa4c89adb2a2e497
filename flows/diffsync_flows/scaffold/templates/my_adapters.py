"""Two adapters: an inventory to read, and a switch to change."""

import csv
import json
from pathlib import Path

from pydantic import BaseModel

from diffsync_store import Adapter, DiffSyncModel, ObjectNotCreated, ObjectNotUpdated


class Vlan(DiffSyncModel):
    _modelname = "vlan"
    _identifiers = ("number",)
    _attributes = ("name",)

    number: int
    name: str


class Settings(BaseModel, extra="forbid"):
    """Settings in the YAML file."""

    file: Path


class Inventory(Adapter):
    """A CSV file with the columns number and name."""

    Settings = Settings
    vlan = Vlan
    top_level = ["vlan"]

    def __init__(self, *, file, **options):
        super().__init__(**options)
        self.file = Path(file)

    def load(self):
        with self.file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                with self.rejecting(Vlan, row.get("number"), row):  # reject an invalid line, and load the others
                    self.add(self.vlan(**row))


class SwitchVlan(Vlan):
    """A VLAN whose operations change the switch."""

    @classmethod
    def create(cls, adapter, ids, attrs):
        vlans = adapter.read()
        if str(ids["number"]) in vlans:
            raise ObjectNotCreated(f"The switch has VLAN {ids['number']} already.")
        adapter.write({**vlans, str(ids["number"]): attrs["name"]})
        return super().create(adapter, ids, attrs)

    def update(self, attrs):
        vlans = self.adapter.read()
        if str(self.number) not in vlans:
            raise ObjectNotUpdated(f"The switch has no VLAN {self.number}.")
        self.adapter.write({**vlans, str(self.number): attrs["name"]})
        return super().update(attrs)

    def delete(self):
        self.adapter.write({number: name for number, name in self.adapter.read().items() if number != str(self.number)})
        return super().delete()

    @classmethod
    def lookup(cls, adapter, ids):  # a restarted sync checks whether its last operation was done
        name = adapter.read().get(str(ids["number"]))
        return None if name is None else {"name": name}


class Switch(Adapter):
    """A JSON file of numbers and names, in place of a real switch."""

    Settings = Settings
    vlan = SwitchVlan
    top_level = ["vlan"]

    def __init__(self, *, file, **options):
        super().__init__(**options)
        self.file = Path(file)

    def read(self):
        return json.loads(self.file.read_text("utf-8")) if self.file.exists() else {}

    def write(self, vlans):
        self.file.write_text(json.dumps(vlans), "utf-8")

    def load(self):
        for number, name in self.read().items():
            self.add(self.vlan(number=number, name=name))
