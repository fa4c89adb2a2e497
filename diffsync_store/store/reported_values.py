"""Results of the code of a model class, stored with each object for readers that lack the class."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from diffsync_store.compare import normalisers
from diffsync_store.introspection.model_classes import dumps_as_is, library_base, overrides, per_class
from diffsync_store.model import DiffSyncModel


class ReportedValues(BaseModel):
    """Values that are stored with an object besides its fields; None if there are none."""

    get_identifiers: dict[str, Any] | None = None
    get_attrs: dict[str, Any] | None = None
    get_unique_id: str | None = None
    get_shortname: str | None = None
    normal_forms: dict[str, Any] | None = None
    kind: str | None = None
    """Name of the object's class, if the adapter declares another class."""
    shape: str | None = None
    """The `ModelSchema` of that class."""
    private: dict[str, Any] | None = None
    """Values of private attributes."""


NOTHING_REPORTED = ReportedValues()
REPORTED_METHODS = ("get_identifiers", "get_attrs", "get_unique_id", "get_shortname", "normal_forms")


@per_class
def reported_values_of(model: type[DiffSyncModel]) -> tuple[str, ...]:
    """Return the methods of a model whose results a reader without the class cannot compute from the fields."""
    root = library_base(model)
    return tuple(
        name
        for name in REPORTED_METHODS
        if getattr(model, name, None) is not getattr(root, name, None)
        or (name == "normal_forms" and normalisers(model))
        or (name == "get_unique_id" and _overrides_create_unique_id(model, root))
        or (name in {"get_attrs", "get_identifiers"} and overrides(model, ("dict",)))
        or (name == "get_identifiers" and not dumps_as_is(model, model._identifiers))
    )


def _overrides_create_unique_id(model: type[DiffSyncModel], root: type[DiffSyncModel]) -> bool:
    owner = next(base for base in model.__mro__ if "create_unique_id" in vars(base))
    return owner is not root
