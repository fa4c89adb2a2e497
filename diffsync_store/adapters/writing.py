"""Writing records in batches: ids of references, payloads, answers in order, and ids that the system no longer has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import JsonValue

from diffsync_store.adapters.mapped_model import MappedModel
from diffsync_store.adapters.resolver import Resolver, gone, only_id
from diffsync_store.adapters.secrets import redact_refusal, secrets_of
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated, OutcomeUnknown
from diffsync_store.hooks import RehearsedOperation
from diffsync_store.mapping.models import Reference
from diffsync_store.mapping.records import Mapper
from diffsync_store.redaction import format_reason
from diffsync_store.transient import is_transient

_REFUSED = {"create": ObjectNotCreated, "update": ObjectNotUpdated, "delete": ObjectNotDeleted}
Answer = Any
"""The system id of a written record; or an exception, if the record was not written."""
Need = tuple[str, str]
"""Model and unique id of a record whose system id is needed."""
Ids = dict[Need, JsonValue]


class Change(NamedTuple):
    """A record that changes."""

    key: JsonValue
    """The system's id."""
    payload: dict[str, Any]
    """What changes, in the system's form."""
    identifiers: dict[str, Any]


class Payload(dict[str, Any]):
    """A record, or what changes of it, in the system's form."""

    fields: Mapping[str, Any]
    """The fields that it is made of."""


class System(Protocol):
    """What is needed of an adapter to write records."""

    models: dict[str, type[MappedModel]]
    id_key: ClassVar[str]
    records_per_call: int

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]: ...
    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]: ...
    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]: ...
    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None: ...


class _Item(NamedTuple):
    """One record of a batch."""

    needs: dict[Need, dict[str, Any]]
    """The records whose ids it needs, with their identifiers."""
    known: Ids
    """Those of these ids that its object has."""
    prepare: Callable[[Ids], Any]
    """Makes what is sent, from the ids."""
    done: Callable[[Answer, Ids], Any]
    """Takes the answer of the system; returns the object."""
    values: Mapping[str, Any] = {}
    """The fields that are sent."""


class RecordWriter:
    """Writes the records of an adapter. Threads may share it, as far as they may share the adapter."""

    def __init__(self, adapter: System, resolver: Resolver) -> None:
        self._adapter = adapter
        self._resolver = resolver

    def create(
        self, mapper: Mapper, model: type[MappedModel], records: Sequence[tuple[dict[str, Any], dict[str, Any]]]
    ) -> list[Any]:
        """Create records. Return the object or an exception for each."""
        items = [self._creation(mapper, model, ids, attrs) for ids, attrs in records]
        return self._write(mapper, items, self._adapter.send_creates, ObjectNotCreated)

    def update(self, mapper: Mapper, changes: Sequence[tuple[MappedModel, dict[str, Any]]]) -> list[Any]:
        """Change records. Return the object or an exception for each."""
        items = [self._change(mapper, obj, attrs) for obj, attrs in changes]
        return self._write(mapper, items, self._adapter.send_updates, ObjectNotUpdated)

    def delete(self, mapper: Mapper, objects: Sequence[MappedModel]) -> list[Any]:
        """Delete records. Return the object or an exception for each."""
        items = [self._deletion(mapper, obj) for obj in objects]
        return self._write(mapper, items, self._adapter.send_deletes, ObjectNotDeleted)

    def rehearse(
        self, mapper: Mapper, operations: Sequence[RehearsedOperation], send: Callable[..., Sequence[Answer]]
    ) -> list[Any]:
        """Prepare operations of one action as if they were written. Return the object or an exception for each.

        The records that they change or name are looked up in the system, except for those that the rehearsal has created. A record
        that is deleted is not: one that is gone counts as deleted.

        Args:
            mapper: the mapper of their model.
            operations: the operations.
            send: takes the mapper and what would be sent, and returns an answer for each.
        """
        action = operations[0].action
        if action == "create":
            items = [self._creation(mapper, each.model, each.ids, each.attrs) for each in operations]
        elif action == "update":
            items = [self._change(mapper, each.obj, each.attrs) for each in operations]
        else:
            items = [self._deletion(mapper, each.obj) for each in operations]
        known = self._ids(items) if action == "delete" else self._ids_in_rehearsal(items)
        return self._attempt(mapper, items, known, send, _REFUSED[action])

    # The records of a batch

    def _creation(self, mapper: Mapper, model: type[MappedModel], ids: dict[str, Any], attrs: dict[str, Any]) -> _Item:
        values = {**ids, **attrs}
        made: list[Any] = []

        def prepare(known: Ids) -> dict[str, Any]:
            made[:] = [model.create_base(self._adapter, ids, attrs)]  # what does not fit is found before it is sent
            payload = Payload(self._payload(mapper, values, values, known))
            payload.fields = values
            return payload

        def done(answer: Answer, _known: Ids) -> Any:
            obj = made[0]
            if obj is not None:
                obj.system_id = answer
                self._resolver.note(model._modelname, obj.get_unique_id(), answer)
            return obj

        return _Item(self._needs(mapper, values, values), {}, prepare, done, values)

    def _change(self, mapper: Mapper, obj: MappedModel, attrs: dict[str, Any]) -> _Item:
        identifiers = obj.get_identifiers()
        values = {**obj.get_attrs(), **identifiers, **attrs}
        own = self._own_need(obj, identifiers)

        def prepare(known: Ids) -> Change:
            key = self._key(own, obj, known)
            payload = Payload(self._payload(mapper, values, attrs, known))
            payload.fields = attrs
            return Change(key, payload, identifiers)

        def done(_answer: Answer, known: Ids) -> Any:
            self._keep_key(own, obj, known)
            return obj.update_base(attrs)

        return _Item({**self._needs(mapper, values, attrs), **own}, _known_key(own, obj), prepare, done, values)

    def _deletion(self, mapper: Mapper, obj: MappedModel) -> _Item:
        identifiers = obj.get_identifiers()
        own = self._own_need(obj, identifiers)

        def done(_answer: Answer, _known: Ids) -> Any:
            self._resolver.forget(obj.get_type(), obj.get_unique_id())
            return obj.delete_base()

        def prepare(known: Ids) -> Change:
            return Change(self._key(own, obj, known), {}, identifiers)

        return _Item(own, _known_key(own, obj), prepare, done, {**obj.get_attrs(), **identifiers})

    def _own_need(self, obj: MappedModel, identifiers: dict[str, Any]) -> dict[Need, dict[str, Any]]:
        return {(obj.get_type(), obj.get_unique_id()): identifiers} if self._adapter.id_key else {}

    def _key(self, own: Iterable[Need], obj: MappedModel, known: Ids) -> JsonValue:
        for need in own:
            if known.get(need) is None:
                raise gone(type(obj), need[1])
            return known[need]
        return None

    def _keep_key(self, own: Iterable[Need], obj: MappedModel, known: Ids) -> None:
        for need in own:
            if obj.system_id != known[need]:
                obj.system_id = known[need]

    # References

    def _needs(self, mapper: Mapper, values: Mapping[str, Any], names: Mapping[str, Any]) -> dict[Need, dict[str, Any]]:
        """Return the records that these fields refer to and whose system ids are written."""
        needs = {}
        for label in mapper.written_references:
            reference = mapper.model._references[label]
            if names.keys().isdisjoint(reference.fields.values()):
                continue
            identifiers = {identifier: values.get(field) for identifier, field in reference.fields.items()}
            if _names_a_record(mapper, reference, values):
                uid = self._adapter.models[reference.model].create_unique_id(**identifiers)
                needs[reference.model, uid] = identifiers
        return needs

    def _payload(
        self, mapper: Mapper, values: Mapping[str, Any], names: Mapping[str, Any], known: Ids
    ) -> dict[str, Any]:
        """Return fields in the system's form: references as system ids."""
        payload = mapper.payload_of({name: values[name] for name in names})
        for label, target in mapper.written_references.items():
            reference = mapper.model._references[label]
            if names.keys().isdisjoint(reference.fields.values()):
                continue
            identifiers = {identifier: values.get(field) for identifier, field in reference.fields.items()}
            system_id = None
            if _names_a_record(mapper, reference, values):
                model = self._adapter.models[reference.model]
                uid = model.create_unique_id(**identifiers)
                system_id = only_id(model, uid, known.get((reference.model, uid)))
            self._adapter.put_reference(mapper, payload, target, system_id)
        return payload

    def _ids(self, items: Sequence[_Item], *, from_system: bool = False) -> Ids:
        """Return the system ids that the records of a batch need. Those of one model are looked up in one call."""
        known: Ids = {}
        for item in () if from_system else items:
            known |= item.known
        return self._looked_up(
            items, known, self._resolver.system_ids_now if from_system else self._resolver.system_ids
        )

    def _ids_in_rehearsal(self, items: Sequence[_Item]) -> Ids:
        """Return the same from the system, and from what was rehearsed before."""
        return self._looked_up(items, {}, partial(self._resolver.system_ids, from_system=True))

    def _looked_up(self, items: Iterable[_Item], known: Ids, find: Callable[..., dict[str, JsonValue]]) -> Ids:
        by_model: dict[str, dict[str, dict[str, Any]]] = {}
        for item in items:
            for need, identifiers in item.needs.items():
                if need not in known:
                    by_model.setdefault(need[0], {})[need[1]] = identifiers
        found = dict(known)
        for model, wanted in by_model.items():
            ids = find(self._adapter.models[model], list(wanted.values()))
            found |= {(model, uid): system_id for uid, system_id in ids.items()}
        return found

    # The calls

    def _write(self, mapper: Mapper, items: list[_Item], send: Any, refused: type[Exception]) -> list[Any]:
        """Send all records that can be prepared; those that are refused because of an old id again with the new one."""
        try:
            known = self._ids(items)
        except Exception as error:
            error.was_not_done = True  # type: ignore[attr-defined]  # nothing is sent yet
            raise
        answers = self._attempt(mapper, items, known, send, refused)
        again = [
            number
            for number, answer in enumerate(answers)
            if isinstance(answer, refused) and _may_be_old(items[number], known)
        ]
        if again:
            try:
                new = self._ids([items[number] for number in again], from_system=True)
                again = [number for number in again if _differs(items[number], known, new)]
                sent = self._attempt(mapper, [items[number] for number in again], new, send, refused)
            except Exception as error:
                raise _partly_done(error) from error
            for number, answer in zip(again, sent, strict=True):
                answers[number] = answer
        return answers

    def _attempt(
        self, mapper: Mapper, items: list[_Item], known: Ids, send: Any, refused: type[Exception]
    ) -> list[Any]:
        results: list[Any] = [None] * len(items)
        numbers, prepared = [], []
        for number, item in enumerate(items):
            try:
                prepared.append(item.prepare(known))
            except Exception as error:  # noqa: BLE001  # one record that cannot be written does not keep the others back
                results[number] = refused(format_reason(error, mapper.model).removeprefix("UnknownReference: "))
                results[number].__cause__ = error
                redact_refusal(results[number], secrets_of(mapper, item.values))
                redact_refusal(error, secrets_of(mapper, item.values))
            else:
                numbers.append(number)
        try:
            answers = self._send_parts(lambda part: send(mapper, part), prepared)
        except Exception as error:
            redact_refusal(error, secrets_of(mapper, [items[number].values for number in numbers], prepared))
            raise
        for number, sent, answer in zip(numbers, prepared, answers, strict=True):
            if isinstance(answer, BaseException):
                redact_refusal(answer, secrets_of(mapper, items[number].values, sent))
                results[number] = answer
            else:
                results[number] = items[number].done(answer, known)
        return results

    def _send_parts(self, send: Callable[[Sequence[Any]], Sequence[Answer]], prepared: list[Any]) -> list[Answer]:
        """Send records in as many calls as the system needs. What one call has done stays done when the next one fails."""
        size = self._adapter.records_per_call or len(prepared)
        if len(prepared) <= size:
            return _checked(send, prepared) if prepared else []
        answers: list[Answer] = []
        calls = _Calls(send)
        try:
            for start in range(0, len(prepared), size):
                answers += self._halved(calls, prepared[start : start + size])
        except Exception as error:
            if calls.done:
                raise _partly_done(error) from error
            raise
        return answers

    def _halved(self, send: Callable[[Sequence[Any]], Sequence[Answer]], part: list[Any]) -> list[Answer]:
        """Send one part of a batch; of what the system refuses as a whole, find the record that it is about."""
        try:
            return _checked(send, part)
        except Exception as error:
            if isinstance(error, OutcomeUnknown) or is_transient(error, self._adapter):
                raise  # every record of the batch is looked up
            if len(part) == 1:
                return [error]
        half = len(part) // 2
        return self._halved(send, part[:half]) + self._halved(send, part[half:])


class _Calls:
    """Calls the system, and counts the calls that it has answered."""

    def __init__(self, send: Callable[[Sequence[Any]], Sequence[Answer]]) -> None:
        self._send = send
        self.done = 0

    def __call__(self, part: Sequence[Any]) -> Sequence[Answer]:
        answers = self._send(part)
        self.done += 1
        return answers


def _partly_done(error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(f"A call failed after others of the same batch were done: {error}")


def _checked(send: Callable[[Sequence[Any]], Sequence[Answer]], part: list[Any]) -> list[Answer]:
    """Return the answers of one call.

    Raises:
        OutcomeUnknown: they are not one for each record.
    """
    answers = list(send(part))
    if len(answers) != len(part):
        raise OutcomeUnknown(f"The system returned {len(answers)} answers for {len(part)} records.")
    return answers


def _names_a_record(mapper: Mapper, reference: Reference, values: Mapping[str, Any]) -> bool:
    """Whether a reference leads to a record: it does not if the fields that only the reference needs are null."""
    fields = reference.fields.values()
    others = [found for found in mapper.model._references.values() if found is not reference]
    shared = {*mapper.model._identifiers, *(field for found in others for field in found.fields.values())}
    own = [field for field in fields if field not in shared]
    own = own or [field for field in fields if field not in mapper.model._identifiers] or list(fields)
    return any(values.get(field) is not None for field in own)


def _known_key(own: Iterable[Need], obj: MappedModel) -> Ids:
    return {} if obj.system_id is None else dict.fromkeys(own, obj.system_id)


def _may_be_old(item: _Item, known: Ids) -> bool:
    """Whether it was sent with ids."""
    return bool(item.needs) and all(known.get(need) is not None for need in item.needs)


def _differs(item: _Item, known: Ids, new: Ids) -> bool:
    return any(new.get(need) is not None and new[need] != known.get(need) for need in item.needs)
