"""What a store says of itself: whose records it holds, how they are shaped, and how far its load came."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import StoreState
from diffsync_store.store.digest import fingerprint

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel


class ModelSchema(BaseModel):
    """A model class as data: enough to compare its stored objects without the class."""

    model_config = ConfigDict(frozen=True)

    name: str
    identifiers: tuple[str, ...]
    shortname: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    children: dict[str, str] = {}
    """Child model name to the name of the field that lists the children's unique ids."""
    digest: str = ""
    """What the objects' digests are made of; digests made of something else cannot be compared with them."""
    is_top: bool = False
    """The model may stand at the top of the tree, so that its objects are in buckets."""

    @classmethod
    def of(cls, model: type[DiffSyncModel], *, is_top: bool = False) -> ModelSchema:
        """Describe a model class."""
        known: ModelSchema | None = getattr(model, "_schema", None)
        if known is not None:
            return known
        return cls(
            name=model._modelname,
            identifiers=model._identifiers,
            shortname=model._shortname,
            attributes=tuple(name for name in model.model_fields if name in model._attributes),
            children=dict(model._children),
            digest=fingerprint(model),
            is_top=is_top,
        )


class StoreSchema(BaseModel):
    """The models of a store and which of them stand at the top of the tree."""

    top_level: tuple[str, ...] = ()
    models: dict[str, ModelSchema] = {}


class StoreRecord(BaseModel):
    """The record that a store keeps of itself."""

    model_config = ConfigDict(populate_by_name=True)

    store_id: str
    name: str = ""
    adapter: str = ""
    """The `type` of the adapter that filled the store."""
    state: StoreState
    reason: str = ""
    """Why the store is partial or failed."""
    generation: str = ""
    """Changes with every new load, so that a reader can tell whether it still reads what it began with."""
    counts: dict[str, int] = {}
    """Objects by model name."""
    undigested: str = ""
    """Why the digests cannot be trusted; empty where they can."""
    top_level: tuple[str, ...] = ()
    schema_: StoreSchema = Field(default_factory=StoreSchema, alias="schema")
    created: datetime
    updated: datetime
    """Time of the last write, in UTC."""
    writer: str = ""
    """Host and process id of the last writer."""
    ttl: int | None = None
    """Seconds after its last use at which the store expires; None where it lives as long as its process."""
