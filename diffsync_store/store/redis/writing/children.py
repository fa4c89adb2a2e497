"""The children that an object lists."""

from __future__ import annotations

from typing import Any

from diffsync_store.introspection.model_classes import per_class


def children_of(obj: Any) -> dict[str, list[str]] | None:
    """Return the unique ids of an object's children by child model; None for an object of a model without children."""
    fields = _children_fields(type(obj))
    return {model: _ids(getattr(obj, field, None)) for model, field in fields} if fields else None


def has_children(kind: Any) -> bool:
    """Whether objects of a class may list children."""
    return bool(_children_fields(kind))


@per_class
def _children_fields(model: Any) -> tuple[tuple[str, str], ...]:
    return tuple(model.get_children_mapping().items())


def _ids(listed: Any) -> list[str]:
    """Return listed ids as text. Values that are no ids have no object, so they are left out."""
    try:
        return [uid if isinstance(uid, str) else str(uid) for uid in listed if isinstance(uid, str | int | float)]
    except TypeError:  # nothing to iterate over
        return []
