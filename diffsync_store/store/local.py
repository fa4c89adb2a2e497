"""LocalStore: objects in the memory of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from diffsync_store.enum import ShardState, StoreState
from diffsync_store.exceptions import ObjectAlreadyExists, StoreInUse
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore, synchronized
from diffsync_store.store.index.local_index import LocalIndex
from diffsync_store.store.index.store_index import IndexUnusable, StoreIndex
from diffsync_store.store.load_report import Gap, LoadReport
from diffsync_store.store.primitives import LoadStatus
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.shards.local import LocalShards, Objects
from diffsync_store.store.shards.plan import ShardPlan, sealed_text
from diffsync_store.store.shards.sealing import children_of, models_of, outcome_of


class LocalStore(BaseStore):
    """A store in memory. It lives as long as the process. Threads may share it.

    A forked child process has its own copy: the parent does not see what the child adds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.store_id = str(uuid4())
        self._data: Objects | LocalShards = {}
        """The objects by model and unique id; during a load in shards those of its shards."""
        self._shards: LocalShards | None = None
        """The shards of the last load, if it had any."""

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        return self._data.get(model, {}).get(uid)

    def _fetch(
        self, model: str, model_class: type[DiffSyncModel] | None, uids: Sequence[str], *, track: bool = True
    ) -> dict[str, DiffSyncModel]:
        objects = self._data.get(model, {})
        return {uid: obj for uid in uids if (obj := objects.get(uid)) is not None}

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        return iter(list(self._data.get(model, {}).values()))

    def uids(self, model: str) -> Iterator[str]:
        return iter(list(self._data.get(model, {})))

    def positions(self, model: str, uids: Sequence[str]) -> dict[str, float]:
        wanted = set(uids)
        return {uid: place for place, uid in enumerate(list(self._data.get(model, {}))) if uid in wanted}

    def index(self) -> StoreIndex | None:
        try:
            return LocalIndex(self._data)
        except IndexUnusable:
            return None

    def get_cached(self, model: str, uid: str) -> DiffSyncModel | None:
        return self._data.get(model, {}).get(uid)

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        existing = self._data.setdefault(model, {}).setdefault(uid, obj)
        if existing is not obj:
            self._raise(ObjectAlreadyExists, f"Object {uid} already present", existing)

    def _put(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        self._data.setdefault(model, {})[uid] = obj

    def _delete(self, model: str, uid: str) -> bool:
        return self._data.get(model, {}).pop(uid, None) is not None

    def _counts(self) -> dict[str, int]:
        return {model: len(objects) for model, objects in list(self._data.items()) if objects}

    def _start_load(self) -> None:
        self._require_no_open_shard("Nothing was removed.")
        self._data, self._shards = {}, None
        self._load_status = LoadStatus()

    # Shards

    def record(self) -> StoreRecord:
        record = super().record()
        if self._shards is None:
            return record
        return record.model_copy(update={"load": self._shards.plan.load, "shards": self._shards.records()})

    def _report(self) -> LoadReport:
        shard = None if self._shards is None or self._shards.is_sealed else self._shards.current()
        return self._load_report if shard is None else shard.report

    @synchronized
    def _begin_shard(self, name: str, plan: ShardPlan, report: LoadReport) -> Callable[[], None]:
        if self._loaded_by is not None:
            raise StoreInUse(f"Store {self} is being loaded as a whole, by this process. Nothing was removed.")
        shards = self._shards
        if shards is not None and shards.lacks(name, plan, self._data):
            shards.is_sealed, self._data, self._load_status = False, shards, LoadStatus()
        if shards is None or shards.is_sealed or not shards.plan.same_load(plan):
            self._require_new_load(shards, plan)
            shards = self._data = self._shards = LocalShards(plan)
            self._load_status = LoadStatus()
        elif name in shards.open_names():
            raise StoreInUse(f"The shard {name!r} of store {self} is being loaded already, by this process.")
        self._load_status = replace(self._load_status, state=StoreState.LOADING, reason="")
        shard, token = shards.enter(name, report)
        return partial(shards.leave, shard, token)

    def _require_new_load(self, shards: LocalShards | None, plan: ShardPlan) -> None:
        self._require_no_open_shard(
            f"Wait for them, or load the shards {', '.join(plan.names)[:200]} into another store."
        )
        if shards is not None and shards.is_sealed and plan.load and shards.plan.load == plan.load:
            raise StoreInUse(sealed_text(str(self), plan.load))

    def _require_no_open_shard(self, remedy: str) -> None:
        names = [] if self._shards is None else self._shards.open_names()
        if names:
            raise StoreInUse(
                f"Store {self} is being loaded in shards, by this process: {', '.join(names)[:200]}. {remedy}"
            )

    @synchronized
    def _end_shard(self, state: ShardState, reason: str, gaps: Mapping[str, Gap]) -> None:
        shard = None if self._shards is None else self._shards.current()
        if shard is not None:
            shard.end(state, reason, gaps)

    @synchronized
    def _seal(self) -> None:
        shards = self._shards
        if shards is None:
            super()._seal()
            return
        if shards.is_sealed:
            return
        self._require_no_open_shard("Wait for them before you seal the store.")
        try:
            data = shards.merged()
        except ObjectAlreadyExists as error:
            self.mark(StoreState.FAILED, str(error))
            self._raise(ObjectAlreadyExists, str(error), error.existing_object)
        self._data, shards.is_sealed = data, True
        outcome = outcome_of(shards.records(), *self._models_of(shards))
        self.mark(outcome.state, outcome.reason, gaps=outcome.gaps)

    def _models_of(self, shards: LocalShards) -> tuple[set[str], dict[str, set[str]]]:
        """Return the models that a shard may have, and the child models of each."""
        record = super().record()
        children = children_of((name, schema.children) for name, schema in record.schema_.models.items())
        return {*shards.plan.models, *models_of(self.adapter), *record.counts}, children
