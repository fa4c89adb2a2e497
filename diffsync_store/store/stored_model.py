"""Model classes made from a store's schema, for readers that lack the code of the adapter."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from diffsync_store.model import DiffSyncModel
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.reported_values import NOTHING_REPORTED, ReportedValues
from diffsync_store.values.codec import pack, unpack
from diffsync_store.values.plain import PLAIN


class StoredModel(DiffSyncModel):
    """An object whose class is not available. Its values are those of the stored JSON."""

    model_config = ConfigDict(extra="allow")

    # Slots, because reading pydantic's private attributes takes as long as reading the whole object.
    __slots__ = ("_reported", "_stored_uid")

    if TYPE_CHECKING:
        _reported: ReportedValues
        _stored_uid: str

    _schema: ClassVar[ModelSchema | None] = None
    """The schema of the model in the store."""
    _kept_slots: ClassVar[tuple[str, ...]] = (*DiffSyncModel._kept_slots, "_reported", "_stored_uid")
    _stores_reported_values: ClassVar[bool] = True
    """The object keeps the values that its own class reported."""

    def set_reported_values(self, reported: ReportedValues, uid: str) -> None:
        """Set the values that the object's own class reported, and the unique id in the store."""
        object.__setattr__(self, "_reported", reported)
        object.__setattr__(self, "_stored_uid", uid)

    def __setattr__(self, name: str, value: Any) -> None:
        reported = self.reported_values()
        if reported.get_attrs is not None and name in reported.get_attrs:
            reported = reported.model_copy(update={"get_attrs": {**reported.get_attrs, name: pack(value)}})
        if reported.normal_forms is not None and name in reported.normal_forms:
            forms = {other: form for other, form in reported.normal_forms.items() if other != name}
            reported = reported.model_copy(update={"normal_forms": forms})
        object.__setattr__(self, "_reported", reported)
        super().__setattr__(name, value)

    def reported_values(self) -> ReportedValues:
        """Return the values that the object's own class reported."""
        return getattr(self, "_reported", NOTHING_REPORTED)  # an object that was not read from a store has none

    def _dumped(self, plain: tuple[str, ...] | None, names: tuple[str, ...]) -> dict[str, Any]:
        fields = self.__dict__
        values = {name: fields[name] for name in names}
        for name, value in values.items():
            if type(value) not in PLAIN:
                values[name] = copy.deepcopy(value)
        return values

    def get_identifiers(self) -> dict[str, Any]:
        reported = self.reported_values().get_identifiers
        return super().get_identifiers() if reported is None else unpacked(reported)

    def get_attrs(self) -> dict[str, Any]:
        reported = self.reported_values().get_attrs
        return super().get_attrs() if reported is None else unpacked(reported)

    def reported_normal_forms(self) -> dict[str, Any]:
        """Return the normal forms that the object's own class reported."""
        return self.reported_values().normal_forms or {}

    def get_unique_id(self) -> str:
        reported = self.reported_values()
        if reported.get_unique_id is not None:
            return reported.get_unique_id
        identifiers = self.get_identifiers()
        if PLAIN.issuperset(map(type, identifiers.values())):
            return self.create_unique_id(**identifiers)
        stored: str | None = getattr(self, "_stored_uid", None)  # only the original classes can format such values
        return self.create_unique_id(**identifiers) if stored is None else stored

    def get_shortname(self) -> str:
        reported = self.reported_values().get_shortname
        return super().get_shortname() if reported is None else reported


def unpacked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Unpack values that were packed one by one."""
    return {name: unpack(value) for name, value in values.items()}


def stored_model(schema: ModelSchema) -> type[StoredModel]:
    """Return a class for the stored objects of a model."""
    return _stored_model(schema.model_dump_json())


@lru_cache(maxsize=256)
def _stored_model(description: str) -> type[StoredModel]:
    schema = ModelSchema.model_validate_json(description)
    names = dict.fromkeys((*schema.identifiers, *schema.shortname, *schema.attributes, *schema.children.values()))
    fields: dict[str, Any] = dict.fromkeys(names, (Any, None))
    fields |= {name: (Any, []) for name in schema.children.values()}
    model: Any = type(
        "StoredModel",
        (StoredModel,),
        {
            "__module__": __name__,
            "__annotations__": {name: annotation for name, (annotation, _) in fields.items()},
            **{name: default for name, (_, default) in fields.items()},
            "_schema": schema,
            "_modelname": schema.name,
            "_identifiers": schema.identifiers,
            "_shortname": schema.shortname,
            "_attributes": schema.attributes,
            "_children": dict(schema.children),
            "_left_alone": dict(schema.left_alone),
            "_secrets": tuple(name for name in schema.secrets if name in names),
        },
    )
    return model  # type: ignore[no-any-return]
