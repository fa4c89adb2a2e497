"""What every store does, written once over the few primitives that a technology has to provide."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar, overload

import structlog

from diffsync_store._object_store import ObjectStore
from diffsync_store.enum import StoreState
from diffsync_store.exceptions import (
    ObjectNotFound,
    ObjectStoreWrongType,
    StoreInUse,
    StoreNotComplete,
    StoreReloaded,
)
from diffsync_store.introspection.model_classes import CONTENT, is_overridden, overrides
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.diffsync_errors import error_class
from diffsync_store.store.load_report import LoadReport, ObjectKey, Rejecting, summary
from diffsync_store.store.primitives import Primitives, StoreOwner
from diffsync_store.store.record import StoreRecord

M = TypeVar("M", bound="DiffSyncModel")
S = TypeVar("S", bound="BaseStore")
P = ParamSpec("P")
T = TypeVar("T")

_REMEDIES = {
    StoreState.LOADING: "Wait for the load to end; if it is no longer running, load the store again.",
    StoreState.PARTIAL: "Load the store again. Or compare with guards=Guards(): then only what the gaps put in doubt is suppressed.",
    StoreState.FAILED: "Mend the cause. Load the store again.",
}


def synchronized(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """A method of a store that is done as a whole before another thread does anything with the store."""

    @wraps(method)
    def run(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with store._store_lock:
            return method(store, *args, **kwargs)

    return run


class BaseStore(Primitives, ObjectStore):
    """Where an adapter's objects live. Any number of threads may use one store at once.

    Each call is done as a whole before the next one of another thread, but for iterating, which goes on as the store changes.
    What an `add` or `update` that has returned has taken in is in the store, whoever adds at the same time.

    Objects that the program holds are live: the same object comes back from `get`, and what is changed on it is in the
    store at the latest when the store is flushed.

    A store of a program's own extends this and has diffsync's methods: `get_all_model_names`, `get`, `get_all`,
    `get_by_uids`, `add`, `update`, `remove_item`, `count`.
    """

    keeps_digests: bool = False
    """Digests are ready before they are asked for, so that reading them is cheaper than reading objects."""

    _loaded_by: int | None = None
    """The process that is in `loading()`."""

    if TYPE_CHECKING:
        _store_lock: Any  # Held for as long as a call is at work in the store.

    fencing_token: int | None = None
    """Grows with every lease given out on the store; None where it is written under no lease."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        store = super().__new__(cls)
        store._store_lock = RLock()
        return store

    def __init__(self, *args: Any, adapter: StoreOwner | None = None, name: str = "") -> None:
        super().__init__()
        self.adapter = adapter
        self.name = name or type(self).__name__
        self._load_report = LoadReport()

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_store_lock", "_loaded_by"}}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def overrides(self, *names: str) -> bool:
        """Whether the store has a way of its own for one of the methods that all stores share."""
        return is_overridden(self, BaseStore, names)

    def flush(self) -> None:
        """Write everything that is pending, changes in place included."""

    def close(self) -> None:
        """Flush, and release what the store has opened."""

    # Lifecycle

    @property
    def state(self) -> StoreState:
        """How far the store's load came."""
        return self.record().state

    @contextmanager
    def loading(self, *, redact: Callable[[str], str] = str) -> Iterator[Self]:
        """Fill the store again: empty it, and mark it by how the block ends.

        It is complete if the block ends; partial if records were rejected, a model was said to be incomplete, or there
        are not as many objects as were expected; failed if the block raises. What other threads add while it ends is in the
        store too. A child process that was forked in the block, and leaves it, only flushes.

        Args:
            redact: takes secrets out of what is kept of rejected records.

        Raises:
            StoreInUse: it is being loaded already; another live process is writing to it; or a diff was made of it that is
                approved or being applied. Nothing was emptied.
        """
        process = os.getpid()
        with self._store_lock:
            if self._loaded_by == process:
                raise StoreInUse(
                    f"Store {self} is being loaded already, in this process: nothing was emptied. Let one thread enter "
                    "`loading()`; the others only add."
                )
            report, self._load_report = self._load_report, LoadReport(redact)
            try:
                self._start_load()
            except BaseException:
                self._load_report = report
                raise
            self._loaded_by = process
        try:
            yield self
            if os.getpid() != process:
                self.flush()
                return
            with self._store_lock:
                gaps = self._load_report.gaps(self._counts() if self._load_report.expected() else None)
                self.mark(StoreState.PARTIAL if gaps else StoreState.COMPLETE, summary(gaps), gaps=gaps)
        except BaseException as error:
            if os.getpid() != process:
                self.flush()
                raise
            try:
                self.mark(StoreState.FAILED, self._load_report.failure(error), gaps=self._load_report.gaps(None))
            except Exception as second:  # noqa: BLE001  # the load's own error is the one to see
                error.add_note(f"The store could not be marked as failed either: {second}")
            raise
        finally:
            if self._loaded_by == process:
                self._loaded_by = None

    def rejecting(
        self,
        model: str | type[DiffSyncModel],
        what: Any,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> Rejecting:
        """Take in one record of a load; if the block raises, count the record as rejected and go on.

        What the block did before it raised stands. Troubles of the store itself are not taken for the record's.

        Args:
            model: the model that the record would have become an object of.
            what: the record's key, by which a person finds it.
            payload: the record; it is kept cut to 2,000 characters, with what stands under names of secrets masked.
            below: the object that the record would have stood below, at any depth, or its model and unique id: guards then
                suppress operations below it, not those of the whole model.
        """
        model_class, name = self._get_object_class_and_model(model)
        return Rejecting(self._load_report, name, what, payload, model_class, below=self._object_key(below))

    def reject(
        self,
        model: str | type[DiffSyncModel],
        what: Any,
        error: Exception,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Count a record of a load that could not be taken; as `rejecting`, for an error that was caught already."""
        model_class, name = self._get_object_class_and_model(model)
        self._load_report.reject(name, what, error, payload, model_class, below=self._object_key(below))

    def incomplete(
        self,
        model: str | type[DiffSyncModel],
        reason: str,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Say of a load that it lacks records of a model, though nothing raised; of those `below` an object, or of all."""
        self._load_report.incomplete(self._get_object_class_and_model(model)[1], reason, self._object_key(below))

    def _object_key(self, below: Any) -> ObjectKey | None:
        """Model and unique id of an object, given as it is or by these.

        Raises:
            ObjectStoreWrongType: it is given in another way.
        """
        if below is None:
            return None
        if isinstance(below, tuple) and len(below) == 2:  # model and unique id
            model_class, name = self._get_object_class_and_model(below[0])
            return name, self._get_uid(below[0], model_class, below[1])
        if not hasattr(below, "get_unique_id"):
            self._raise(
                ObjectStoreWrongType,
                f"`below` is an object, or a pair of model and unique id, not {type(below).__name__}: {below!r}",
            )
        return below.get_type(), below.get_unique_id()

    def expect(self, model: str | type[DiffSyncModel], count: int, *, at_least: bool = False) -> None:
        """Say of a load how many records of a model the system has, exactly or at the least; the last word counts.

        Raises:
            ValueError: the count is not a whole number from 0 on.
        """
        self._load_report.expect(self._get_object_class_and_model(model)[1], count, at_least=at_least)

    def expected(self) -> dict[str, int]:
        """How many records of which models the load that goes on here has said it expects."""
        return self._load_report.expected()

    def require_loaded(self) -> StoreRecord:
        """The record of a store whose load ended: it is complete, or partial and says so.

        Raises:
            StoreNotFound: there is no such store.
            StoreNotComplete: its load is under way, died or failed.
        """
        record = self.record()
        return record if record.state is StoreState.PARTIAL else self.require_complete()

    def require_complete(self) -> StoreRecord:
        """The record of a store whose load ended and lacks nothing.

        Raises:
            StoreNotFound: there is no such store.
            StoreNotComplete: its load is under way, died, failed or knows that something is missing.
        """
        record = self.record()
        if record.state is StoreState.COMPLETE:
            return record
        told = f": {record.reason}" if record.reason else ""
        raise StoreNotComplete(
            f"{_named(record)} is {record.state.value}, not complete{told}. "
            f"Last written {record.updated:%Y-%m-%d %H:%M:%S} UTC by {record.writer}, "
            f"{sum(record.counts.values())} objects. {_REMEDIES[record.state]}",
            record,
        )

    def require_load(self, generation: str) -> StoreRecord:
        """The record of a loaded store whose content is still that of this generation.

        Raises:
            StoreReloaded: the store was loaded again since.
            StoreNotFound, StoreNotComplete: as for `require_loaded`.
        """
        record = self.require_loaded()
        _require_generation(record, generation)
        return record

    def load_version(self) -> tuple[str, str]:
        """Generation and state of the load that a reader sees now."""
        return self._load_status.generation, self._load_status.state.value

    def require_load_version(self, seen: tuple[str, str]) -> None:
        """Refuse a store whose load has ended, or that was loaded again, since a reader saw this.

        Raises:
            StoreReloaded: it is so.
        """
        if self.load_version() != seen:
            record = self.record()
            _require_generation(record, seen[0])
            raise StoreReloaded(
                f"{_named(record)} was {seen[1]} when the diff was made, and is {record.state.value} now: the diff has not seen "
                "all of its load. Make a new diff, and look at it."
            )

    def require_same_load(self, before: StoreRecord) -> None:
        """Refuse a store that was loaded again since it had this record, also by a load that has not ended.

        Raises:
            StoreReloaded: it was.
            StoreNotFound: it was dropped, or has expired.
        """
        _require_generation(self.record(), before.generation)

    # Reading

    def get_all_model_names(self) -> set[str]:
        """Names of the models that the store has objects of."""
        return set(self._counts())

    @overload
    def get(self, *, model: type[M] | M, identifier: str | Mapping[str, Any]) -> M: ...
    @overload
    def get(self, *, model: str, identifier: str | Mapping[str, Any]) -> Any: ...
    def get(self, *, model: Any, identifier: Any) -> Any:
        """The object with this unique id, or these identifiers.

        Raises:
            ObjectNotFound: there is none.
            ValueError: identifiers in a dict were given with the name of a model that the adapter does not know.
        """
        model_class, name = self._get_object_class_and_model(model)
        uid = self._get_uid(model, model_class, identifier)
        obj = self._get(name, model_class, uid)
        if obj is None:
            self._raise(ObjectNotFound, f"{name} {uid} not present in {self}")
        return obj

    @overload
    def get_all(self, *, model: type[M] | M) -> list[M]: ...
    @overload
    def get_all(self, *, model: str) -> list[Any]: ...
    def get_all(self, *, model: Any) -> list[Any]:
        """All objects of a model in order of insertion."""
        return list(self.iter_all(model=model))

    @overload
    def iter_all(self, *, model: type[M] | M) -> Iterator[M]: ...
    @overload
    def iter_all(self, *, model: str) -> Iterator[Any]: ...
    def iter_all(self, *, model: Any) -> Iterator[Any]:
        """All objects of a model in order of insertion, one after the other: those that the program released take no memory."""
        model_class, name = self._get_object_class_and_model(model)
        return self._iterate(name, model_class)

    @overload
    def get_by_uids(self, *, uids: list[str], model: type[M] | M) -> list[M]: ...
    @overload
    def get_by_uids(self, *, uids: list[str], model: str) -> list[Any]: ...
    def get_by_uids(self, *, uids: list[str], model: Any) -> list[Any]:
        """The objects with these unique ids, in the order of the ids.

        Raises:
            ObjectNotFound: one of them is not there.
        """
        model_class, name = self._get_object_class_and_model(model)
        uids = list(uids)
        found = self._fetch(name, model_class, uids)
        for uid in uids:
            if uid not in found:
                self._raise(ObjectNotFound, f"{name} {uid} not present in {self}")
        return [found[uid] for uid in uids]

    def count(self, *, model: str | DiffSyncModel | type[DiffSyncModel] | None = None) -> int:
        """Number of objects of one model, or of all."""
        counts = self._counts()
        if model is None:
            return sum(counts.values())
        return counts.get(self._get_object_class_and_model(model)[1], 0)

    def snapshot(self, model: str, uids: Sequence[str]) -> dict[str, DiffSyncModel]:
        """Objects to be read and not changed, by unique id; those that are not there are left out."""
        return self._fetch(model, self._get_object_class_and_model(model)[0], uids, track=False)

    def snapshot_all(self, model: str) -> Iterator[DiffSyncModel]:
        """All objects of a model to be read and not changed, in order of insertion."""
        return self._iterate(model, self._get_object_class_and_model(model)[0], track=False)

    def fetch(self, model: str, uids: Sequence[str]) -> dict[str, DiffSyncModel]:
        """Live objects by unique id; those that are not there are left out."""
        return self._fetch(model, self._get_object_class_and_model(model)[0], uids)

    # Writing

    def add(self, *, obj: DiffSyncModel) -> None:
        """Take in a new object.

        Raises:
            ObjectAlreadyExists: another object has the same identifiers. Adding the same object again is allowed.
        """
        self._insert(obj.get_type(), obj.get_unique_id(), obj)
        if obj.adapter is None:
            obj.__dict__["adapter"] = self.adapter

    @synchronized
    def update(self, *, obj: DiffSyncModel) -> None:
        """Take in an object, in the place of whatever has its identifiers."""
        model, uid = obj.get_type(), obj.get_unique_id()
        if self._get(model, type(obj), uid) is not obj:
            self._put(model, uid, obj)
            if obj.adapter is None:
                obj.__dict__["adapter"] = self.adapter
        else:
            self.mark_dirty(obj)

    def remove_item(self, modelname: str, uid: str) -> None:
        """Remove one object by model name and unique id.

        Raises:
            ObjectNotFound: it is not there.
        """
        if not self._delete(modelname, uid):
            self._raise(ObjectNotFound, f"{modelname} {uid} not present in {self}")

    @synchronized
    def remove(self, *, obj: DiffSyncModel, remove_children: bool = False) -> None:
        """Remove an object, with everything below it if asked to.

        Raises:
            ObjectNotFound: it is not there.
        """
        self.remove_item(obj.get_type(), obj.get_unique_id())
        obj.__dict__["adapter"] = None
        if remove_children:
            self._remove_children(obj)

    def _remove_children(self, obj: DiffSyncModel) -> None:
        is_own = self.overrides("remove")
        families = [self._children_of(obj)]
        while families:
            found = next(families[-1], None)
            if found is None:
                families.pop()
                continue
            parent, uid, child = found
            try:
                self.remove(obj=child, remove_children=is_own)
            except ObjectNotFound:  # it has other identifiers now than it was added with
                self._tell_missing_child(parent, child.get_type(), uid)
                continue
            if not is_own:
                families.append(self._children_of(child))

    def _children_of(self, obj: DiffSyncModel) -> Iterator[tuple[DiffSyncModel, str, DiffSyncModel]]:
        """An object, with the unique id that it lists and the object of each of its children."""
        for model, field in obj.get_children_mapping().items():
            uids = list(getattr(obj, field))
            held = self.fetch(model, uids)  # in one request: they are cached below
            for uid in uids:
                child = self._find(model, uid)
                if child is None:
                    self._tell_missing_child(obj, model, uid)
                else:
                    yield obj, uid, child
            held.clear()

    def _tell_missing_child(self, parent: DiffSyncModel, model: str, uid: str) -> None:
        structlog.get_logger().error(
            "Unable to remove child element as it was not found!",
            store=self,
            parent_id=str(parent),
            parent_type=parent.get_type(),
            child_id=uid,
            child_type=model,
        )

    def _find(self, model: Any, identifier: Any) -> Any:
        """The object that `get` finds; None if it finds none."""
        if type(self).get is BaseStore.get and "get" not in self.__dict__:  # as `overrides`, for what is called often
            model_class, name = self._get_object_class_and_model(model)
            return self._get(name, model_class, self._get_uid(model, model_class, identifier))
        try:
            return self.get(model=model, identifier=identifier)
        except ObjectNotFound:
            return None

    @synchronized
    def get_or_instantiate(
        self, *, model: type[M], ids: dict[str, Any], attrs: dict[str, Any] | None = None
    ) -> tuple[M, bool]:
        """The object with these identifiers, made and added if there is none; and whether it was."""
        existing: M | None = self._find(model, ids)
        if existing is not None:
            return existing, False
        obj = model(**ids, **(attrs or {}))
        self.add(obj=obj)
        return obj, True

    @synchronized
    def get_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """The object that has the same identifiers, or else `obj`, which is added; and whether it was."""
        existing: M | None = self._find(obj, obj.get_unique_id())
        if existing is not None:
            return existing, False
        self.add(obj=obj)
        return obj, True

    @synchronized
    def update_or_instantiate(self, *, model: type[M], ids: dict[str, Any], attrs: dict[str, Any]) -> tuple[M, bool]:
        """The object with these identifiers, with these attributes; made and added if there is none.

        Raises:
            AttributeError: the model has no such attribute; nothing is changed.
        """
        unknown = [name for name in attrs if not (name in model.model_fields or hasattr(model, name))]
        if unknown and model.model_config.get("extra") != "allow":
            raise AttributeError(f"{model.__name__} has no field {', '.join(map(repr, unknown))}")
        obj, created = self.get_or_instantiate(model=model, ids=ids, attrs=attrs)
        if not created:
            for name, value in attrs.items():
                setattr(obj, name, value)
            self.mark_dirty(obj)
        return obj, created

    @synchronized
    def update_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """The object that has the same identifiers, with the attributes of `obj`; or else `obj`, which is added."""
        existing, created = self.get_or_add_model_instance(obj)
        # An object that is added takes what it says of itself too, which only a class of its own says otherwise.
        if overrides(type(obj), CONTENT) if created else existing is not obj:
            for name, value in obj.get_attrs().items():
                setattr(existing, name, value)
            self.mark_dirty(existing)
        return existing, created

    # What callers may name a model and an object by

    def _get_object_class_and_model(self, model: Any) -> tuple[type[DiffSyncModel] | None, str]:
        """Class, as far as it is known, and name of a model given by name, class or instance."""
        if not isinstance(model, str):
            return model if isinstance(model, type) else type(model), model.get_type()
        declared = getattr(self.adapter, model, None)
        return (declared if hasattr(declared, "get_type") else None), model

    def _get_uid(self, model: Any, model_class: type[DiffSyncModel] | None, identifier: Any) -> str:
        if isinstance(identifier, str):
            return identifier
        if not isinstance(identifier, dict) and not isinstance(identifier, Mapping):  # the second takes long
            self._raise(
                ObjectStoreWrongType,
                f"An identifier is a str or a dict of identifiers, not {type(identifier).__name__}: {identifier!r}",
            )
        if model_class is None:
            raise ValueError(
                f"The adapter knows no model {model!r}, so {identifier!r} says nothing: give the unique id as a str."
            )
        return model_class.create_unique_id(**identifier)

    def _raise(self, error: type[Exception], message: str, *args: Any) -> NoReturn:
        raise error_class(error, self.adapter)(message, *args)


def _require_generation(record: StoreRecord, generation: str) -> None:
    if record.generation != generation:
        raise StoreReloaded(
            f"{_named(record)} was loaded again at {record.created:%Y-%m-%d %H:%M:%S} UTC by {record.writer}: what was "
            "read of it before is out of date. Make a new diff of the stores as they are now, and look at it."
        )


def _named(record: StoreRecord) -> str:
    return f"Store {record.store_id!r}{f' ({record.name})' if record.name else ''}"
