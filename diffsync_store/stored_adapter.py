"""Read a store without the code of the adapter that loaded it."""

from __future__ import annotations

from typing import ClassVar

from diffsync_store.adapter import Adapter
from diffsync_store.store.base import BaseStore
from diffsync_store.store.stored_model import stored_model


class StoredAdapter(Adapter):
    """An adapter for a store that another process loaded. It needs only the store, not the code of the adapter.

    It reads and compares. As the target of a sync it changes only the store, not a system. Threads may share it as they share
    any adapter; a forked process makes its own.

    Raises:
        StoreNotFound: the store does not exist.
    """

    top_level: ClassVar[list[str]] = []
    _is_stored: ClassVar[bool] = True

    def __init__(self, store: BaseStore, name: str | None = None) -> None:
        record = store.record()
        super().__init__(name or record.name or record.adapter, internal_storage_engine=store)
        self.type = record.adapter or self.type  # type: ignore[misc]
        models = record.schema_.models
        children = {child for schema in models.values() for child in schema.children}
        # A store without an adapter has no top level: use the models that are no child model.
        self.top_level = list(record.top_level) or [name for name in models if name not in children]  # type: ignore[misc]
        for model, schema in models.items():
            setattr(self, model, stored_model(schema))
