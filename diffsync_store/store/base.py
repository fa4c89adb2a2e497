"""BaseStore: the interface of all stores, built on the primitive operations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar, overload

import structlog

from diffsync_store._object_store import ObjectStore
from diffsync_store.enum import ShardState, StoreState
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
from diffsync_store.store.shards.plan import ShardPlan, make_plan
from diffsync_store.store.shards.record import ShardRecord
from diffsync_store.store.shards.sealing import models_of

M = TypeVar("M", bound="DiffSyncModel")
S = TypeVar("S", bound="BaseStore")
P = ParamSpec("P")
T = TypeVar("T")

_REMEDIES = {
    StoreState.LOADING: "Wait for the load to end; if it is no longer running, load the store again.",
    StoreState.PARTIAL: "Load the store again. Or compare with guards=Guards(), which suppress only the operations that the gaps affect.",
    StoreState.FAILED: "Fix the cause. Load the store again.",
}


def synchronized(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method of a store hold the store's lock."""

    @wraps(method)
    def run(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with store._store_lock:
            return method(store, *args, **kwargs)

    return run


class BaseStore(Primitives, ObjectStore):
    """Holds the objects of an adapter. Threads may share a store.

    Each call is atomic for other threads, except iteration, which continues while the store changes. An object is in the store when
    `add` or `update` has returned, even if other threads write at the same time.

    Objects that the program refers to are live: `get` returns the same object, and changes of it are in the store after the next
    flush at the latest.

    A custom store derives from this class and implements diffsync's methods: `get_all_model_names`, `get`, `get_all`,
    `get_by_uids`, `add`, `update`, `remove_item`, `count`.
    """

    keeps_index: bool = False
    """Whether the store keeps an index, so that reading it is cheaper than reading objects."""

    _loaded_by: int | None = None
    """Id of the process that is inside `loading()`."""

    if TYPE_CHECKING:
        _store_lock: Any  # held during each call of a synchronized method

    fencing_token: int | None = None
    """The fencing token of the lease that the store is written under; None without a lease."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        store = super().__new__(cls)
        store._store_lock = RLock()
        return store

    def __init__(self, *args: Any, adapter: StoreOwner | None = None, name: str = "") -> None:
        super().__init__()
        self.adapter = adapter
        self.name = name or type(self).__name__
        self._load_report = LoadReport()

    def __call__(self, adapter: StoreOwner) -> Self:
        """Set the adapter and return the store: diffsync's adapters call their `internal_storage_engine`."""
        self.adapter = adapter
        return self

    def __str__(self) -> str:
        return self.name

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_store_lock", "_loaded_by"}}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def overrides(self, *names: str) -> bool:
        """Whether the store overrides any of these methods of BaseStore."""
        return is_overridden(self, BaseStore, names)

    def flush(self) -> None:
        """Write all pending changes, including in-place changes of objects."""

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Several processes add and change objects at the same time, each others than the rest: an add is not checked against theirs."""
        yield

    def discard(self) -> None:
        """Drop the changes that are not written yet, because another process has made them. Objects that the program holds no
        longer belong to the store.
        """

    def close(self) -> None:
        """Flush, and close what the store has opened."""

    # Lifecycle

    @property
    def state(self) -> StoreState:
        """The state of the store's load."""
        return self.record().state

    @contextmanager
    def loading(
        self,
        *,
        shard: str | None = None,
        of: Iterable[str] | Mapping[str, Any] = (),
        load: str = "",
        redact: Callable[[str], str] = str,
    ) -> Iterator[Self]:
        """Empty the store for a new load, and set its state at the end of the block.

        The store is failed if the block raises. It is partial if records were rejected, a model was reported as incomplete, or the
        number of objects is not the expected one. Otherwise it is complete. Objects that other threads add while the block ends are
        included. In a child process that was forked inside the block, the end of the block only flushes.

        With `shard`, the block loads one shard of the store, and its state is that of the shard. Each shard of `of` is loaded in a
        block of its own, in any order, by any thread or process, and `seal` sets the state of the store after that. The first block
        empties the store. A shard that is loaded again is emptied alone. Inside of the block, the store has only the objects of the
        shard.

        Args:
            shard: the name of the shard to load.
            of: the names of all shards, in the order of their objects. A mapping also says, by name of the shard, below which object
                all its records are: an object, a pair of model and unique id, or a list of these; None if they may be anywhere.
                Guards then suppress only operations below it if the shard is not loaded.
            load: a name of the load, if it has shards. A block with the same name and shards joins it, also after the seal if the shard was
                missing or failed. A block with another name begins a new load, unless a shard is being loaded.
            redact: removes secrets from texts about rejected records.

        Raises:
            StoreInUse: the store or the shard is being loaded already, another live process writes to it, the load of this name is
                sealed with the shard or was changed since, or a diff of the store is approved or being applied. Nothing was removed.
            ValueError: `shard` is not one of `of`, or a name is not valid.
        """
        if shard is not None:
            with self._loading_shard(shard, self._plan(shard, of, load), redact):
                yield self
            return
        if of or load:
            raise ValueError("`of` and `load` are for a load in shards: loading(shard=..., of=(...)).")
        process = os.getpid()
        with self._store_lock:
            if self._loaded_by == process:
                raise StoreInUse(
                    f"Store {self} is being loaded already, by this process. Nothing was removed. Let one thread enter "
                    "`loading()`, and the other threads only add."
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
            except Exception as second:  # noqa: BLE001  # the error of the load is raised
                error.add_note(f"Marking the store as failed raised an error too: {second}")
            raise
        finally:
            if self._loaded_by == process:
                self._loaded_by = None

    def _plan(self, shard: str, of: Iterable[str] | Mapping[str, Any], load: str) -> ShardPlan:
        plan = make_plan(of, load, self._object_key, models_of(self.adapter))
        if shard not in plan.names:
            raise ValueError(
                f"The shard {shard!r} is not one of {', '.join(plan.names)[:500]}. Name all shards in `of`."
            )
        return plan

    @contextmanager
    def _loading_shard(self, name: str, plan: ShardPlan, redact: Callable[[str], str]) -> Iterator[None]:
        process, report = os.getpid(), LoadReport(redact)
        leave = self._begin_shard(name, plan, report)
        try:
            yield
            if os.getpid() != process:
                self.flush()
                return
            with self._store_lock:
                gaps = report.gaps(self._counts() if report.expected() else None)
                self._end_shard(ShardState.PARTIAL if gaps else ShardState.COMPLETE, summary(gaps), gaps)
        except BaseException as error:
            if os.getpid() != process:
                self.flush()
                raise
            try:
                self._end_shard(ShardState.FAILED, report.failure(error), report.gaps(None))
            except Exception as second:  # noqa: BLE001  # the error of the load is raised
                error.add_note(f"Marking the shard {name} as failed raised an error too: {second}")
            raise
        finally:
            leave()

    def seal(self) -> StoreRecord:
        """End a load in shards; return the record of the store. Any process may do it, and again after an error.

        The store is complete if all shards are. It is partial if one of them is partial, failed or missing; objects of failed shards
        are not in it. A store that is sealed already stays as it is.

        Raises:
            StoreInUse: a shard is being loaded, or another process seals the store.
            ObjectAlreadyExists: two shards have loaded the same object; the store is failed. Load one of them again.
            ObjectStoreException: the store was not loaded in shards.
        """
        self._seal()
        return self.record()

    def shards(self) -> tuple[ShardRecord, ...]:
        """Return the shards of the store's load, in declared order; none if it is not loaded in shards.

        Raises:
            StoreNotFound: there is no such store.
        """
        return self.record().shards

    def rejecting(
        self,
        model: str | type[DiffSyncModel],
        what: Any,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> Rejecting:
        """Load one record; if the block raises, count the record as rejected and continue.

        Objects that the block added before it raised are kept. Errors of the store itself are raised.

        Args:
            model: the model of the record.
            what: the key of the record, to find it by.
            payload: the record; its first 2,000 characters are kept, with secrets redacted.
            below: the ancestor of the record, or its model and unique id: guards then suppress only operations below it, instead
                of those of the whole model.
        """
        model_class, name = self._get_object_class_and_model(model)
        return Rejecting(self._report(), name, what, payload, model_class, below=self._object_key(below))

    def reject(
        self,
        model: str | type[DiffSyncModel],
        what: Any,
        error: Exception,
        payload: Any = None,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Count a record as rejected, for an error that the caller has caught. See `rejecting` for the arguments."""
        model_class, name = self._get_object_class_and_model(model)
        self._report().reject(name, what, error, payload, model_class, below=self._object_key(below))

    def incomplete(
        self,
        model: str | type[DiffSyncModel],
        reason: str,
        *,
        below: DiffSyncModel | tuple[Any, Any] | None = None,
    ) -> None:
        """Report that the load lacks records of a model, below an object or anywhere, although nothing raised an error."""
        self._report().incomplete(self._get_object_class_and_model(model)[1], reason, self._object_key(below))

    def _report(self) -> LoadReport:
        """Return the report of the load that this thread belongs to."""
        return self._load_report

    def _object_key(self, below: Any) -> ObjectKey | None:
        """Return model and unique id of the argument `below`: an object, or such a pair.

        Raises:
            ObjectStoreWrongType: it is neither.
        """
        if below is None:
            return None
        if isinstance(below, tuple) and len(below) == 2:  # model and unique id
            model_class, name = self._get_object_class_and_model(below[0])
            return name, self._get_uid(below[0], model_class, below[1])
        if not hasattr(below, "get_unique_id"):
            self._raise(
                ObjectStoreWrongType,
                f"`below` must be an object, or a pair of model and unique id, not {type(below).__name__}: {below!r}",
            )
        return below.get_type(), below.get_unique_id()

    def expect(self, model: str | type[DiffSyncModel], count: int, *, at_least: bool = False) -> None:
        """Declare how many records of a model the system has, exactly or at least. The last call counts.

        Raises:
            ValueError: the count is not a whole number of at least 0.
        """
        self._report().expect(self._get_object_class_and_model(model)[1], count, at_least=at_least)

    def expected(self) -> dict[str, int]:
        """Return the expected number of records of the current load, by model."""
        return self._report().expected()

    def require_loaded(self) -> StoreRecord:
        """Return the record of a complete or partial store.

        Raises:
            StoreNotFound: there is no such store.
            StoreNotComplete: its load is running, died or failed.
        """
        record = self.record()
        return record if record.state is StoreState.PARTIAL else self.require_complete()

    def require_complete(self) -> StoreRecord:
        """Return the record of a complete store.

        Raises:
            StoreNotFound: there is no such store.
            StoreNotComplete: its load is running, died or failed, or the store is partial.
        """
        record = self.record()
        if record.state is StoreState.COMPLETE:
            return record
        reason = f": {record.reason}" if record.reason else ""
        raise StoreNotComplete(
            f"{_named(record)} is {record.state.value}, not complete{reason}. "
            f"Last written {record.updated:%Y-%m-%d %H:%M:%S} UTC by {record.writer}, "
            f"{sum(record.counts.values())} objects. {_REMEDIES[record.state]}",
            record,
        )

    def require_load(self, generation: str) -> StoreRecord:
        """Return the record of a complete or partial store of this generation.

        Raises:
            StoreReloaded: the store was loaded again.
            StoreNotFound, StoreNotComplete: as for `require_loaded`.
        """
        record = self.require_loaded()
        _require_generation(record, generation)
        return record

    def load_version(self) -> tuple[str, str]:
        """Return the current generation and state."""
        return self._load_status.generation, self._load_status.state.value

    def require_load_version(self, seen: tuple[str, str]) -> None:
        """Check that no load has started or ended since a reader got this `load_version`.

        Raises:
            StoreReloaded: a load has started or ended.
        """
        if self.load_version() != seen:
            record = self.record()
            _require_generation(record, seen[0])
            raise StoreReloaded(
                f"{_named(record)} was {seen[1]} when the diff was made, and is {record.state.value} now: the diff may lack "
                "records of its load. Make a new diff and check it."
            )

    def require_same_load(self, before: StoreRecord) -> None:
        """Check that no load has started since the store had this record.

        Raises:
            StoreReloaded: the store was loaded again, or is being loaded.
            StoreNotFound: it was dropped, or has expired.
        """
        _require_generation(self.record(), before.generation)

    # Reading

    def get_all_model_names(self) -> set[str]:
        """Return the names of the models that have objects."""
        return set(self._counts())

    @overload
    def get(self, *, model: type[M] | M, identifier: str | Mapping[str, Any]) -> M: ...
    @overload
    def get(self, *, model: str, identifier: str | Mapping[str, Any]) -> Any: ...
    def get(self, *, model: Any, identifier: Any) -> Any:
        """Return the object with this unique id or these identifiers.

        Raises:
            ObjectNotFound: there is no such object.
            ValueError: the identifiers are a dict, and the adapter has no model of this name.
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
        """Return all objects of a model in order of insertion."""
        return list(self.iter_all(model=model))

    @overload
    def iter_all(self, *, model: type[M] | M) -> Iterator[M]: ...
    @overload
    def iter_all(self, *, model: str) -> Iterator[Any]: ...
    def iter_all(self, *, model: Any) -> Iterator[Any]:
        """Yield all objects of a model in order of insertion. Objects that the caller does not keep are freed."""
        model_class, name = self._get_object_class_and_model(model)
        return self._iterate(name, model_class)

    @overload
    def get_by_uids(self, *, uids: list[str], model: type[M] | M) -> list[M]: ...
    @overload
    def get_by_uids(self, *, uids: list[str], model: str) -> list[Any]: ...
    def get_by_uids(self, *, uids: list[str], model: Any) -> list[Any]:
        """Return the objects with these unique ids, in the order of the ids.

        Raises:
            ObjectNotFound: one of them is missing.
        """
        model_class, name = self._get_object_class_and_model(model)
        uids = list(uids)
        found = self._fetch(name, model_class, uids)
        for uid in uids:
            if uid not in found:
                self._raise(ObjectNotFound, f"{name} {uid} not present in {self}")
        return [found[uid] for uid in uids]

    def count(self, *, model: str | DiffSyncModel | type[DiffSyncModel] | None = None) -> int:
        """Return the number of objects of one model, or of all."""
        counts = self._counts()
        if model is None:
            return sum(counts.values())
        return counts.get(self._get_object_class_and_model(model)[1], 0)

    def snapshot(self, model: str, uids: Sequence[str]) -> dict[str, DiffSyncModel]:
        """Return objects by unique id, without missing ones. The caller must not change them."""
        return self._fetch(model, self._get_object_class_and_model(model)[0], uids, track=False)

    def snapshot_above(self, model: str, below: Mapping[str, Sequence[str]]) -> dict[str, DiffSyncModel]:
        """Return objects as `snapshot` does, for a caller that needs only some of the children that they list.

        Args:
            model: name of the model.
            below: the needed children, of all child models, by unique id of the object. An object may list all others or none.
        """
        return self.snapshot(model, list(below))

    def snapshot_all(self, model: str) -> Iterator[DiffSyncModel]:
        """Yield all objects of a model in order of insertion. The caller must not change them."""
        return self._iterate(model, self._get_object_class_and_model(model)[0], track=False)

    def fetch(self, model: str, uids: Sequence[str]) -> dict[str, DiffSyncModel]:
        """Return live objects by unique id, without missing ones."""
        return self._fetch(model, self._get_object_class_and_model(model)[0], uids)

    # Writing

    def add(self, *, obj: DiffSyncModel) -> None:
        """Add a new object.

        Raises:
            ObjectAlreadyExists: another object has the same identifiers. Adding the same object again is allowed.
        """
        self._insert(obj.get_type(), obj.get_unique_id(), obj)
        if obj.adapter is None:
            obj.__dict__["adapter"] = self.adapter

    @synchronized
    def update(self, *, obj: DiffSyncModel) -> None:
        """Add an object, or replace the one with the same identifiers."""
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
            ObjectNotFound: it is not in the store.
        """
        if not self._delete(modelname, uid):
            self._raise(ObjectNotFound, f"{modelname} {uid} not present in {self}")

    @synchronized
    def remove(self, *, obj: DiffSyncModel, remove_children: bool = False) -> None:
        """Remove an object; with `remove_children` also everything below it.

        Raises:
            ObjectNotFound: it is not in the store.
        """
        self.remove_item(obj.get_type(), obj.get_unique_id())
        obj.__dict__["adapter"] = None
        if remove_children:
            self._remove_children(obj)

    def _remove_children(self, obj: DiffSyncModel) -> None:
        is_overridden = self.overrides("remove")
        stack = [self._children_of(obj)]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                continue
            parent, uid, child = found
            try:
                self.remove(obj=child, remove_children=is_overridden)
            except ObjectNotFound:  # its identifiers have changed since it was added
                self._log_missing_child(parent, child.get_type(), uid)
                continue
            if not is_overridden:
                stack.append(self._children_of(child))

    def _children_of(self, obj: DiffSyncModel) -> Iterator[tuple[DiffSyncModel, str, DiffSyncModel]]:
        """Yield the parent, the listed unique id and the object of each child."""
        for model, field in obj.get_children_mapping().items():
            uids = list(getattr(obj, field))
            fetched = self.fetch(model, uids)  # in one request; `_find` returns them while they are referenced
            for uid in uids:
                child = self._find(model, uid)
                if child is None:
                    self._log_missing_child(obj, model, uid)
                else:
                    yield obj, uid, child
            fetched.clear()

    def _log_missing_child(self, parent: DiffSyncModel, model: str, uid: str) -> None:
        structlog.get_logger().error(
            "Unable to remove child element as it was not found!",
            store=self,
            parent_id=str(parent),
            parent_type=parent.get_type(),
            child_id=uid,
            child_type=model,
        )

    def _find(self, model: Any, identifier: Any) -> Any:
        """Return the object that `get` returns; None if there is none."""
        if type(self).get is BaseStore.get and "get" not in self.__dict__:  # a faster `overrides`
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
        """Return the object with these identifiers, created if missing, and whether it was created."""
        existing: M | None = self._find(model, ids)
        if existing is not None:
            return existing, False
        obj = model(**ids, **(attrs or {}))
        self.add(obj=obj)
        return obj, True

    @synchronized
    def get_or_add_model_instance(self, obj: M) -> tuple[M, bool]:
        """Return the object with the same identifiers, or add `obj`; and whether it was added."""
        existing: M | None = self._find(obj, obj.get_unique_id())
        if existing is not None:
            return existing, False
        self.add(obj=obj)
        return obj, True

    @synchronized
    def update_or_instantiate(self, *, model: type[M], ids: dict[str, Any], attrs: dict[str, Any]) -> tuple[M, bool]:
        """Return the object with these identifiers, updated or created with `attrs`, and whether it was created.

        Raises:
            AttributeError: the model lacks one of the attributes; nothing was changed.
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
        """Return the object with the same identifiers, updated from `obj`, or add `obj`; and whether it was added."""
        existing, created = self.get_or_add_model_instance(obj)
        # An added object is assigned its own `get_attrs` too, which matters if its class overrides the method.
        if overrides(type(obj), CONTENT) if created else existing is not obj:
            for name, value in obj.get_attrs().items():
                setattr(existing, name, value)
            self.mark_dirty(existing)
        return existing, created

    # Arguments that name a model or an object

    def _get_object_class_and_model(self, model: Any) -> tuple[type[DiffSyncModel] | None, str]:
        """Return class (None if unknown) and name of a model given by name, class or instance."""
        if not isinstance(model, str):
            return model if isinstance(model, type) else type(model), model.get_type()
        declared = getattr(self.adapter, model, None)
        return (declared if hasattr(declared, "get_type") else None), model

    def _get_uid(self, model: Any, model_class: type[DiffSyncModel] | None, identifier: Any) -> str:
        if isinstance(identifier, str):
            return identifier
        if not isinstance(identifier, dict) and not isinstance(identifier, Mapping):  # the second check is slow
            self._raise(
                ObjectStoreWrongType,
                f"An identifier must be a str or a dict of identifiers, not {type(identifier).__name__}: {identifier!r}",
            )
        if model_class is None:
            raise ValueError(
                f"The adapter has no model {model!r} to make a unique id from {identifier!r}: pass the unique id as a str."
            )
        return model_class.create_unique_id(**identifier)

    def _raise(self, error: type[Exception], message: str, *args: Any) -> NoReturn:
        raise error_class(error, self.adapter)(message, *args)


def _require_generation(record: StoreRecord, generation: str) -> None:
    if record.generation != generation:
        raise StoreReloaded(
            f"{_named(record)} was loaded again at {record.created:%Y-%m-%d %H:%M:%S} UTC by {record.writer}: data that "
            "was read before is out of date. Make a new diff of the stores and check it."
        )


def _named(record: StoreRecord) -> str:
    return f"Store {record.store_id!r}{f' ({record.name})' if record.name else ''}"
