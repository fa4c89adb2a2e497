"""Writer: creates, changes and deletes the records of one model, alone or in lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog

from diffsync_store.adapters.http import HttpError, NotJson, explained, failure_in
from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.rest.bulk import Bulk, errors_in_order, in_parts, one_by_one
from diffsync_store.adapters.rest.reading import RestReader
from diffsync_store.adapters.rest.settings import Each
from diffsync_store.adapters.rest.templates import filled_path
from diffsync_store.compare import normal_forms
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated, OutcomeUnknown
from diffsync_store.mapping.paths import compile_getter
from diffsync_store.mapping.records import Mapper

_GONE = frozenset({404, 410})
_MULTI_STATUS = 207


class Writer:
    """Writes the records of one model. Threads may share it.

    A subclass for an API of its own habits changes how errors and answers are read: `blame`, `ids_of_created`, `answers_of_updates`,
    `dropped_fields`.
    """

    def __init__(self, reader: RestReader, mapper: Mapper) -> None:
        self.reader = reader
        self.mapper = mapper
        self.writing = reader.writing_of(mapper)
        self.path = reader.path_of(mapper)

    # What a sync asks for

    def create(self, payloads: Sequence[dict[str, Any]]) -> list[Answer]:
        """Create records; the system's id or an exception for each."""
        if self._goes_in_bulk("create", payloads):
            return in_parts(payloads, self.writing.bulk_size, self._create_some)
        return one_by_one(payloads, self._create_one, ObjectNotCreated)

    def update(self, changes: Sequence[Change]) -> list[Answer]:
        """Change records; None or an exception for each."""
        if self._goes_in_bulk("update", changes) and not self.writing.if_match:
            return in_parts(changes, self.writing.bulk_size, self._update_some)
        return one_by_one(changes, self._update_one, ObjectNotUpdated)

    def delete(self, changes: Sequence[Change]) -> list[Answer]:
        """Delete records; None or an exception for each. A record that is gone counts as deleted."""
        if self._goes_in_bulk("delete", changes):
            return in_parts(changes, self.writing.bulk_size, self._delete_some)
        return one_by_one(changes, self._delete_one, ObjectNotDeleted)

    def _goes_in_bulk(self, action: str, records: Sequence[Any]) -> bool:
        return len(records) > 1 and self.writing.is_bulk(action)

    # What an API may do in its own way

    def blame(self, error: HttpError, number: int) -> dict[int, str]:
        """Return the reasons for a refused bulk request, by the positions of the bad records; empty if the API names none."""
        return errors_in_order(error, number, self.writing.errors)

    def ids_of_created(self, payloads: Sequence[dict[str, Any]], answer: Any) -> list[Answer]:
        """Return the ids of created records. If the API answers in another order, the values of the records tell them apart."""
        if not isinstance(answer, list) or len(answer) != len(payloads):
            raise OutcomeUnknown(
                f"The answer to a request for {len(payloads)} records of {self.path} is not a list of the same length."
            )
        return [self._answer_of_create(record) for record in _in_order(payloads, answer)]

    def answers_of_updates(self, changes: Sequence[Change], answer: Any) -> list[Answer]:
        """Whether the API has changed each record: it leaves out those that are gone, and answers in an order of its own."""
        if not isinstance(answer, list):
            return [None] * len(changes)
        made = {str(self._id_in(record)): record for record in answer}
        return [
            self._answer_of_update(change, made[str(change.key)])
            if str(change.key) in made
            else ObjectNotUpdated(f"{self.path}: the record with the id {change.key} is gone.")
            for change in changes
        ]

    def dropped_fields(self, payload: Mapping[str, Any], record: Any) -> list[str]:
        """Return the keys that the API has ignored without an error."""
        if not self.writing.find_dropped or not isinstance(record, Mapping) or not record.keys() & payload.keys():
            return []
        return [key for key, value in payload.items() if record.get(key) is None and value not in (None, "", [], {})]

    # One record

    def _create_one(self, payload: dict[str, Any]) -> Answer:
        method, template = self.writing.call("create")
        response, answer = self._send_one(
            method, filled_path(template, self.path, self._identifiers_in(payload)), payload
        )
        record = self.reader.record_in(self.mapper, answer)
        self._note_dropped(payload, record)
        found = self._id_in(record)
        return _id_at(response.headers.get("Location", "")) if found is None else found

    def _update_one(self, change: Change) -> Answer:
        method, path = self._call("update", change)
        payload, headers = change.payload, {}
        is_whole = method == "PUT" and self.writing.whole
        if self.writing.if_match or is_whole:
            response = self.reader.client.get(path)
            record = self.reader.record_in(self.mapper, self.reader.client.json_of(response))
            if self.writing.if_match:
                self._require_unchanged(change, record)
                headers = {"If-Match": tag} if (tag := response.headers.get("ETag")) else {}
            if is_whole:
                payload = _merged(record, change.payload)
        _, answer = self._send_one(method, path, payload, headers)
        return self._answer_of_update(change, self.reader.record_in(self.mapper, answer))

    def _delete_one(self, change: Change) -> Answer:
        method, path = self._call("delete", change)
        try:
            self._send_one(method, path)
        except HttpError as error:
            if error.response.status_code not in _GONE:
                raise
            self._require_gone(change, error)
        self.reader.checked_deletes.add(self.mapper.model._modelname)
        return None

    def _send_one(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Any, Any]:
        """Send a request for one record.

        Raises:
            ValueError: the API answers with a good status and an error.
        """
        response, answer = self._send(method, path, body, headers)
        reason = self._failure_in(self.reader.record_in(self.mapper, answer)) or self._failure_in(answer)
        if reason:
            raise ValueError(f"{method} {path} answered {response.status_code} with an error: {reason}")
        return response, answer

    def _failure_in(self, record: Any) -> str:
        """The error instead of a record; empty if there is none."""
        return failure_in(record) if isinstance(record, Mapping) and self._id_in(record) is None else ""

    def _require_gone(self, change: Change, error: HttpError) -> None:
        """Look the first record up that seems to be gone: a wrong path is answered in the same way."""
        if self.mapper.model._modelname in self.reader.checked_deletes:
            return
        [record] = self.reader.find(self.mapper, [change.identifiers])
        if record is not None and record.get(self.reader.id_key) == change.key:
            raise ValueError(f"{error} The record still exists: correct `delete` of `writing`.")

    def _call(self, action: str, change: Change) -> tuple[str, str]:
        method, template = self.writing.call(action)
        return method, filled_path(template, self.path, {**change.identifiers, "id": change.key})

    def _identifiers_in(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the identifiers of a new record that its payload contains."""
        fields = self.mapper.mapping.fields
        paths = {
            name: (fields[name].write_path if name in fields else None) or name
            for name in self.mapper.model._identifiers
        }
        return {name: compile_getter(path)(payload, None) for name, path in paths.items()}

    def _require_unchanged(self, change: Change, record: Any) -> None:
        loaded = self.reader.get_or_none(self.mapper.model, change.identifiers)
        if loaded is None:
            return
        now = self.mapper.model(**self.mapper.fields_of(record))
        old, new = _compared(loaded), _compared(now)
        changed = [name for name in old if old[name] != new[name]]
        if changed:
            raise ValueError(f"The record has changed since it was loaded: {', '.join(changed)}. Load and diff again.")

    def _answer_of_create(self, record: Any) -> Answer:
        reason = self._failure_in(record)
        return ObjectNotCreated(reason) if reason else self._id_in(record)

    def _answer_of_update(self, change: Change, record: Any) -> Answer:
        dropped = self.dropped_fields(change.payload, record)
        return ObjectNotUpdated(f"The API has dropped {', '.join(dropped)} without an error.") if dropped else None

    def _note_dropped(self, payload: Mapping[str, Any], record: Any) -> None:
        dropped = self.dropped_fields(payload, record)
        if dropped:
            structlog.get_logger().warning(
                "The API has created a record without some of its fields", path=self.path, fields=dropped
            )

    # Lists

    def _create_some(self, payloads: Sequence[dict[str, Any]]) -> list[Answer]:
        def send(some: Sequence[dict[str, Any]]) -> list[Answer]:
            answer = self._send_list(self.writing.call("create").method, some)
            if self.writing.each is not None:
                return self._answers_of_each(some, answer, self.writing.each, ObjectNotCreated)
            return self.ids_of_created(some, answer)

        return Bulk(send, ObjectNotCreated, self.blame)(payloads)

    def _update_some(self, changes: Sequence[Change]) -> list[Answer]:
        def send(some: Sequence[Change]) -> list[Answer]:
            bodies = [{**change.payload, self._id_name: change.key} for change in some]
            answer = self._send_list(self.writing.call("update").method, bodies)
            if self.writing.each is not None:
                found = self._answers_of_each(some, answer, self.writing.each, ObjectNotUpdated)
                return [each if isinstance(each, Exception) else None for each in found]
            return self.answers_of_updates(some, answer)

        return Bulk(send, ObjectNotUpdated, self.blame)(changes)

    def _delete_some(self, changes: Sequence[Change]) -> list[Answer]:
        def send(some: Sequence[Change]) -> list[Answer]:
            try:
                answer = self._send_list("DELETE", [{self._id_name: change.key} for change in some])
            except HttpError as error:
                if len(some) > 1 or error.response.status_code not in _GONE:
                    raise
                return [None]
            if self.writing.each is not None:
                found = self._answers_of_each(some, answer, self.writing.each, ObjectNotDeleted)
                return [each if isinstance(each, Exception) else None for each in found]
            return [None] * len(some)

        return Bulk(send, ObjectNotDeleted, self.blame)(changes)

    def _send_list(self, method: str, bodies: Sequence[Any]) -> Any:
        response, answer = self._send(method, self.path, list(bodies))
        if response.status_code == _MULTI_STATUS and self.writing.each is None:
            raise OutcomeUnknown(
                f"{method} {self.path} answered 207: the request was done in part. Set `each` of `writing`."
            )
        found = compile_getter(self.writing.answer)(answer, None) if self.writing.answer and answer else answer
        reason = failure_in(answer) if isinstance(answer, Mapping) and not isinstance(found, list) else ""
        if reason:
            raise OutcomeUnknown(f"{method} {self.path} answered {response.status_code} with an error: {reason}")
        return found

    def _answers_of_each(self, sent: Sequence[Any], answer: Any, each: Each, refused: type[Exception]) -> list[Answer]:
        if not isinstance(answer, list) or len(answer) != len(sent):
            raise OutcomeUnknown(
                f"The answer to a request for {len(sent)} records of {self.path} is not a list of the same length."
            )
        read_status, read_record = compile_getter(each.status), compile_getter(each.record) if each.record else None
        found: list[Answer] = []
        for item in answer:
            status = read_status(item, None)
            is_bad = isinstance(status, int) and status >= 400
            is_gone = refused is ObjectNotDeleted and status in _GONE
            record = read_record(item, None) if read_record is not None else item
            found.append(refused(explained(item)) if is_bad and not is_gone else self._id_in(record))
        return found

    @property
    def _id_name(self) -> str:
        return self.reader.settings.id

    # Both

    def _send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Any, Any]:
        """Send a request; its answer, and the JSON in it where there is any."""
        if body is not None and self.writing.wrap:
            body = {self.writing.wrap: body}
        response = self.reader.client.send(method, path, body=body, headers=headers)
        try:
            return response, self.reader.client.json_of(response)
        except NotJson as error:
            if "html" in response.headers.get("Content-Type", ""):
                raise OutcomeUnknown(str(error)) from None
            return response, None

    def _id_in(self, record: Any) -> Any:
        return self.reader.id_of(self.mapper, record) if isinstance(record, Mapping) else None


def _in_order(payloads: Sequence[Mapping[str, Any]], records: list[Any]) -> list[Any]:
    """Return the records in the order of the payloads that they were made of."""
    if all(_fits(payload, record) for payload, record in zip(payloads, records, strict=True)):
        return records
    rest = list(enumerate(records))
    found: list[Any] = []
    for payload in payloads:
        place = next((place for place, (_, record) in enumerate(rest) if _fits(payload, record)), None)
        found.append(None if place is None else rest.pop(place)[1])
    left = dict(rest)
    return [left.get(place) if record is None else record for place, record in enumerate(found)]


def _fits(payload: Mapping[str, Any], record: Any) -> bool:
    """Whether a record of an answer has the texts that were sent."""
    return isinstance(record, Mapping) and all(
        record[key] == value
        for key, value in payload.items()
        if isinstance(value, str) and isinstance(record.get(key), str)
    )


def _id_at(location: str) -> int | str | None:
    """Return the id at the end of the address of a record."""
    last = unquote(urlsplit(location).path.rstrip("/").rpartition("/")[2])
    return int(last) if last.isdigit() and str(int(last)) == last else last or None


def _merged(record: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its changes, also inside nested records."""
    found = dict(record) if isinstance(record, Mapping) else {}
    for key, value in changes.items():
        found[key] = _merged(found.get(key), value) if isinstance(value, Mapping) else value
    return found


def _compared(obj: Any) -> dict[str, Any]:
    return {**obj.get_attrs(), **normal_forms(obj)}
