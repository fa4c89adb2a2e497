"""What a store has to provide: the primitives that all else is written over.

The project's stores provide these. A store of a program's own may have diffsync's public methods instead, over which
each primitive has a default; it is read in full then, and says of itself what memory can say.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ObjectNotFound
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.load_report import Gap
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema
from diffsync_store.store.subtree_digests import SubtreeDigests

NO_GAPS: Mapping[str, Gap] = MappingProxyType({})


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class LoadStatus:
    """What a store in memory keeps of its load, from the moment on in which it is emptied."""

    state: StoreState = StoreState.LOADING
    reason: str = ""
    gaps: dict[str, Gap] = field(default_factory=dict)
    generation: str = field(default_factory=lambda: secrets.token_hex(8))
    created: datetime = field(default_factory=_now)
    updated: datetime = field(default_factory=_now)


class StoreOwner(Protocol):
    """What a store uses of its adapter: the names, and the model classes as attributes."""

    @property
    def type(self) -> str | None: ...

    @property
    def top_level(self) -> list[str]: ...


class Primitives:
    """What a store has to provide. Model classes are None where nothing is known but the name."""

    store_id: str = ""
    adapter: StoreOwner | None
    name: str

    def __init__(self) -> None:
        self._load_status = LoadStatus()

    def _own(self, name: str) -> Any:
        """The store's own way to do what one of diffsync's methods does.

        Raises:
            NotImplementedError: it has none.
        """
        provider = next(base for base in type(self).__mro__ if name in vars(base))
        if provider.__module__ == "diffsync_store.store.base":
            raise NotImplementedError(
                f"{type(self).__name__} has no {name}(): add it, with the arguments of BaseStore's."
            )
        return getattr(self, name)

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        """The live object with this unique id."""
        try:
            obj: DiffSyncModel = self._own("get")(model=model_class or model, identifier=uid)
        except ObjectNotFound:
            return None
        return obj

    def _fetch(
        self, model: str, model_class: type[DiffSyncModel] | None, uids: Sequence[str], *, track: bool = True
    ) -> dict[str, DiffSyncModel]:
        """Those of the objects that are there, in the order asked for, in as few round trips as can be.

        Objects that are not to be tracked need not be live: the caller only reads them.
        """
        try:
            return dict(zip(uids, self._own("get_by_uids")(uids=list(uids), model=model_class or model), strict=True))
        except ObjectNotFound:
            found = ((uid, self._get(model, model_class, uid)) for uid in uids)
            return {uid: obj for uid, obj in found if obj is not None}

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        """All objects of a model in order of insertion."""
        return iter(self._own("get_all")(model=model_class or model))

    def uids(self, model: str) -> Iterator[str]:
        """The unique ids of all objects of a model in order of insertion."""
        return (obj.get_unique_id() for obj in self._iterate(model, None))

    def positions(self, model: str, uids: Sequence[str]) -> dict[str, float]:
        """Those of the unique ids that there are objects of, each with a number that grows in order of insertion."""
        wanted = set(uids)
        return {uid: place for place, uid in enumerate(self.uids(model)) if uid in wanted}

    def subtree_digests(self) -> SubtreeDigests | None:
        """The digests of the store's objects as they are in it now; None where they cannot be trusted."""
        return None

    def may_have_changed_uids(self) -> bool:
        """Whether an object may stand under another unique id than the one that it has now."""
        return True  # nothing tells of changes to what is in memory

    def get_cached(self, model: str, uid: str) -> DiffSyncModel | None:
        """The live object with this unique id, if it takes no request to find it."""
        return self._get(model, None, uid)

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        """Take in a new object; raise ObjectAlreadyExists where another one has its unique id."""
        self._own("add")(obj=obj)

    def _put(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        """Take in an object, in the place of whatever has its unique id."""
        self._own("update")(obj=obj)

    def _delete(self, model: str, uid: str) -> bool:
        """Remove an object; tell whether it was there."""
        if self._get(model, None, uid) is None:
            return False
        self._own("remove_item")(model, uid)
        return True

    def _counts(self) -> dict[str, int]:
        """Number of objects by model name, without models that have none."""
        counts = {model: self._own("count")(model=model) for model in self._own("get_all_model_names")()}
        return {model: count for model, count in counts.items() if count}

    def _start_load(self) -> None:
        """Empty the store and set its state to loading."""
        for model in self._own("get_all_model_names")():
            for uid in list(self.uids(model)):
                self._own("remove_item")(model, uid)
        self._load_status = LoadStatus()

    def mark(self, state: StoreState, reason: str = "", *, gaps: Mapping[str, Gap] = NO_GAPS) -> None:
        """Declare what is known of the store's content; flushes first, but drops pending writes of a failed load.

        Args:
            state: how far the load came.
            reason: why the store is partial or failed.
            gaps: what a partial store lacks, by model; without any it may lack anything.
        """
        kept = self._load_status
        self._load_status = replace(kept, state=state, reason=reason, gaps=dict(gaps), updated=_now())

    def record(self) -> StoreRecord:
        """What the store says of itself.

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
        """Remove the store with everything in it; it may be written again."""
        self._start_load()
