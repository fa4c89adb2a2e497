"""NautobotWriter: what Nautobot's answers to bulk requests say of each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

import structlog

from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.nautobot.fields import ListFields
from diffsync_store.adapters.nautobot.payloads import trimmed_fields
from diffsync_store.adapters.nautobot.rights import explain, is_forbidden
from diffsync_store.adapters.rest.writing import Writer

_ACTIONS = {"POST": "add", "PATCH": "change", "DELETE": "delete"}
_NO_NULL = "may not be null"
_TEXTS = frozenset({"comments", "description", "label", "part_number", "serial"})
"""Fields that are texts without null in all models of Nautobot. Others are learned from its answers."""


class Learned:
    """What the answers of a Nautobot have said of its fields. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._texts: set[tuple[str, str]] = set()
        self._noted: set[tuple[str, str, str]] = set()

    def is_text(self, path: str, field: str) -> bool:
        """True if "no value" is an empty text in a field of a list."""
        return field in _TEXTS or (path, field) in self._texts

    def learn(self, path: str, error: HttpError) -> bool:
        """Take in the fields that refuse null; True if there are new ones."""
        found = {(path, field) for field in _refusing_null(error.details)}
        with self._lock:
            is_new = not found <= self._texts
            self._texts |= found
        return is_new

    def is_new(self, path: str, field: str, kind: str) -> bool:
        """True the first time."""
        with self._lock:
            is_new = (path, field, kind) not in self._noted
            self._noted.add((path, field, kind))
        return is_new


class NautobotWriter(Writer):
    """Writes the records of one model of a Nautobot. Threads may share it."""

    @property
    def _learned(self) -> Learned:
        learned: Learned = self.reader.learned  # type: ignore[attr-defined]  # it writes for NautobotAdapter only
        return learned

    def blame(self, error: HttpError, number: int) -> dict[int, str]:
        if not is_forbidden(error):
            return super().blame(error, number)
        is_create = error.response.request.method == "POST"
        if is_create and ListFields.read(self.reader.client, self.path).may_create():
            return {}  # the right has a constraint, which is about some of the records
        return dict.fromkeys(range(number), str(error))

    def _send_list(self, method: str, bodies: Sequence[Any]) -> Any:
        while True:
            try:
                return super()._send_list(method, [self._with_texts(body) for body in bodies])
            except HttpError as error:
                if not self._learned.learn(self.path, error):
                    raise explain(error, _ACTIONS.get(method, "view"), self.path) from None

    def _with_texts(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: "" if value is None and self._learned.is_text(self.path, name) else value
            for name, value in body.items()
        }

    def ids_of_created(self, payloads: Sequence[dict[str, Any]], answer: Any) -> list[Answer]:
        if not isinstance(answer, list) or len(answer) != len(payloads):
            return super().ids_of_created(payloads, answer)
        for payload, record in zip(payloads, answer, strict=True):
            self._note(payload, record)
        return [record["id"] for record in answer]  # Nautobot creates and answers in the order of the request

    def answers_of_updates(self, changes: Sequence[Change], answer: Any) -> list[Answer]:
        if isinstance(answer, list):
            payloads = {change.key: change.payload for change in changes}
            for record in answer:
                self._note(payloads.get(record["id"], {}), record)
        return super().answers_of_updates(changes, answer)

    def _goes_in_bulk(self, action: str, records: Sequence[Any]) -> bool:
        return self.writing.is_bulk(action)

    def _note(self, sent: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
        """Log, once for each field, what Nautobot has not stored as it was sent: the record differs again in the next diff."""
        for field in self.dropped_fields(sent, stored):
            if self._learned.is_new(self.path, field, "dropped"):
                _warn("Nautobot has no such field and ignores it. Correct `fields`", self.path, field)
        for field in trimmed_fields(sent, stored):
            if self._learned.is_new(self.path, field, "trimmed"):
                _warn("Nautobot trims this field. Add `transforms: strip` to it at the source", self.path, field)


def _refusing_null(details: Any) -> Iterator[str]:
    for item in details if isinstance(details, list) else [details]:
        if isinstance(item, Mapping):
            yield from (str(name) for name, reasons in item.items() if _NO_NULL in str(reasons))


def _warn(message: str, path: str, field: str) -> None:
    structlog.get_logger().warning(message, path=path, field=field)
