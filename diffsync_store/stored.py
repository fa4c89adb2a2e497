"""Reading a store without the code that filled it: models and an adapter made from the store's own schema."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from pydantic import ConfigDict, PrivateAttr

from diffsync_store.adapter import Adapter
from diffsync_store.model import DiffSyncModel
from diffsync_store.store import BaseStore
from diffsync_store.store.encoding import Spoken
from diffsync_store.store.record import ModelSchema


class StoredModel(DiffSyncModel):
    """An object of a model whose class is not at hand; its values are those of the stored JSON."""

    model_config = ConfigDict(extra="allow")

    _spoken: Spoken = PrivateAttr(default_factory=Spoken)

    def get_identifiers(self) -> dict[str, Any]:
        spoken = self._spoken.get_identifiers
        return super().get_identifiers() if spoken is None else dict(spoken)

    def get_attrs(self) -> dict[str, Any]:
        spoken = self._spoken.get_attrs
        return super().get_attrs() if spoken is None else dict(spoken)

    def get_unique_id(self) -> str:
        spoken = self._spoken.get_unique_id
        return super().get_unique_id() if spoken is None else spoken

    def get_shortname(self) -> str:
        spoken = self._spoken.get_shortname
        return super().get_shortname() if spoken is None else spoken


def stored_model(schema: ModelSchema) -> type[StoredModel]:
    """A class for the stored objects of a model."""
    return _stored_model(schema.model_dump_json())


@lru_cache(maxsize=256)
def _stored_model(description: str) -> type[StoredModel]:
    schema = ModelSchema.model_validate_json(description)
    names = dict.fromkeys((*schema.identifiers, *schema.shortname, *schema.attributes, *schema.children.values()))
    fields: dict[str, Any] = dict.fromkeys(names, (Any, None))
    fields |= {name: (list[str], []) for name in schema.children.values()}
    return type(
        "StoredModel",
        (StoredModel,),
        {
            "__module__": __name__,
            "__annotations__": {name: annotation for name, (annotation, _) in fields.items()},
            **{name: default for name, (_, default) in fields.items()},
            "_modelname": schema.name,
            "_identifiers": schema.identifiers,
            "_shortname": schema.shortname,
            "_attributes": schema.attributes,
            "_children": dict(schema.children),
        },
    )


class StoredAdapter(Adapter):
    """An adapter over a store that some other process has filled; needs nothing but the store.

    It reads and compares. As the target of a sync it changes the store only: it knows of no system.

    Raises:
        StoreNotFound: there is no such store.
    """

    top_level: ClassVar[list[str]] = []

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
