"""MappedAdapter: the base of the ready adapters, whose models and records are declared.

A subclass talks to one kind of system. It says how records are read, and how they are written; all else is here: mapping,
rejects, references, children, answers of bulk calls.

    class WikiAdapter(MappedAdapter):
        class Settings(AdapterSettings):
            url: str

        def read(self, mapper): ...                          # records of a model
        def send_creates(self, mapper, payloads): ...              # one system id or exception for each
        def send_updates(self, mapper, changes): ...
        def send_deletes(self, mapper, keys): ...
        def find(self, mapper, identifiers): ...             # records by natural key, for lost answers and references
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from diffsync_store.adapter import Adapter
from diffsync_store.adapters.resolver import Resolver, UnknownReference
from diffsync_store.exceptions import (
    ObjectAlreadyExists,
    ObjectNotCreated,
    ObjectNotDeleted,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectNotUpdated,
)
from diffsync_store.mapping.models import DeclaredModel, ModelDefinition, Reference, build_models, top_level
from diffsync_store.mapping.paths import Record, compile_setter
from diffsync_store.mapping.records import Mapper, RecordMapping
from diffsync_store.store.base import BaseStore

_RECORD_ERRORS = (ValueError, TypeError, ObjectNotFound, ObjectAlreadyExists, ObjectNotStorable)
"""What is wrong with one record, and not with the load."""

Answer = Any
"""The system's id of a record that was written; or an exception, why it was not."""


class AdapterSettings(BaseModel):
    """The settings of an adapter. A subclass declares its own; an unknown setting is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(NamedTuple):
    """A record that changes."""

    key: JsonValue
    """The system's id."""
    payload: dict[str, Any]
    """What changes, in the system's form."""
    identifiers: dict[str, Any]


class MappedModel(DeclaredModel):
    """A declared model whose records a MappedAdapter writes."""

    system_id: JsonValue = None
    """The id by which the adapter's system knows the record; it is not compared."""

    @classmethod
    def create_many(cls, adapter: MappedAdapter, records: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Any]:
        """Create the records of a batch."""
        return adapter.create_records(cls, records)

    @classmethod
    def update_many(cls, adapter: MappedAdapter, changes: Sequence[tuple[MappedModel, dict[str, Any]]]) -> list[Any]:
        """Change the records of a batch."""
        return adapter.update_records(cls, changes)

    @classmethod
    def delete_many(cls, adapter: MappedAdapter, objects: Sequence[MappedModel]) -> list[Any]:
        """Delete the records of a batch."""
        return adapter.delete_records(cls, objects)

    @classmethod
    def lookup_many(cls, adapter: MappedAdapter, ids: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None] | Any:
        """What the system has of some records now."""
        return adapter.look_up_records(cls, ids)


class MappedAdapter(Adapter):
    """An adapter whose models and records are declared. One thread loads; several may write.

    Args:
        settings: what the adapter has to know of its system, as an object or as data.
        models: what is declared of the models, or their classes where both sides of a sync share them.
        records: how the records of each model are found and read; a model without an entry is not read here.
        name: name of the adapter.
        internal_storage_engine: where its objects are kept.

    Raises:
        ValueError: a mapping does not fit its model.
    """

    Settings: ClassVar[type[AdapterSettings]] = AdapterSettings
    Records: ClassVar[type[RecordMapping]] = RecordMapping
    """What is declared of the records of a model; a subclass may take more."""
    id_key: ClassVar[str] = ""
    """The key of a record under which the system's id of it is found; empty where it has none."""

    def __init__(
        self,
        settings: AdapterSettings | Mapping[str, Any],
        models: Mapping[str, ModelDefinition] | Mapping[str, type[MappedModel]],
        records: Mapping[str, RecordMapping | Mapping[str, Any]],
        *,
        name: str | None = None,
        internal_storage_engine: type[BaseStore] | BaseStore | None = None,
    ) -> None:
        options = {} if internal_storage_engine is None else {"internal_storage_engine": internal_storage_engine}
        super().__init__(name, **options)
        self.settings = settings if isinstance(settings, AdapterSettings) else self.Settings.model_validate(settings)
        self.models = self._bind(_classes(models))
        unknown = sorted(records.keys() - self.models.keys())
        if unknown:
            raise ValueError(
                f"`records` names {', '.join(map(repr, unknown))}, which is not a model. Models are {', '.join(self.models)}."
            )
        self.mappers = {
            model: self.make_mapper(self.models[model], self.Records.model_validate(records[model]))
            for model in self.models
            if model in records
        }
        self._parents = {child: model for model in self.models.values() for child in model._children}
        self._referenced = {found.model for model in self.models.values() for found in model._references.values()}
        self._nested = self._find_nested()
        self._resolver = Resolver(self._find_system_id)

    # What a subclass provides

    def read(self, mapper: Mapper) -> Iterable[Record]:
        """The records of a model, in pieces as they come."""
        raise NotImplementedError(f"{type(self).__name__} does not read records.")

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        """Create records; one system id or exception for each.

        Raises:
            Exception: nothing of the call was done; after a transient one nobody knows.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        """Change records; None or an exception for each. Raises as `send_creates`."""
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        """Delete records; None or an exception for each. A record that is gone already counts as deleted. Raises as `send_creates`."""
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        """The records that have these identifiers now; None for each that is not there."""
        raise NotImplementedError(f"{type(self).__name__} does not look records up.")

    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None:
        """Write the id of a referenced record into a payload."""
        compile_setter(target)(payload, system_id)

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        """The compiled mapping of a model."""
        return Mapper(model, mapping)

    # Loading

    def load(self) -> None:
        """Read all records into the store. A record that does not fit its model is rejected, and the load goes on."""
        nested = {model for models in self._nested.values() for model in models}
        for model, mapper in self.mappers.items():
            if model not in nested and not mapper.mapping.lookup_only:
                for record in self.read(mapper):
                    self._take(mapper, record, None)

    def _take(self, mapper: Mapper, record: Record, above: MappedModel | None) -> None:
        """Take in one record, and those in the lists inside it."""
        model = _model(mapper)
        try:
            obj = model(**mapper.fields_of(record, above))
            if self.id_key:
                obj.__dict__["system_id"] = record.get(self.id_key)
            if mapper.mapping.distinct and self.get_or_none(model, obj.get_identifiers()) is not None:
                return
            parent = self._parent_of(obj, above)
            self.add(obj)
        except _RECORD_ERRORS as error:
            self.store.reject(model, mapper.key_of(record, above), error, dict(record), below=above)
            return
        if parent is not None:
            parent.add_child(obj)
        if self._is_referenced(model):
            self._resolver.note(model._modelname, obj.get_unique_id(), obj.system_id)
        for name in self._nested.get(model._modelname, ()):
            self._take_list(self.mappers[name], record, obj)

    def _take_list(self, mapper: Mapper, record: Record, above: MappedModel) -> None:
        items = mapper.list_of(record)
        if items is None:
            return
        if not isinstance(items, list):
            reason = f"`{mapper.mapping.source}` is not a list in {above.get_type()} {above}"
            self.incomplete(mapper.model, reason, below=above)
            return
        for item in items:
            if isinstance(item, Mapping):
                self._take(mapper, item, above)
            else:
                error = TypeError(f"A record has to be a mapping, and this one is {type(item).__name__}.")
                self.store.reject(mapper.model, str(item), error, item, below=above)

    def _parent_of(self, obj: MappedModel, above: MappedModel | None) -> MappedModel | None:
        """The object that a record stands below; None at the top.

        Raises:
            ObjectNotFound: it was not loaded.
        """
        model = self._parents.get(obj.get_type())
        if model is None:
            return None
        if above is not None and type(above) is model:
            return above
        reference = next((found for found in obj._references.values() if found.model == model._modelname), None)
        fields = reference.fields if reference is not None else {name: name for name in model._identifiers}
        return self.get(model, {identifier: getattr(obj, field) for identifier, field in fields.items()})

    def _is_referenced(self, model: type[MappedModel]) -> bool:
        return bool(self.id_key) and model._modelname in self._referenced

    # Writing

    def create_records(
        self, model: type[MappedModel], records: Sequence[tuple[dict[str, Any], dict[str, Any]]]
    ) -> list[Any]:
        """Create records of a model: the object or an exception for each."""
        mapper = self._mapper(model)
        batch = _Batch(len(records))
        for number, (ids, attrs) in enumerate(records):
            batch.prepare(number, ObjectNotCreated, self._payload, mapper, {**ids, **attrs})
        for number, answer in batch.send(lambda payloads: self.send_creates(mapper, payloads)):
            ids, attrs = records[number]
            obj = model.create_base(self, ids, {**attrs, "system_id": answer})
            self._resolver.note(model._modelname, model.create_unique_id(**ids), answer)
            batch.answers[number] = obj
        return batch.answers

    def update_records(
        self, model: type[MappedModel], changes: Sequence[tuple[MappedModel, dict[str, Any]]]
    ) -> list[Any]:
        """Change records of a model: the object or an exception for each."""
        mapper = self._mapper(model)
        batch = _Batch(len(changes))
        for number, (obj, attrs) in enumerate(changes):
            batch.prepare(number, ObjectNotUpdated, self._change, mapper, obj, attrs)
        for number, _ in batch.send(lambda prepared: self.send_updates(mapper, prepared)):
            obj, attrs = changes[number]
            batch.answers[number] = obj.update_base(attrs)
        return batch.answers

    def delete_records(self, model: type[MappedModel], objects: Sequence[MappedModel]) -> list[Any]:
        """Delete records of a model: the object or an exception for each."""
        mapper = self._mapper(model)
        batch = _Batch(len(objects))
        for number, obj in enumerate(objects):
            batch.prepare(number, ObjectNotDeleted, self._change, mapper, obj, {})
        for number, _ in batch.send(lambda prepared: self.send_deletes(mapper, prepared)):
            self._resolver.forget(model._modelname, objects[number].get_unique_id())
            batch.answers[number] = objects[number].delete_base()
        return batch.answers

    def look_up_records(self, model: type[MappedModel], ids: Sequence[dict[str, Any]]) -> Any:
        """The fields that records have in the system now, by their identifiers; None for each that is not there."""
        try:
            records = self.find(self._mapper(model), ids)
        except NotImplementedError:
            return NotImplemented
        return [None if record is None else self._fields_now(model, record) for record in records]

    def _fields_now(self, model: type[MappedModel], record: Record) -> dict[str, Any]:
        fields = self._mapper(model).fields_of(record)
        obj = model(**fields)
        found = obj.get_attrs()
        if self.id_key:
            found["system_id"] = record.get(self.id_key)
        return found

    def _payload(self, mapper: Mapper, values: dict[str, Any], only: Iterable[str] | None = None) -> dict[str, Any]:
        """The system's form of fields: those of references as the ids of the records that they name."""
        names = set(values if only is None else only)
        payload = mapper.payload_of({name: values[name] for name in values if name in names})
        for label, target in mapper.written_references.items():
            reference = _model(mapper)._references[label]
            if not names.isdisjoint(reference.fields.values()):
                self.put_reference(mapper, payload, target, self._resolve(reference, values))
        return payload

    def _resolve(self, reference: Reference, values: Mapping[str, Any]) -> JsonValue:
        identifiers = {identifier: values[field] for identifier, field in reference.fields.items()}
        if all(value is None for value in identifiers.values()):
            return None
        return self._resolver.system_id(self.models[reference.model], identifiers)

    def _change(self, mapper: Mapper, obj: MappedModel, attrs: dict[str, Any]) -> Change:
        identifiers = obj.get_identifiers()
        payload = self._payload(mapper, {**obj.get_attrs(), **identifiers, **attrs}, attrs) if attrs else {}
        return Change(self._key(obj, identifiers), payload, identifiers)

    def _key(self, obj: MappedModel, identifiers: dict[str, Any]) -> JsonValue:
        if not self.id_key:
            return None
        if obj.system_id is not None:
            return obj.system_id
        return self._resolver.system_id(type(obj), identifiers)

    def _find_system_id(self, model: type[MappedModel], identifiers: dict[str, Any]) -> JsonValue:
        """The system's id of a record: from the store, or else from the system."""
        obj = self.get_or_none(model, identifiers)
        if obj is not None and obj.system_id is not None:
            return obj.system_id
        [record] = self.find(self._mapper(model), [identifiers])
        found: JsonValue = None if record is None else record.get(self.id_key)
        return found

    def _mapper(self, model: type[MappedModel]) -> Mapper:
        found = self.mappers.get(model._modelname)
        if found is None:
            raise ValueError(
                f"Adapter {self.name!r} has no `records` for the model {model._modelname!r}, so it can neither read nor write it."
            )
        return found

    # What is declared

    def _bind(self, models: Mapping[str, type[MappedModel]]) -> dict[str, type[MappedModel]]:
        """Make the models the adapter's own; a subclass may have one of the same name in its place."""
        bound = {}
        for name, model in models.items():
            own = getattr(type(self), name, model)
            bound[name] = own
            setattr(self, name, own)
        self.top_level = top_level(bound.values())  # type: ignore[misc]  # an adapter may have one of its own
        return bound

    def _find_nested(self) -> dict[str, list[str]]:
        """Models whose records are lists inside the records of another model, by that model."""
        nested: dict[str, list[str]] = {}
        for name, mapper in self.mappers.items():
            if mapper.mapping.list_path:
                parent = mapper.mapping.parent or (self._parents[name]._modelname if name in self._parents else "")
                if parent not in self.mappers:
                    raise ValueError(
                        f"`records` of {name!r}: `from: {mapper.mapping.source}` is a list inside another record. Name its model as `parent`."
                    )
                nested.setdefault(parent, []).append(name)
        return nested


class _Batch:
    """The answers of one bulk call: what cannot be prepared is refused alone, the rest goes out together."""

    def __init__(self, size: int) -> None:
        self.answers: list[Any] = [None] * size
        self._numbers: list[int] = []
        self._prepared: list[Any] = []

    def prepare(self, number: int, refused: type[Exception], make: Any, *arguments: Any) -> None:
        """Prepare a record; where that fails, its answer is why."""
        try:
            self._prepared.append(make(*arguments))
        except (ValueError, TypeError, UnknownReference) as error:
            self.answers[number] = refused(str(error))
        else:
            self._numbers.append(number)

    def send(self, call: Any) -> Iterator[tuple[int, Answer]]:
        """Make the call; the number and the answer of each record that was done."""
        answers = call(self._prepared) if self._prepared else ()
        for number, answer in zip(self._numbers, answers, strict=True):
            if isinstance(answer, BaseException):
                self.answers[number] = answer
            else:
                yield number, answer


def _classes(models: Mapping[str, Any]) -> Mapping[str, type[MappedModel]]:
    if all(isinstance(model, type) for model in models.values()):
        return models
    return build_models({name: ModelDefinition.model_validate(model) for name, model in models.items()}, MappedModel)


def _model(mapper: Mapper) -> type[MappedModel]:
    return cast("type[MappedModel]", mapper.model)
