"""MappedAdapter: the base class of the ready adapters, with declared models and record mappings.

A subclass talks to one kind of system: it reads and sends records. MappedAdapter does the rest: mapping, rejects, references,
children, and the answers of bulk calls.

    class WikiAdapter(MappedAdapter):
        class Settings(AdapterSettings):
            url: str

        def read(self, mapper): ...                          # records of a model
        def send_creates(self, mapper, payloads): ...        # one system id or exception for each
        def send_updates(self, mapper, changes): ...
        def send_deletes(self, mapper, changes): ...
        def find(self, mapper, identifiers): ...             # records by their identifiers, for lost answers and references
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from diffsync_store.adapter import Adapter
from diffsync_store.adapters.mapped_model import MappedModel
from diffsync_store.adapters.model_classes import bound_models, model_variant, with_models
from diffsync_store.adapters.rehearsal import RecordRehearsal, TimeLeft
from diffsync_store.adapters.resolver import Resolver
from diffsync_store.adapters.secrets import secret_names
from diffsync_store.adapters.shard_checks import Cutting, require_fitting_shards
from diffsync_store.adapters.shards import AUTO, NULL, SHARDS, Cut, Part, Scalar, WrongShards, names_of, parts_of
from diffsync_store.adapters.writing import Answer, Change, RecordWriter
from diffsync_store.exceptions import (
    ObjectAlreadyExists,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectStoreException,
    ObjectStoreWrongType,
)
from diffsync_store.hooks import RehearsedOperation
from diffsync_store.mapping.models import DeclaredModel, ModelDefinition, Reference, build_models
from diffsync_store.mapping.paths import PARENT, Record, compile_setter
from diffsync_store.mapping.records import FieldMapping, Mapper, RecordMapping
from diffsync_store.store.base import BaseStore

_OF_RECORD = (ObjectNotFound, ObjectAlreadyExists, ObjectNotStorable, ObjectStoreWrongType)
"""Errors of a store that one record causes. All others end the load."""

MOST_HELD = 50_000
"""Parents and distinct objects that a load keeps in memory, so that it does not ask the store for each record."""

__all__ = ["AdapterSettings", "Answer", "Change", "MappedAdapter", "MappedModel"]


class AdapterSettings(BaseModel):
    """The settings of an adapter. A subclass declares its own; an unknown setting is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)


class MappedAdapter(Adapter):
    """An adapter with declared models and record mappings. One thread loads; several may write.

    A model that a subclass has as a class variable replaces the declared model or extends it: see
    `diffsync_store.adapters.model_classes`.

    Args:
        settings: how the adapter reaches its system, as an object or as data.
        models: the model definitions, or the classes that both sides of a sync share.
        records: the record mapping of each model. A model without one is neither read nor compared.
        name: name of the adapter.
        internal_storage_engine: the store of its objects.
        shards: the shards in which the system can be loaded, as in a file: `auto`, names, or the values of each by its name.

    Raises:
        ValueError: a mapping does not fit its model, or a model has a name that the adapter needs.
        WrongShards: the shards do not fit the mappings.
    """

    Settings: ClassVar[type[AdapterSettings]] = AdapterSettings
    Records: ClassVar[type[RecordMapping]] = RecordMapping
    """The class of record mappings. A subclass may have more keys."""
    id_key: ClassVar[str] = ""
    """The key of a record that contains its system id; empty if the system has no ids."""
    added: ClassVar[frozenset[str]] = frozenset()
    """The names that the adapter adds to its records, without the `$`: `file` for paths such as `$file.stem`."""
    shard_is: ClassVar[str] = ""
    """What `shard` of a model's records names, such as `a column`; empty if the records cannot be cut by a value."""
    cut_things: ClassVar[str] = "records"  # a plural that ends with s
    """What `count_outside` counts."""
    has_shard_ranges: ClassVar[bool] = False
    """Whether a shard can be a range of values."""
    _cut: Cut | None = None
    """The shard that is being loaded; None for the whole system."""
    _together: Sequence[Mapper] = ()
    """The mappings that are being read."""
    _time_left: TimeLeft | None = None
    """The time that is left for the rehearsal that goes on."""
    records_per_call: int = 0
    """The most records in one call of `send_creates`, `send_updates` and `send_deletes`; 0 for no limit."""

    def __init__(
        self,
        settings: AdapterSettings | Mapping[str, Any],
        models: Mapping[str, ModelDefinition] | Mapping[str, type[MappedModel]],
        records: Mapping[str, RecordMapping | Mapping[str, Any]],
        *,
        name: str | None = None,
        internal_storage_engine: type[BaseStore] | BaseStore | None = None,
        shards: str | Sequence[str] | Mapping[str, Any] = (),
    ) -> None:
        options = {} if internal_storage_engine is None else {"internal_storage_engine": internal_storage_engine}
        super().__init__(name, **options)
        self.settings = settings if isinstance(settings, AdapterSettings) else self.Settings.model_validate(settings)
        self.models = bound_models(type(self), _classes(models), MappedModel)
        _require_models(records, self.models)
        self._parents = {child: model for model in self.models.values() for child in model._children}
        mappings = {model: self.Records.model_validate(records[model]) for model in self.models if model in records}
        self._nested = self._find_nested(mappings)
        self.mappers = {
            model: self.make_mapper(self.models[model], self._completed(model, mapping))
            for model, mapping in mappings.items()
        }
        self._bind()
        self._referenced = {found.model for model in self.models.values() for found in model._references.values()}
        self._resolver = Resolver(self._find_system_ids)
        self._writer = RecordWriter(self, self._resolver)
        self._rehearsal = RecordRehearsal(self, self._resolver, self._writer)
        self._start_counting()
        self._declared_shards = SHARDS.validate_python(shards) if shards else ()
        self._check_shards()

    # What a subclass provides

    def read(self, mapper: Mapper) -> Iterable[Record]:
        """Return the records of a model, best as a generator."""
        raise NotImplementedError(f"{type(self).__name__} does not read records.")

    def read_key(self, mapper: Mapper) -> Any:
        """Return a key of what a model reads. Models with the same key are read together; None if a model is read alone."""
        return None

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        """Create records. Return a system id or an exception for each, in the same order.

        Raises:
            Exception: the system did nothing. After a transient exception or `OutcomeUnknown`, the outcome is unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        """Change records. Return None or an exception for each. Raises as `send_creates`."""
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        """Delete records. Return None or an exception for each. A record that is already gone counts as deleted. Raises as `send_creates`."""
        raise NotImplementedError(f"{type(self).__name__} does not write records.")

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        """Return the current record for each of these identifiers; None for a record that does not exist."""
        raise NotImplementedError(f"{type(self).__name__} does not look up records.")

    def find_ids(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[JsonValue]:
        """Return the system id for each of these identifiers; None for a record that does not exist, `Several` for several records."""
        return [None if record is None else record.get(self.id_key) for record in self.find(mapper, identifiers)]

    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None:
        """Write the id of a referenced record into a payload."""
        compile_setter(target)(payload, system_id)

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        """Return the compiled mapping of a model."""
        return Mapper(model, mapping)

    def shard_values(self, mapper: Mapper) -> Iterable[Scalar]:
        """Return the values that `shard` of a model has in the system, in order; for `shards: auto`.

        Raises:
            WrongShards: the adapter cannot list them.
        """
        raise WrongShards(
            f"{type(self).__name__} cannot list the values of {mapper.mapping.shard!r}. List the shards in the file."
        )

    def shard_is_field(self) -> bool:
        """Whether a `shard` that is the path of a field selects exactly the records with this value of the field."""
        return False

    def count_outside(self, mapper: Mapper, parts: Sequence[Part]) -> int | None:
        """Return how many records of a model are in none of the shards; None if the system does not say it."""
        return None

    # Loading

    def load(self) -> None:
        """Read all records into the store. A record that does not fit its model is rejected, and the load goes on."""
        self._start_counting()
        self._resolver.clear()
        for group in self._groups():
            self._together = group
            with _ending(self.read(group[0])) as records:
                for record in records:
                    for mapper in group:
                        self._take(mapper, record, None)
            for mapper in group:
                self._expect_taken(mapper.model._modelname)
                self._require_covered(mapper)
        self._together = []
        self._held.clear()

    def _groups(self) -> list[list[Mapper]]:
        """Return the mappings to read, in order; those that are read from the same records together.

        All but the last of a group take something of each record, so that a record finds what it stands below.
        """
        nested = {model for models in self._nested.values() for model in models}
        groups: list[list[Mapper]] = []
        for model, mapper in self.mappers.items():
            if model in nested or mapper.mapping.lookup_only or not self._is_in_shard(mapper):
                continue
            key = self.read_key(mapper)
            last = groups[-1] if groups else []
            takes_each = all(one.mapping.distinct and one.where is None for one in last)
            if last and takes_each and key is not None and key == self.read_key(last[0]):
                last.append(mapper)
            else:
                groups.append([mapper])
        return groups

    # Shards

    def shards(self) -> Mapping[str, Any]:
        """Return the shards; of `auto` those that the system has now.

        Without `shard` in any records, each top-level model is a shard, with all models below it.
        """
        names = self._shard_names()
        parts = parts_of(self._declared_shards or names, names)
        return {name: self._below(Cut(name, parts)) for name in names}

    def _shard_names(self) -> Sequence[str]:
        if self._declared_shards != AUTO:
            return list(self._declared_shards)
        cut = [mapper for mapper in self.mappers.values() if mapper.mapping.shard]
        return names_of([list(self.shard_values(mapper)) for mapper in cut]) or [NULL] if cut else self.top_level

    def _below(self, cut: Cut) -> list[tuple[str, str]]:
        """Return the objects below which all records of a shard are, where the values of `shard` are their identifiers."""
        keys: list[tuple[str, str]] = []
        for name in self.top_level:
            mapper = self.mappers[name]
            if not mapper.mapping.shard and not cut.has_model(name):
                continue
            if not (self.shard_is_field() and _is_identifier(mapper)) or cut.part.is_range or None in cut.part.values:
                return []
            [identifier] = mapper.model._identifiers
            keys += [(name, mapper.model.create_unique_id(**{identifier: value})) for value in cut.part.values]
        return keys

    def load_shard(self, name: str, of: Sequence[str]) -> None:
        """Read the records of one shard into the store. The first shard reports records that are in no shard."""
        if name not in of:
            raise WrongShards(f"There is no shard {name!r}. Shards are {', '.join(of)}.")
        self._cut = Cut(name, parts_of(self._declared_shards or of, of))
        try:
            self.load()
        finally:
            self._cut = None

    def part_of(self, mapper: Mapper) -> Part | None:
        """Return which records of a model to read; None for all."""
        return self._cut.part if self._cut is not None and mapper.mapping.shard else None

    def _check_shards(self) -> None:
        nested = {below for models in self._nested.values() for below in models}
        parents = {
            child: parent._modelname
            for child, parent in self._parents.items()
            if child in self.mappers and child not in nested
        }
        require_fitting_shards(
            self._declared_shards,
            Cutting(type(self).__name__, bool(self.shard_is), self.has_shard_ranges),
            {name: mapper.mapping for name, mapper in self.mappers.items()},
            self.top_level,
            parents,
        )

    def _is_in_shard(self, mapper: Mapper) -> bool:
        if self._cut is None or mapper.mapping.shard:
            return True
        model = _model(mapper)
        while model._modelname in self._parents:
            model = self._parents[model._modelname]
        return self._cut.has_model(model._modelname)

    def _require_covered(self, mapper: Mapper) -> None:
        """Report records that are in no shard: the sum of the shards would lack them."""
        if self._cut is None or not self._cut.is_first or not mapper.mapping.shard:
            return
        number = self.count_outside(mapper, [*self._cut.parts.values()])
        if number:
            names = ", ".join(self._cut.parts)
            are, them = (f"{self.cut_things[:-1]} is", "it") if number == 1 else (f"{self.cut_things} are", "them")
            reason = (
                f"By {mapper.mapping.shard!r}, {number} {are} in none of the shards {names}. Add {them} to a shard."
            )
            self.incomplete(mapper.model, reason)

    def expect(self, model: str | type[Any], count: int, *, at_least: bool = False) -> None:
        """Declare how many records of a model the system has; those that the mapping leaves out are subtracted."""
        name = model if isinstance(model, str) else model.get_type()
        self._expected[name] = count, at_least
        super().expect(model, max(count - self._left_out[name], 0), at_least=at_least)

    def _start_counting(self) -> None:
        self._expected: dict[str, tuple[int, bool]] = {}
        self._left_out: Counter[str] = Counter()
        """Records that `where` leaves out, and repetitions of `distinct` ones."""
        self._held: dict[tuple[str, str], MappedModel] = {}
        self._holds_all = True
        self._together = []

    def _expect_taken(self, model: str) -> None:
        if self._left_out[model] and model in self._expected:
            count, at_least = self._expected[model]
            self.expect(model, count, at_least=at_least)

    def _take(self, mapper: Mapper, record: Record, above: MappedModel | None) -> None:
        """Add one record, and the records in the lists inside it."""
        model = _model(mapper)
        try:
            if mapper.where is not None and not mapper.where(record, above):
                self._left_out[model._modelname] += 1
                return
            obj = self._add(mapper, record, above)
        except Exception as error:  # transforms and validators of own classes may raise anything
            if isinstance(error, ObjectStoreException) and not isinstance(error, _OF_RECORD):
                raise
            self._reject(mapper, record, above, error)
            return
        for name in self._nested.get(model._modelname, ()):
            self._take_list(self.mappers[name], record, obj)

    def _add(self, mapper: Mapper, record: Record, above: MappedModel | None) -> MappedModel:
        model = _model(mapper)
        obj = model(**mapper.fields_of(record, above))
        if self.id_key:
            obj.__dict__["system_id"] = record.get(self.id_key)
        if mapper.mapping.distinct:
            known = self._known(model, obj.get_unique_id())
            if known is not None:
                _require_equal(known, obj)
                self._left_out[model._modelname] += 1
                return known
        parent = self._parent_of(obj, above)
        self.add(obj)
        if parent is not None:
            parent.add_child(obj)
        if model._children or mapper.mapping.distinct:
            self._hold(obj)
        if self.id_key and model._modelname in self._referenced:
            self._resolver.note(model._modelname, obj.get_unique_id(), obj.system_id)
        return obj

    def _reject(self, mapper: Mapper, record: Any, above: MappedModel | None, error: Exception) -> None:
        """Count a record as rejected. What its lists hold is missing too."""
        if not isinstance(record, Mapping):
            error = TypeError(f"A record must be a mapping, not {type(record).__name__}.")
            self.store.reject(mapper.model, str(record), error, record, below=above)
            return
        key = self._name_of(mapper, record, above)
        below: Any = above
        if isinstance(error, ObjectAlreadyExists):  # the object is there: only what stands below it may be missing
            below = mapper.model, mapper.unique_id_of(record, above)
            error = self._about_duplicate(mapper, record, error)
        self.store.reject(mapper.model, key, error, dict(record), below=below)
        waiting = list(self._nested.get(mapper.model._modelname, ()))
        for name in waiting:
            self.incomplete(
                name, f"{mapper.model._modelname} {key} was rejected, with the records inside it", below=below
            )
            waiting += self._nested.get(name, ())

    def _name_of(self, mapper: Mapper, record: Record, above: MappedModel | None) -> str:
        """What a person finds a rejected record by; a subclass may name the place of one without identifiers."""
        return mapper.key_of(record, above)

    def _about_duplicate(self, mapper: Mapper, record: Record, error: Exception) -> Exception:
        """Return the error for a second record with the same identifiers. A subclass may add where both records are."""
        return error

    def _take_list(self, mapper: Mapper, record: Record, above: MappedModel) -> None:
        items = mapper.list_of(record)
        if items is None:
            return
        if not isinstance(items, list):
            reason = f"`{mapper.mapping.source}` is not a list in {above.get_type()} {above}"
            self.incomplete(mapper.model, reason, below=above)
            return
        for item in items:
            self._take(mapper, item, above)

    def _parent_of(self, obj: MappedModel, above: MappedModel | None) -> MappedModel | None:
        """Return the parent of an object; None for a top-level object.

        Raises:
            ObjectNotFound: it was not loaded.
        """
        model = self._parents.get(obj.get_type())
        if model is None:
            return None
        if above is not None and type(above) is model:
            return above
        fields = _parent_fields(type(obj), model)
        uid = model.create_unique_id(**{identifier: getattr(obj, field) for identifier, field in fields.items()})
        found = self._known(model, uid)
        if found is None:
            raise ObjectNotFound(f"The parent {model._modelname} {uid!r} was not loaded.")
        return found

    def _known(self, model: type[MappedModel], uid: str) -> MappedModel | None:
        """Return an object that this load has added already."""
        found = self._held.get((model._modelname, uid))
        if found is None and not self._holds_all:
            found = self.get_or_none(model, uid)
            if found is not None:
                self._hold(found)
        return found

    def _hold(self, obj: MappedModel) -> None:
        """Keep an object in memory: the store would read it again for each record below it."""
        self._held[obj._modelname, obj.get_unique_id()] = obj
        if len(self._held) > MOST_HELD:
            self._holds_all = False
            del self._held[next(iter(self._held))]

    # Writing

    def create_records(
        self, model: type[MappedModel], records: Sequence[tuple[dict[str, Any], dict[str, Any]]]
    ) -> list[Any]:
        """Create records of a model. Return the object or an exception for each."""
        return self._writer.create(self._mapper(model), model, records)

    def update_records(
        self, model: type[MappedModel], changes: Sequence[tuple[MappedModel, dict[str, Any]]]
    ) -> list[Any]:
        """Change records of a model. Return the object or an exception for each."""
        return self._writer.update(self._mapper(model), changes)

    def delete_records(self, model: type[MappedModel], objects: Sequence[MappedModel]) -> list[Any]:
        """Delete records of a model. Return the object or an exception for each."""
        return self._writer.delete(self._mapper(model), objects)

    def rehearse_within(self, time_left: TimeLeft) -> None:
        """Take the function that the next rehearsal calls before each request or statement; it raises when the time is up."""
        self._time_left = time_left

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Look up what the system has now; at the end, forget the records that were created in the rehearsal."""
        self._resolver.clear()
        try:
            yield
        finally:
            self._resolver.clear()
            self._time_left = None

    def rehearse_many(self, operations: Sequence[RehearsedOperation]) -> list[Exception | None]:
        """Check operations of one model and action: by the model, the mapping, the system's records, and `check_payloads`."""
        return self._rehearsal.run(self._mapper(operations[0].model), operations, self.check_payloads)

    def check_payloads(self, mapper: Mapper, action: str, payloads: Sequence[Any]) -> Sequence[Exception | None]:
        """Return why the system would refuse each payload, as far as it says so without a write; None if it does not.

        Args:
            mapper: the mapper of the model.
            action: `create`, `update` or `delete`.
            payloads: what `send_creates`, `send_updates` or `send_deletes` would get.
        """
        return [None] * len(payloads)

    def look_up_records(self, model: type[MappedModel], ids: Sequence[dict[str, Any]]) -> Any:
        """Return the current fields of each record, in the order of the identifiers; None for a record that does not exist.

        Fields that are not written are left out: a record is as expected whatever they are.
        """
        mapper = self._mapper(model)
        try:
            records = self.find(mapper, ids)
        except NotImplementedError:
            return NotImplemented
        return [None if record is None else self._fields_now(mapper, record) for record in records]

    def _fields_now(self, mapper: Mapper, record: Record) -> dict[str, Any]:
        obj = mapper.model(**mapper.fields_of(record))
        found = {name: value for name, value in obj.get_attrs().items() if name not in mapper.unwritten}
        if self.id_key:
            found["system_id"] = record.get(self.id_key)
        return found

    def _resolve(self, reference: Reference, values: Mapping[str, Any]) -> JsonValue:
        """Return the system id of the record that these values name.

        Raises:
            UnknownReference: the system has no such record.
        """
        identifiers = {identifier: values[field] for identifier, field in reference.fields.items()}
        if all(value is None for value in identifiers.values()):
            return None
        return self._resolver.system_id(self.models[reference.model], identifiers)

    def _find_system_ids(
        self, model: type[MappedModel], identifiers: Sequence[dict[str, Any]], *, from_system: bool
    ) -> list[JsonValue]:
        """Return the system ids of records, from the store or else from the system, as `find_ids` does."""
        uids = [model.create_unique_id(**ids) for ids in identifiers]
        found = {} if from_system else self._stored_ids(model, uids)
        missing = [(uid, ids) for uid, ids in zip(uids, identifiers, strict=True) if found.get(uid) is None]
        if missing and model._modelname in self.mappers:
            mapper = self._mapper(model)
            wanted = [(uid, ids) for uid, ids in missing if not self._rehearsal.names_rehearsed(mapper, ids)]
            try:
                system_ids = self.find_ids(mapper, [ids for _, ids in wanted]) if wanted else []
            except NotImplementedError:
                return [(found or self._stored_ids(model, uids)).get(uid) for uid in uids]
            found |= {uid: system_id for (uid, _), system_id in zip(wanted, system_ids, strict=True)}
        return [found.get(uid) for uid in uids]

    def _stored_ids(self, model: type[MappedModel], uids: Sequence[str]) -> dict[str, JsonValue]:
        return {
            uid: getattr(obj, "system_id", None) for uid, obj in self.store.fetch(model._modelname, list(uids)).items()
        }

    def _mapper(self, model: type[MappedModel]) -> Mapper:
        found = self.mappers.get(model._modelname)
        if found is None:
            raise ValueError(
                f"Adapter {self.name!r} has no `records` for the model {model._modelname!r}, so it can neither read nor write it."
            )
        return found

    # What is declared

    def _bind(self) -> None:
        """Make the models class variables of a class of this adapter alone, without the child models that it does not read."""
        loaded = [name for name, mapper in self.mappers.items() if not mapper.mapping.lookup_only]
        for name, mapper in self.mappers.items():
            mapper.model = self.models[name] = model_variant(self.models[name], loaded, mapper.left_alone)
        self._parents = {child: model for model in self.models.values() for child in model._children}
        for name in loaded:
            self._check_parent(name)
        tops = [name for name in loaded if name not in self._parents]
        self.__class__ = with_models(type(self), self.models, tops)

    def _check_parent(self, name: str) -> None:
        """Check that a record's parent can be found.

        Raises:
            ValueError: no field names it.
        """
        parent = self._parents.get(name)
        is_inside = parent is not None and name in self._nested.get(parent._modelname, ())
        if parent is not None and not is_inside:
            _parent_fields(self.models[name], parent)

    def _find_nested(self, mappings: Mapping[str, RecordMapping]) -> dict[str, list[str]]:
        """Return, for each model, the models whose records are lists inside its records."""
        nested: dict[str, list[str]] = {}
        for name, mapping in mappings.items():
            if mapping.list_path:
                parent = mapping.parent or (self._parents[name]._modelname if name in self._parents else "")
                if parent not in mappings:
                    raise ValueError(
                        f"`records` of {name!r}: `from: {mapping.source}` is a list inside another record. Name its model as `parent`."
                    )
                nested.setdefault(parent, []).append(name)
        return nested

    def _completed(self, name: str, mapping: RecordMapping) -> RecordMapping:
        """Return the mapping of a model, with the fields that come from the record around its list."""
        holder = next((parent for parent, below in self._nested.items() if name in below), None)
        self._check_added(name, mapping, None if holder is None else self.models[holder])
        references = self.models[name]._references.values()
        inside = next((found.fields for found in references if found.model == holder), {})
        own = {
            field: FieldMapping(path=f"{PARENT}{identifier}")
            for identifier, field in inside.items()
            if field not in mapping.fields
        }
        return mapping.model_copy(update={"fields": {**mapping.fields, **own}}) if own else mapping

    def _check_added(self, name: str, mapping: RecordMapping, holder: type[MappedModel] | None) -> None:
        """Check the paths that begin with `$`.

        Raises:
            ValueError: the adapter adds no such thing, or the parent has no such field.
        """
        for field, found in mapping.fields.items():
            where = f"`records` of {name!r}: the path {found.path!r} of {field!r}"
            if found.path.startswith(PARENT):
                if holder is None:
                    raise ValueError(f"{where} needs a parent. Only records of a list inside another record have one.")
                if found.path.removeprefix(PARENT) not in holder.model_fields:
                    raise ValueError(f"{where}: {holder._modelname!r} has no such field.")
            elif found.path.startswith("$") and found.path[1:].split(".")[0] not in self.added:
                known = "".join(f"`${one}.…`, " for one in sorted(self.added)) + "`$parent.FIELD`"
                raise ValueError(
                    f"{where} is unknown: {type(self).__name__} adds no such name to records. Use {known}."
                )


@contextmanager
def _ending(records: Iterable[Record]) -> Iterator[Iterable[Record]]:
    """End a read also if the load is interrupted: it may hold a connection or a cursor."""
    try:
        yield records
    finally:
        if isinstance(records, Generator):
            records.close()


def _is_identifier(mapper: Mapper) -> bool:
    """Whether `shard` is the path of the model's only identifier, whose value is as it is in the system."""
    if len(mapper.model._identifiers) != 1:
        return False
    [name] = mapper.model._identifiers
    field = mapper.mapping.fields.get(name, FieldMapping())
    return (field.path or name) == mapper.mapping.shard and not (field.transforms or field.map or field.default)


def _classes(models: Mapping[str, Any]) -> Mapping[str, type[MappedModel]]:
    if all(isinstance(model, type) for model in models.values()):
        return models
    return build_models({name: ModelDefinition.model_validate(model) for name, model in models.items()}, MappedModel)


def _require_models(records: Mapping[str, Any], models: Mapping[str, Any]) -> None:
    unknown = sorted(records.keys() - models.keys())
    if unknown:
        raise ValueError(
            f"`records` names {', '.join(map(repr, unknown))}, which is not a model. Models are {', '.join(models)}."
        )


@lru_cache(maxsize=256)
def _parent_fields(model: type[DeclaredModel], parent: type[DeclaredModel]) -> Mapping[str, str]:
    """Return the field of a record for each identifier of the parent.

    Raises:
        ValueError: there is none.
    """
    reference = next((found for found in model._references.values() if found.model == parent._modelname), None)
    if reference is not None:
        fields = reference.fields
    elif len(parent._identifiers) == 1 and parent._modelname in model.model_fields:
        fields = {parent._identifiers[0]: parent._modelname}
    else:
        fields = {name: name for name in parent._identifiers}
    missing = [identifier for identifier, field in fields.items() if field not in model.model_fields]
    if missing:
        raise ValueError(
            f"Model {model._modelname!r} is a child of {parent._modelname!r}, but has no field for its {missing[0]!r}. Add a field of "
            f"this name, or `references: {{FIELD: {parent._modelname}}}`."
        )
    return fields


def _require_equal(known: Any, obj: MappedModel) -> None:
    """Check that a record that is there already has the same attributes.

    Raises:
        ObjectAlreadyExists: it has others.
    """
    first, second = known.get_attrs(), obj.get_attrs()
    differing = [name for name, value in second.items() if first[name] != value]
    if differing:
        secrets = secret_names(type(obj))
        texts = ", ".join(
            f"{name} differs"
            if name in secrets
            else f"{name} is {first[name]!r} in one and {second[name]!r} in another"
            for name in differing
        )
        raise ObjectAlreadyExists(
            f"Records of the same {obj.get_type()} contradict each other: {texts}. The first one counts.", known
        )


def _model(mapper: Mapper) -> type[MappedModel]:
    return cast("type[MappedModel]", mapper.model)
