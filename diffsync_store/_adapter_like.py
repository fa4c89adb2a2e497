"""The interface of adapters for comparisons and syncs, which `diffsync_store.adapter` imports."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from diffsync_store.introspection.model_classes import is_overridden
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.base import BaseStore
from diffsync_store.store.primitives import StoreOwner


class AdapterLike(StoreOwner, Protocol):
    """The attributes of an adapter that comparisons and syncs use."""

    store: BaseStore
    name: Any

    def __len__(self) -> int: ...

    def _get_initial_value_order(self) -> list[str]: ...

    def count(self, model: str | None = None) -> int: ...

    def get(self, obj: Any, identifier: Any) -> Any: ...

    def get_or_none(self, obj: Any, identifier: Any) -> Any: ...

    def get_all(self, obj: Any) -> list[Any]: ...

    def get_by_uids(self, uids: list[str], obj: Any) -> list[Any]: ...

    def add(self, obj: DiffSyncModel) -> None: ...

    def remove(self, obj: DiffSyncModel, remove_children: bool = False) -> None: ...


def diffsync_adapter() -> type[Any] | None:
    """Return diffsync's own Adapter, if the program has imported diffsync."""
    found: type[Any] | None = getattr(sys.modules.get("diffsync"), "Adapter", None)
    return found


def overrides(adapter: AdapterLike, *names: str) -> bool:
    """Whether an adapter overrides one of these methods, in its class or on the instance; it may be one of diffsync."""
    own = getattr(adapter, "_overrides", None)
    if own is not None:
        return bool(own(*names))
    base = diffsync_adapter()
    return base is None or not isinstance(adapter, base) or is_overridden(adapter, base, names)


def is_stored(adapter: AdapterLike) -> bool:
    """Whether an adapter has the models that its store was written with, and none of its own."""
    return getattr(adapter, "_is_stored", False)
