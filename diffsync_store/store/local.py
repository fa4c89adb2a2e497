"""LocalStore: objects in the memory of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from diffsync_store.exceptions import ObjectAlreadyExists
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore
from diffsync_store.store.local_subtree_digests import LocalSubtreeDigests
from diffsync_store.store.primitives import LoadStatus
from diffsync_store.store.subtree_digests import SubtreeDigests


class LocalStore(BaseStore):
    """A store in memory. It lives as long as the process. Threads may share it.

    A forked child process has its own copy: the parent does not see what the child adds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.store_id = str(uuid4())
        self._data: dict[str, dict[str, DiffSyncModel]] = {}

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

    def subtree_digests(self) -> SubtreeDigests | None:
        return LocalSubtreeDigests(self._data)

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
        self._data.clear()
        self._load_status = LoadStatus()
