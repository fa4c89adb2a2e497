"""The record of a store: its adapter, the schemas of its models, and the state of its load."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import StoreState
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import secret_fields
from diffsync_store.store.digest import fingerprint, methods_fingerprint
from diffsync_store.store.load_report import Gap
from diffsync_store.store.shards.record import ShardRecord


class ModelSchema(BaseModel):
    """A model class as data. Stored objects can be compared with it if the class is not available."""

    model_config = ConfigDict(frozen=True)

    name: str
    identifiers: tuple[str, ...]
    shortname: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    children: dict[str, str] = {}
    """By child model: the field that lists the unique ids of the children."""
    fingerprint: str = ""
    """Fingerprint of the rules for digests. Digests with different fingerprints cannot be compared."""
    methods: str = ""
    """Fingerprint of the class's code that affects digests; empty if there is none."""
    secrets: tuple[str, ...] = ()
    """Fields in the class's `_secrets`."""
    left_alone: dict[str, str] = {}
    """Attributes that a sync leaves as they are if this is its target: `always`, or `filled` where they have a value."""
    is_top: bool = False
    """Whether the model may be top-level, so that its objects are in buckets."""

    @classmethod
    def of(cls, model: type[DiffSyncModel], *, is_top: bool = False) -> ModelSchema:
        """Return the schema of a model class."""
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
            left_alone=dict(getattr(model, "_left_alone", {})),
            is_top=is_top,
        )

    def has_same_digests(self, other: ModelSchema) -> bool:
        """Whether the digests of two classes can be compared."""
        return (self.fingerprint, self.methods, self.children) == (other.fingerprint, other.methods, other.children)


def schema_of(classes: Collection[type[DiffSyncModel]], *, is_top: bool = False) -> ModelSchema:
    """Return the schema of a model whose objects have these classes. The first is the class of the adapter.

    The schema has the children of all classes. If two classes list the same child model in different fields, the digests cannot be
    used.
    """
    first, *others = (ModelSchema.of(model, is_top=is_top) for model in classes)
    secrets = tuple(sorted({name for schema in (first, *others) for name in schema.secrets}))
    children = dict(first.children)
    has_one_field_each = not any(
        children.setdefault(child, field) != field for other in others for child, field in other.children.items()
    )
    if (secrets, children) == (first.secrets, first.children) and has_one_field_each:
        return first
    rules = first.fingerprint if has_one_field_each else ""
    return first.model_copy(update={"secrets": secrets, "children": children, "fingerprint": rules})


class StoreSchema(BaseModel):
    """The models of a store, and which of them are top-level."""

    top_level: tuple[str, ...] = ()
    models: dict[str, ModelSchema] = {}


class StoreRecord(BaseModel):
    """The record of a store, as it was when it was read. Threads may share it. It can be pickled for other processes."""

    model_config = ConfigDict(populate_by_name=True)

    store_id: str
    name: str = ""
    adapter: str = ""
    """The `type` of the adapter that loaded the store."""
    state: StoreState
    reason: str = ""
    """Why the store is partial or failed."""
    gaps: dict[str, Gap] = {}
    """What the load reported as missing, by model. A partial store without gaps may lack anything."""
    generation: str = ""
    """Id of the load. It changes with each load, so that readers notice a new load."""
    counts: dict[str, int] = {}
    """Number of objects by model name."""
    load: str = ""
    """Name of the load, if it has one."""
    shards: tuple[ShardRecord, ...] = ()
    """The shards of the load, in declared order; empty if it was not loaded in shards."""
    undigested: str = ""
    """Why the digests cannot be used; empty if they can."""
    top_level: tuple[str, ...] = ()
    schema_: StoreSchema = Field(default_factory=StoreSchema, alias="schema")
    created: datetime
    updated: datetime
    """Time of the last write, in UTC."""
    writer: str = ""
    """Host and process id of the last writer."""
    ttl: int | None = None
    """Seconds after its last use at which the store expires; None for a store in memory."""
