"""A system that several sources and a person change, and that knows who has written each value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.compare import IgnoreCase
from diffsync_store.field_rules import FieldRules
from diffsync_store.store.local import LocalStore

Values = dict[str, Any]
Key = tuple[str, str]
NOBODY = ""
PERSON = "person"
RULES = FieldRules.model_validate(
    {
        "fields": {
            "device": {"description": "unless_changed", "serial": "fill_empty", "notes": "never"},
            "port": {"description": "unless_changed"},
        },
        "deletes": {"*": "own"},
    }
)


@dataclass
class Record:
    """A record of the system, with what only the test knows."""

    values: Values
    created_by: str
    written: Values = field(default_factory=dict)
    """The value of each attribute that a sync wrote last."""


class World:
    """The target's system. It notes each write of a sync to something foreign."""

    def __init__(self) -> None:
        self.records: dict[Key, Record] = {}
        self.violations: list[str] = []
        self.acting = ""
        """The source whose sync writes."""
        self.deleted: dict[Key, Record] = {}
        """Records that a person has deleted since the last load."""

    def create(self, key: Key, values: Values) -> None:
        if key in self.records:
            self.violations.append(f"{key} is created again")
        if values.get("notes") is not None:
            self.violations.append(f"{key}: notes are written")
        self.records[key] = Record(
            {"notes": None, **values} if key[0] == "device" else dict(values), self.acting, dict(values)
        )

    def update(self, key: Key, values: Values) -> None:
        record = self.records[key]
        for name, value in values.items():
            old = record.values[name]
            if name == "description" and old and old.casefold() != str(record.written.get(name)).casefold():
                self.violations.append(f"{key}: {name} {old!r} is foreign, {record.written.get(name)!r} was written")
            if name == "notes" or (name == "serial" and old):
                self.violations.append(f"{key}: {name} is written")
            record.values[name] = record.written[name] = value

    def delete(self, key: Key) -> None:
        for below in [
            each for each, one in self.records.items() if each[0] == "port" and one.values["device"] == key[1]
        ]:
            if key[0] == "device":
                self.delete(below)
        if self.records[key].created_by != self.acting:
            self.violations.append(f"{key} of {self.records[key].created_by} is deleted by {self.acting}")
        del self.records[key]

    # What a person does

    def person_creates(self, key: Key, values: Values) -> None:
        before = self.deleted.get(key)
        if before is None:
            self.records[key] = Record(values, PERSON)
        else:  # between two loads nobody can tell that the record was gone
            self.records[key] = Record(values, before.created_by, before.written)

    def person_deletes(self, key: Key) -> None:
        for below in [
            each for each, one in self.records.items() if each[0] == "port" and one.values["device"] == key[1]
        ]:
            if key[0] == "device":
                self.person_deletes(below)
        self.deleted[key] = self.records.pop(key)


class Seen(DiffSyncModel):
    """A model whose writes reach the world."""

    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        adapter.world.create((cls._modelname, ids["name"]), attrs)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: Values) -> Self | None:
        self.adapter.world.update((self._modelname, self.get_unique_id()), attrs)
        return super().update(attrs)

    def delete(self) -> Self | None:
        self.adapter.world.delete((self._modelname, self.get_unique_id()))
        return super().delete()


class Device(Seen):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("description", "serial", "notes")
    _children = {"port": "ports"}

    name: str
    description: Annotated[str | None, IgnoreCase()] = None
    serial: str | None = None
    notes: str | None = None
    ports: list[str] = []


class Port(Seen):
    _modelname = "port"
    _identifiers = ("name",)
    _attributes = ("device", "description")

    name: str
    device: str = ""
    description: str | None = None


class Side(Adapter):
    """A source, or the target's system as it is now."""

    device = Device
    port = Port
    top_level = ["device"]

    def __init__(self, name: str, records: dict[Key, Values], world: World, store: Any = None) -> None:
        super().__init__(name, internal_storage_engine=store or LocalStore)
        self.records = records
        self.world = world

    def load(self) -> None:
        for model in ("device", "port"):
            for (of, name), values in self.records.items():
                if of != model:
                    continue
                obj = getattr(self, model)(name=name, **values)
                if model == "device":
                    self.add(obj)
                elif ("device", values["device"]) in self.records:
                    self.add(obj)
                    self.get("device", values["device"]).add_child(obj)
