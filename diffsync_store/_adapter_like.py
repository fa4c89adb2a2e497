"""The interface of adapters for comparisons and syncs, which `diffsync_store.adapter` imports."""

from __future__ import annotations

from typing import Any, Protocol

from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore
from diffsync_store.store.primitives import StoreOwner


class AdapterLike(StoreOwner, Protocol):
    """The attributes of an adapter that comparisons and syncs use."""

    store: BaseStore
    name: Any

    @property
    def _is_stored(self) -> bool: ...

    def __len__(self) -> int: ...

    def _get_initial_value_order(self) -> list[str]: ...

    def _overrides(self, *names: str) -> bool: ...

    def count(self, model: str | None = None) -> int: ...

    def get(self, obj: Any, identifier: Any) -> Any: ...

    def get_or_none(self, obj: Any, identifier: Any) -> Any: ...

    def get_all(self, obj: Any) -> list[Any]: ...

    def get_by_uids(self, uids: list[str], obj: Any) -> list[Any]: ...

    def add(self, obj: DiffSyncModel) -> None: ...

    def remove(self, obj: DiffSyncModel, remove_children: bool = False) -> None: ...
