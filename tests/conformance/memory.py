"""A system in memory, and adapters for it: with single calls, and with calls for many records and lookups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar, Self

from diffsync_store import Adapter, BaseStore, DiffSyncModel, ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.testing import Fault, Record, Sample, Side, SystemUnderTest

Values = dict[str, Any]
KEYS = {"site": ("name",), "device": ("site", "name")}
FULL = "full"
"""A status that the system refuses."""


class PermissionMissing(Exception):
    """The user lacks a right."""


class Memory:
    """Records by model and key. Every call may fail on demand."""

    def __init__(self, password: str = "") -> None:
        self.password = password
        self.tables: dict[str, dict[tuple[Any, ...], Values]] = {model: {} for model in KEYS}
        self.failures: dict[Side, list[Fault]] = {"read": [], "write": []}
        self.denied: set[Side] = set()
        self.calls: dict[Side, int] = {"read": 0, "write": 0}

    @contextmanager
    def call(self, side: Side, password: str) -> Iterator[None]:
        self.calls[side] += 1
        if password != self.password:
            raise PermissionMissing("The password is wrong.")
        if side in self.denied:
            raise PermissionMissing(f"The user lacks the right to {side}.")
        failure = self.failures[side].pop(0) if self.failures[side] else None
        if failure in {"too many requests", "server error", "nonsense"}:
            raise TimeoutError("The system is busy.")
        if failure == "reset":
            raise ConnectionResetError("The system has closed the connection.")
        yield
        if failure == "lost answer":
            raise ConnectionResetError("The system has closed the connection.")

    def read(self, model: str) -> list[Values]:
        return [dict(record) for record in self.tables[model].values()]

    def create(self, model: str, record: Values) -> None:
        key = self.key(model, record)
        if key in self.tables[model]:
            raise ObjectNotCreated(f"{model} {key} exists.")
        self.tables[model][key] = self.checked(model, record)

    def update(self, model: str, key: tuple[Any, ...], changes: Values) -> None:
        if key not in self.tables[model]:
            raise ObjectNotUpdated(f"{model} {key} is gone.")
        self.tables[model][key] = self.checked(model, {**self.tables[model][key], **changes})

    def delete(self, model: str, key: tuple[Any, ...]) -> None:
        if model == "site" and any(site == key[0] for site, _ in self.tables["device"]):
            raise ObjectNotDeleted(f"site {key} has devices.")
        self.tables[model].pop(key, None)

    def checked(self, model: str, record: Values) -> Values:
        if record.get("role") == FULL or record.get("region") == FULL:
            raise ValueError(f"{FULL!r} is not allowed.")
        if model == "device" and (record["site"],) not in self.tables["site"]:
            raise ValueError(f"There is no site {record['site']!r}.")
        return dict(record)

    @staticmethod
    def key(model: str, record: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(record[name] for name in KEYS[model])


class Row(DiffSyncModel):
    """Writes one record with each call."""

    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        with adapter.call("write") as memory:
            memory.create(cls._modelname, {**ids, **attrs})
        return super().create(adapter, ids, attrs)

    def update(self, attrs: Values) -> Self | None:
        with self.adapter.call("write") as memory:
            memory.update(self._modelname, tuple(self.get_identifiers().values()), attrs)
        return super().update(attrs)

    def delete(self) -> Self | None:
        with self.adapter.call("write") as memory:
            memory.delete(self._modelname, tuple(self.get_identifiers().values()))
        return super().delete()

    @classmethod
    def lookup(cls, adapter: Any, ids: Values) -> Values | None:
        with adapter.call("read") as memory:
            found = memory.tables[cls._modelname].get(tuple(ids.values()))
        return None if found is None else {name: found[name] for name in cls._attributes}


class Device(Row):
    _modelname = "device"
    _identifiers = ("site", "name")
    _attributes = ("role", "rack", "weight", "active", "since", "tags")

    site: str
    name: str
    role: str = ""
    rack: int | None = None
    weight: float | None = None
    active: bool = True
    since: date | None = None
    tags: list[str] = []


class Site(Row):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    _children = {"device": "devices"}

    name: str
    region: str | None = None
    devices: list[str] = []


class Inventory(Adapter):
    site = Site
    device = Device
    top_level = ["site"]

    def __init__(self, memory: Memory, store: BaseStore, password: str = "") -> None:
        super().__init__("inventory", store)
        self.memory = memory
        self.password = password

    @contextmanager
    def call(self, side: Side) -> Iterator[Memory]:
        with self.memory.call(side, self.password):
            yield self.memory

    def load(self) -> None:
        for model in (self.site, self.device):
            with self.call("read") as memory:
                records = memory.read(model._modelname)
            for record in records:
                with self.rejecting(model, "__".join(map(str, Memory.key(model._modelname, record))), record):
                    self.take(model, record)

    def take(self, model: type[Row], record: Values) -> None:
        obj = model(**record)
        parent = self.get(self.site, record["site"]) if model is self.device else None
        self.add(obj)
        if parent is not None:
            parent.add_child(obj)


class BulkRow(Row):
    """Writes many records with each call."""

    @classmethod
    def create_many(cls, adapter: Any, records: Sequence[tuple[Values, Values]]) -> list[Any]:
        with adapter.call("write") as memory:
            return [
                _done(lambda ids=ids, attrs=attrs: memory.create(cls._modelname, {**ids, **attrs}))
                or cls.create_base(adapter, ids, attrs)
                for ids, attrs in records
            ]

    @classmethod
    def update_many(cls, adapter: Any, changes: Sequence[tuple[BulkRow, Values]]) -> list[Any]:
        with adapter.call("write") as memory:
            return [
                _done(lambda obj=obj, attrs=attrs: memory.update(cls._modelname, obj.key, attrs))
                or obj.update_base(attrs)
                for obj, attrs in changes
            ]

    @classmethod
    def delete_many(cls, adapter: Any, objects: Sequence[BulkRow]) -> list[Any]:
        with adapter.call("write") as memory:
            return [
                _done(lambda obj=obj: memory.delete(cls._modelname, obj.key)) or obj.delete_base() for obj in objects
            ]

    @classmethod
    def lookup_many(cls, adapter: Any, ids: Sequence[Values]) -> list[Values | None]:
        with adapter.call("read") as memory:
            found = [memory.tables[cls._modelname].get(tuple(each.values())) for each in ids]
        return [None if each is None else {name: each[name] for name in cls._attributes} for each in found]

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.get_identifiers().values())


def _done(call: Any) -> Exception | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001  # the answer for this record
        return error
    return None


class BulkDevice(BulkRow, Device):
    pass


class BulkSite(BulkRow, Site):
    pass


class BulkInventory(Inventory):
    site = BulkSite
    device = BulkDevice


class MemoryUnderTest(SystemUnderTest):
    secrets = ("s3cret-of-memory",)
    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(self, adapter: type[Inventory] = Inventory) -> None:
        self.adapter = adapter
        self.memory = Memory("s3cret-of-memory")

    def make_adapter(self, store: BaseStore) -> Adapter:
        return self.adapter(self.memory, store, "s3cret-of-memory")

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self.adapter(self.memory, store, "wrong")

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        return self.memory.read(model)

    def put(self, record: Record) -> None:
        self.memory.tables[record.model][Memory.key(record.model, record.fields)] = dict(record.fields)

    def remove(self, record: Record) -> None:
        del self.memory.tables[record.model][Memory.key(record.model, record.fields)]

    def put_invalid(self, model: str) -> str:
        site = {"name": "unfit", "region": ["not", "a", "text"]}
        record = site if model == "site" else {"site": "site 0", "name": "unfit", "rack": "not a number"}
        self.memory.tables[model][Memory.key(model, record)] = record
        return "unfit"

    def fail_next(self, fault: Fault, on: Side, times: int = 1) -> None:
        self.memory.failures[on] += [fault] * times

    @contextmanager
    def deny(self, on: Side) -> Iterator[None]:
        self.memory.denied.add(on)
        yield
        self.memory.denied.discard(on)

    def calls(self, side: Side) -> int:
        return self.memory.calls[side]


SITE = Sample(
    "site",
    identifiers=lambda n: {"name": f"site {n}"},
    first={"region": "north"},
    second={"region": "south"},
    text=("name", "region"),
    refused={"region": FULL},
)
DEVICE = Sample(
    "device",
    identifiers=lambda n: {"site": "site 0", "name": f"device {n}"},
    first={
        "role": "leaf",
        "rack": 1,
        "weight": 1.5,
        "active": True,
        "since": date(2024, 2, 29),
        "tags": ["a"],
    },
    second={
        "role": "spine",
        "rack": 2,
        "weight": 2.5,
        "active": False,
        "since": date(2025, 1, 1),
        "tags": ["a", "b"],
    },
    needs=("site",),
    text=("name", "role"),
    values={"rack": [0, -1, 2**53], "weight": [0.0, 0.1, -1e-9, 1e300], "since": [date(1, 1, 1), date(9999, 12, 31)]},
    refused={"role": FULL},
)
SAMPLES = (SITE, DEVICE)
