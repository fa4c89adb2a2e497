"""What the code of a model class reports about an object, stored for readers that lack the class."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from diffsync_store.compare import normalisers
from diffsync_store.introspection.model_classes import dumps_as_is, library_base, overrides, per_class
from diffsync_store.model import DiffSyncModel


class ReportedValues(BaseModel):
    """What is stored of an object beside its fields; None where nothing is."""

    get_identifiers: dict[str, Any] | None = None
    get_attrs: dict[str, Any] | None = None
    get_unique_id: str | None = None
    get_shortname: str | None = None
    normal_forms: dict[str, Any] | None = None
    kind: str | None = None
    """Name of the object's class, where it is another than the one that the adapter declares."""
    shape: str | None = None
    """The `ModelSchema` of that class."""
    private: dict[str, Any] | None = None
    """Values of private attributes."""


NOTHING_REPORTED = ReportedValues()
REPORTED_METHODS = ("get_identifiers", "get_attrs", "get_unique_id", "get_shortname", "normal_forms")


@per_class
def reported_values_of(model: type[DiffSyncModel]) -> tuple[str, ...]:
    """Which of a model's statements about itself a reader without the class could not make from the fields."""
    root = library_base(model)
    return tuple(
        name
        for name in REPORTED_METHODS
        if getattr(model, name, None) is not getattr(root, name, None)
        or (name == "normal_forms" and normalisers(model))
        or (name == "get_unique_id" and _makes_own_unique_ids(model, root))
        or (name in {"get_attrs", "get_identifiers"} and overrides(model, ("dict",)))
        or (name == "get_identifiers" and not dumps_as_is(model, model._identifiers))
    )


def _makes_own_unique_ids(model: type[DiffSyncModel], root: type[DiffSyncModel]) -> bool:
    owner = next(base for base in model.__mro__ if "create_unique_id" in vars(base))
    return owner is not root
