"""Reading a store without the code that filled it."""

from __future__ import annotations

from typing import ClassVar

from diffsync_store.adapter import Adapter
from diffsync_store.store.base import BaseStore
from diffsync_store.store.stored_model import stored_model


class StoredAdapter(Adapter):
    """An adapter over a store that some other process has filled; needs nothing but the store.

    It reads and compares. As the target of a sync it changes the store only: it knows of no system.

    Raises:
        StoreNotFound: there is no such store.
    """

    top_level: ClassVar[list[str]] = []
    _is_stored: ClassVar[bool] = True

    def __init__(self, store: BaseStore, name: str | None = None) -> None:
        record = store.record()
        super().__init__(name or record.name or record.adapter, internal_storage_engine=store)
        self.type = record.adapter or self.type  # type: ignore[misc]
        models = record.schema_.models
        below = {child for schema in models.values() for child in schema.children}
        # A store that was filled without an adapter does not say what stands on top.
        self.top_level = list(record.top_level) or [name for name in models if name not in below]  # type: ignore[misc]
        for model, schema in models.items():
            setattr(self, model, stored_model(schema))
