"""NautobotWriter: what Nautobot's answers to bulk requests say of each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.nautobot.fields import ListFields
from diffsync_store.adapters.nautobot.payloads import trimmed_fields
from diffsync_store.adapters.nautobot.rights import explain, is_forbidden
from diffsync_store.adapters.rest.writing import Writer

_ACTIONS = {"POST": "add", "PATCH": "change", "DELETE": "delete"}
_NOTED_BY_READER = "_noted"


class NautobotWriter(Writer):
    """Writes the records of one model of a Nautobot. Threads may share it."""

    def blame(self, error: HttpError, number: int) -> dict[int, str]:
        if not is_forbidden(error):
            return super().blame(error, number)
        method = error.response.request.method
        why = explain(error, _ACTIONS.get(method, "view"), self.path)
        if method == "POST" and number > 1 and ListFields.read(self.reader.client, self.path).may_create():
            return {}  # the right has a constraint, which is about some of the records
        return dict.fromkeys(range(number), str(why))

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
            if self._is_new(field, "dropped"):
                _warn("Nautobot has no such field and leaves it out. Correct `fields`", self.path, field)
        for field in trimmed_fields(sent, stored):
            if self._is_new(field, "trimmed"):
                _warn("Nautobot trims this field. Add `transforms: strip` to it at the source", self.path, field)

    def _is_new(self, field: str, kind: str) -> bool:
        noted: set[tuple[str, str, str]] = vars(self.reader).setdefault(_NOTED_BY_READER, set())
        key = (self.path, field, kind)
        is_new = key not in noted
        noted.add(key)
        return is_new


def _warn(message: str, path: str, field: str) -> None:
    structlog.get_logger().warning(message, path=path, field=field)
