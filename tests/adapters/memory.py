"""A system in memory, for tests of what all ready adapters share."""

from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, ClassVar, cast

from diffsync_store.adapters.mapped import AdapterSettings, Answer, Change, MappedAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping import Mapper


class MemorySystem:
    """Tables of records with ids, which refuses what a database with foreign keys refuses. Threads may share it."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self.tables: dict[str, dict[int, dict[str, Any]]] = {}
        self.calls: list[tuple[str, str, int]] = []
        self.log: list[tuple[str, str, str]] = []
        self.number = 0
        self.lock = Lock()
        self.after_call: Callable[[str], None] | None = None
        """Called with the action when a call was done, before its answer: an exception loses the answer."""
        for table, records in tables.items():
            for record in records:
                self.insert(table, record)

    def insert(self, table: str, record: dict[str, Any]) -> int:
        self.number += 1
        self.tables.setdefault(table, {})[self.number] = {"id": self.number, **record}
        return self.number

    def has(self, system_id: Any) -> bool:
        return any(system_id in records for records in self.tables.values())

    def uses(self, system_id: int) -> bool:
        return any(
            value == system_id
            for records in self.tables.values()
            for record in records.values()
            for key, value in record.items()
            if key.endswith("_id")
        )

    def called(self, action: str, table: str, number: int) -> None:
        self.calls.append((action, table, number))
        if self.after_call is not None:
            self.after_call(action)


class MemorySettings(AdapterSettings):
    system: Any


class MemoryAdapter(MappedAdapter):
    Settings = MemorySettings
    settings: MemorySettings
    id_key: ClassVar[str] = "id"

    @property
    def system(self) -> MemorySystem:
        found: MemorySystem = self.settings.system
        return found

    def read(self, mapper: Mapper) -> Iterable[Any]:
        return list(self.system.tables.get(self._table(mapper), {}).values())

    def _table(self, mapper: Mapper) -> str:
        return mapper.mapping.source or mapper.model.get_type()

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> list[Any]:
        self.system.calls.append(("find", self._table(mapper), len(identifiers)))
        found = {mapper.unique_id_of(record): record for record in self.read(mapper)}
        return [found.get(mapper.model.create_unique_id(**ids)) for ids in identifiers]

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> list[Answer]:
        table = self._table(mapper)
        with self.system.lock:
            answers = [self._create(table, payload) for payload in payloads]
        self.system.called("create", table, len(payloads))
        return answers

    def _create(self, table: str, payload: dict[str, Any]) -> Answer:
        for key, value in payload.items():
            if key.endswith("_id") and value is not None and not self.system.has(value):
                return ObjectNotCreated(f"{key} {value} does not exist")
        if payload.get("name") == "bad":
            return ObjectNotCreated("bad name")
        self.system.log.append(("create", table, str(payload.get("name"))))
        return self.system.insert(table, payload)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> list[Answer]:
        table = self._table(mapper)
        answers: list[Answer] = []
        for key, payload in ((cast("int", change.key), change.payload) for change in changes):
            record = self.system.tables[table].get(key)
            if record is None:
                answers.append(ObjectNotUpdated(f"{key} is gone"))
            else:
                record.update(payload)
                self.system.log.append(("update", table, str(record.get("name"))))
                answers.append(None)
        self.system.called("update", table, len(changes))
        return answers

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> list[Answer]:
        table = self._table(mapper)
        answers: list[Answer] = []
        for key in (cast("int", change.key) for change in changes):
            if self.system.uses(key):
                answers.append(ObjectNotDeleted("in use"))
                continue
            record = self.system.tables[table].pop(key, {})
            self.system.log.append(("delete", table, str(record.get("name"))))
            answers.append(None)
        self.system.called("delete", table, len(changes))
        return answers
