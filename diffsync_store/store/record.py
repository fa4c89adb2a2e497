"""What a store says of itself: whose records it holds, how they are shaped, and how far its load came."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import StoreState
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import secret_fields
from diffsync_store.store.digest import fingerprint, methods_fingerprint
from diffsync_store.store.load_report import Gap


class ModelSchema(BaseModel):
    """A model class as data: enough to compare its stored objects without the class."""

    model_config = ConfigDict(frozen=True)

    name: str
    identifiers: tuple[str, ...]
    shortname: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    children: dict[str, str] = {}
    """Child model name to the name of the field that lists the children's unique ids."""
    fingerprint: str = ""
    """What the objects' digests are made of; digests made of something else cannot be compared with them."""
    methods: str = ""
    """Of the class's own code that says what an object is; empty where its fields say it."""
    secrets: tuple[str, ...] = ()
    """The fields that the class declares as secret, in its `_secrets`."""
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
            children=dict(model.get_children_mapping()),
            fingerprint=fingerprint(model),
            methods=methods_fingerprint(model),
            secrets=tuple(sorted(secret_fields(model))),
            is_top=is_top,
        )

    def has_same_digests(self, other: ModelSchema) -> bool:
        """Whether objects of one class are digested as those of the other are."""
        return (self.fingerprint, self.methods, self.children) == (other.fingerprint, other.methods, other.children)


def schema_of(classes: Collection[type[DiffSyncModel]], *, is_top: bool = False) -> ModelSchema:
    """Describe a model whose objects are of these classes, the first of which is the adapter's.

    The digests of objects of different classes differ where the classes compare differently. The children are those of
    all classes; where two of them list the same children in different fields, the digests cannot be used.
    """
    first, *others = (ModelSchema.of(model, is_top=is_top) for model in classes)
    secrets = tuple(sorted({name for schema in (first, *others) for name in schema.secrets}))
    children = dict(first.children)
    is_clear = not any(
        children.setdefault(child, field) != field for other in others for child, field in other.children.items()
    )
    if (secrets, children) == (first.secrets, first.children) and is_clear:
        return first
    rules = first.fingerprint if is_clear else ""
    return first.model_copy(update={"secrets": secrets, "children": children, "fingerprint": rules})


class StoreSchema(BaseModel):
    """The models of a store and which of them stand at the top of the tree."""

    top_level: tuple[str, ...] = ()
    models: dict[str, ModelSchema] = {}


class StoreRecord(BaseModel):
    """The record that a store keeps of itself.

    A copy from the moment of reading: threads may share it, and it can be pickled for other processes.
    """

    model_config = ConfigDict(populate_by_name=True)

    store_id: str
    name: str = ""
    adapter: str = ""
    """The `type` of the adapter that filled the store."""
    state: StoreState
    reason: str = ""
    """Why the store is partial or failed."""
    gaps: dict[str, Gap] = {}
    """What the load says is missing, by model; a partial store without gaps may lack anything."""
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
