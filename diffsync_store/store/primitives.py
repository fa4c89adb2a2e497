"""The primitive operations of a store, on which `BaseStore` is built.

LocalStore and RedisStore implement them. A custom store may implement diffsync's public methods instead: each primitive has a
default that calls these. Such a store is compared without digests, and keeps the state of its load in memory.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from diffsync_store.enum import ShardState, StoreState
from diffsync_store.exceptions import ObjectNotFound, ObjectStoreException
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.index.store_index import StoreIndex
from diffsync_store.store.load_report import Gap, LoadReport
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema
from diffsync_store.store.shards.plan import ShardPlan

NO_GAPS: Mapping[str, Gap] = MappingProxyType({})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class LoadStatus:
    """The state of the load of a store in memory, from the time at which the load emptied it."""

    state: StoreState = StoreState.LOADING
    reason: str = ""
    gaps: dict[str, Gap] = field(default_factory=dict)
    generation: str = field(default_factory=lambda: secrets.token_hex(8))
    created: datetime = field(default_factory=_now)
    updated: datetime = field(default_factory=_now)


class StoreOwner(Protocol):
    """The attributes of an adapter that a store uses. The model classes are attributes too."""

    @property
    def type(self) -> str | None: ...

    @property
    def top_level(self) -> list[str]: ...


class Primitives:
    """The primitive operations. A model class is None if only the name of the model is known."""

    store_id: str = ""
    adapter: StoreOwner | None
    name: str

    def __init__(self) -> None:
        self._load_status = LoadStatus()

    def _custom_method(self, name: str) -> Any:
        """Return the store's implementation of one of diffsync's methods.

        Raises:
            NotImplementedError: the store does not implement it.
        """
        provider = next(base for base in type(self).__mro__ if name in vars(base))
        if provider.__module__ == "diffsync_store.store.base":
            raise NotImplementedError(
                f"{type(self).__name__} has no {name}(): add it, with the arguments of BaseStore.{name}()."
            )
        return getattr(self, name)

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        """Return the live object with this unique id, or None."""
        try:
            obj: DiffSyncModel = self._custom_method("get")(model=model_class or model, identifier=uid)
        except ObjectNotFound:
            return None
        return obj

    def _fetch(
        self, model: str, model_class: type[DiffSyncModel] | None, uids: Sequence[str], *, track: bool = True
    ) -> dict[str, DiffSyncModel]:
        """Return the objects with these unique ids, in this order, without missing ones.

        Args:
            model: name of the model.
            model_class: class of the model, if it is known.
            uids: the unique ids.
            track: return live objects. If False, the caller does not change the objects, so they need not be tracked.
        """
        try:
            return dict(
                zip(uids, self._custom_method("get_by_uids")(uids=list(uids), model=model_class or model), strict=True)
            )
        except ObjectNotFound:
            found = ((uid, self._get(model, model_class, uid)) for uid in uids)
            return {uid: obj for uid, obj in found if obj is not None}

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        """Yield all objects of a model in order of insertion."""
        return iter(self._custom_method("get_all")(model=model_class or model))

    def uids(self, model: str) -> Iterator[str]:
        """Yield the unique ids of all objects of a model in order of insertion."""
        return (obj.get_unique_id() for obj in self._iterate(model, None))

    def positions(self, model: str, uids: Sequence[str]) -> dict[str, float]:
        """Return the position of each of these objects in order of insertion, without missing ones."""
        wanted = set(uids)
        return {uid: position for position, uid in enumerate(self.uids(model)) if uid in wanted}

    def index(self) -> StoreIndex | None:
        """Return the index of the store's objects for a comparison; None if there is none, or if it cannot be used."""
        return None

    def may_have_changed_uids(self) -> bool:
        """Whether an object may be stored under a unique id that differs from its current one."""
        return True  # changes of objects in memory are not tracked

    def get_cached(self, model: str, uid: str) -> DiffSyncModel | None:
        """Return the live object with this unique id, if it is in memory."""
        return self._get(model, None, uid)

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        """Add a new object.

        Raises:
            ObjectAlreadyExists: another object has its unique id.
        """
        self._custom_method("add")(obj=obj)

    def _put(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        """Add an object, or replace the one with its unique id."""
        self._custom_method("update")(obj=obj)

    def _delete(self, model: str, uid: str) -> bool:
        """Remove an object; return whether it was in the store."""
        if self._get(model, None, uid) is None:
            return False
        self._custom_method("remove_item")(model, uid)
        return True

    def _counts(self) -> dict[str, int]:
        """Return the number of objects by model name, without models that have no objects."""
        counts = {
            model: self._custom_method("count")(model=model) for model in self._custom_method("get_all_model_names")()
        }
        return {model: count for model, count in counts.items() if count}

    def _start_load(self) -> None:
        """Empty the store and set its state to loading."""
        for model in self._custom_method("get_all_model_names")():
            for uid in list(self.uids(model)):
                self._custom_method("remove_item")(model, uid)
        self._load_status = LoadStatus()

    def _begin_shard(self, name: str, plan: ShardPlan, report: LoadReport) -> Callable[[], None]:
        """Begin to load a shard, after those of an earlier load or attempt are removed.

        Returns:
            A function that ends it; it is called in the same thread, after `_end_shard` or an error of it.
        """
        raise ObjectStoreException(f"{type(self).__name__} cannot be loaded in shards. Use LocalStore or RedisStore.")

    def _end_shard(self, state: ShardState, reason: str, gaps: Mapping[str, Gap]) -> None:
        """Set the state of the shard that this thread loads. Flush first; drop the objects of a failed one."""
        raise NotImplementedError

    def _seal(self) -> None:
        """End a load in shards, unless it is sealed."""
        raise ObjectStoreException(f"Store {self} was not loaded in shards, so there is nothing to seal.")

    def mark(self, state: StoreState, reason: str = "", *, gaps: Mapping[str, Gap] = NO_GAPS) -> None:
        """Set the state of the store. Flush first; drop the pending writes of a failed load.

        Args:
            state: the state of the load.
            reason: why the store is partial or failed.
            gaps: what a partial store lacks, by model; if empty, it may lack anything.
        """
        self._load_status = replace(self._load_status, state=state, reason=reason, gaps=dict(gaps), updated=_now())

    def record(self) -> StoreRecord:
        """Return the record of the store.

        Raises:
            StoreNotFound: it was never written, was dropped, or expired.
        """
        top_level = tuple(self.adapter.top_level) if self.adapter is not None else ()
        counts = self._counts()
        firsts = (next(self._iterate(model, None), None) for model in counts)
        models = {schema.name: schema for schema in (ModelSchema.of(type(obj)) for obj in firsts if obj is not None)}
        return StoreRecord(
            store_id=self.store_id,
            name=self.name,
            adapter=str(self.adapter.type) if self.adapter is not None else "",
            counts=counts,
            top_level=top_level,
            schema_=StoreSchema(top_level=top_level, models=models),
            **vars(self._load_status),
            writer=f"{socket.gethostname()}:{os.getpid()}",
        )

    def drop(self) -> None:
        """Remove all objects and the record. The store can be used again."""
        self._start_load()
