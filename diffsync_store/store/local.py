"""LocalStore: objects in the memory of this process."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from diffsync_store.enum import StoreState
from diffsync_store.exceptions import ObjectAlreadyExists
from diffsync_store.store import NO_GAPS, BaseStore
from diffsync_store.store.findings import Gap
from diffsync_store.store.local_subtrees import LocalSubtrees
from diffsync_store.store.record import ModelSchema, StoreRecord, StoreSchema

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel
    from diffsync_store.store.subtrees import Subtrees


class LocalStore(BaseStore):
    """A store in memory; it lives as long as the process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.store_id = str(uuid4())
        self._data: dict[str, dict[str, DiffSyncModel]] = {}
        self._state, self._reason = StoreState.LOADING, ""
        self._gaps: Mapping[str, Gap] = NO_GAPS
        self._generation = secrets.token_hex(8)
        self._created = self._updated = datetime.now(UTC)

    def _get(self, model: str, model_class: type[DiffSyncModel] | None, uid: str) -> DiffSyncModel | None:
        return self._data.get(model, {}).get(uid)

    def _fetch(
        self, model: str, model_class: type[DiffSyncModel] | None, uids: Sequence[str], *, track: bool = True
    ) -> dict[str, DiffSyncModel]:
        objects = self._data.get(model, {})
        return {uid: objects[uid] for uid in uids if uid in objects}

    def _iterate(
        self, model: str, model_class: type[DiffSyncModel] | None, *, track: bool = True
    ) -> Iterator[DiffSyncModel]:
        return iter(list(self._data.get(model, {}).values()))

    def uids(self, model: str) -> Iterator[str]:
        return iter(list(self._data.get(model, {})))

    def places(self, model: str, uids: Sequence[str]) -> dict[str, float]:
        wanted = set(uids)
        return {uid: place for place, uid in enumerate(self._data.get(model, {})) if uid in wanted}

    def may_have_renamed(self) -> bool:
        return True  # nothing tells of changes to what is in memory

    def subtrees(self) -> Subtrees | None:
        return LocalSubtrees(self._data)

    def at_hand(self, model: str, uid: str) -> DiffSyncModel | None:
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
        return {model: len(objects) for model, objects in self._data.items() if objects}

    def _begin(self) -> None:
        self._data.clear()
        self._state, self._reason, self._gaps = StoreState.LOADING, "", NO_GAPS
        self._generation = secrets.token_hex(8)
        self._created = self._updated = datetime.now(UTC)

    def mark(self, state: StoreState, reason: str = "", *, gaps: Mapping[str, Gap] = NO_GAPS) -> None:
        self._state, self._reason, self._gaps, self._updated = state, reason, gaps, datetime.now(UTC)

    def drop(self) -> None:
        self._begin()

    def record(self) -> StoreRecord:
        classes = (type(next(iter(objects.values()))) for objects in self._data.values() if objects)
        top_level = tuple(self.adapter.top_level) if self.adapter is not None else ()
        models = {schema.name: schema for schema in map(ModelSchema.of, classes)}
        return StoreRecord(
            store_id=self.store_id,
            name=self.name,
            adapter=str(self.adapter.type) if self.adapter is not None else "",
            state=self._state,
            reason=self._reason,
            gaps=dict(self._gaps),
            generation=self._generation,
            counts=self._counts(),
            top_level=top_level,
            schema_=StoreSchema(top_level=top_level, models=models),
            created=self._created,
            updated=self._updated,
            writer=f"{socket.gethostname()}:{os.getpid()}",
        )
