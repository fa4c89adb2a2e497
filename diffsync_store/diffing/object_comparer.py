"""Comparison of two objects. What follows from their classes is computed once for each pair of classes."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from diffsync_store.compare import normalisers
from diffsync_store.introspection.model_classes import CONTENT, IDENTITY, dumps_as_is, overrides
from diffsync_store.model import DiffSyncModel

FieldGetter = Callable[[dict[str, Any]], Any]
SharedChildren = tuple[str, str, str]
"""A child model and the field that lists the children on each side; empty if that side has no object."""


class ObjectComparer:
    """Compares objects of two sides during one comparison."""

    def __init__(self) -> None:
        self._fields: dict[tuple[Any, Any], FieldGetter | None] = {}
        self._children: dict[tuple[Any, Any], tuple[list[SharedChildren], list[tuple[int, str]]]] = {}

    def equal(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> bool:
        """Return True if two objects are certainly equal; False means unknown."""
        if source is None or target is None:
            return False
        classes = type(source), type(target)
        try:
            fields = self._fields[classes]
        except KeyError:
            fields = self._fields[classes] = _comparable_fields(*classes)
        if fields is None:
            return False
        try:
            return bool(fields(source.__dict__) == fields(target.__dict__))
        except Exception:  # noqa: BLE001  # the `==` of a value may raise anything
            return False

    def children(
        self, source: DiffSyncModel | None, target: DiffSyncModel | None
    ) -> tuple[list[SharedChildren], list[tuple[DiffSyncModel, str]]]:
        """Return the child models to compare, and the fields of child models that are skipped.

        A child model is skipped if both sides have the object and only one class declares the child model.
        """
        classes = type(source), type(target)
        try:
            shared, one_sided = self._children[classes]
        except KeyError:
            shared, one_sided = self._children[classes] = _child_models(source, target)
        if not one_sided:
            return shared, []
        sides: tuple[Any, Any] = source, target
        return shared, [(sides[side], field) for side, field in one_sided]


def _comparable_fields(source: type[DiffSyncModel], target: type[DiffSyncModel]) -> FieldGetter | None:
    """Return a getter of the fields to compare, or None if equal fields do not imply equal objects."""
    if source._modelname != target._modelname or not (_is_plain(source) and _is_plain(target)):
        return None
    if (source._identifiers, source._shortname) != (target._identifiers, target._shortname):
        return None
    shared = [name for name in source._attributes if name in target._attributes]
    names = dict.fromkeys((*source._identifiers, *source._shortname, *shared))
    return itemgetter(*names) if names else None


def _is_plain(model: type[DiffSyncModel]) -> bool:
    """Whether objects with equal fields are equal."""
    names = {*model._identifiers, *model._shortname, *model._attributes}
    return not overrides(model, (*IDENTITY, *CONTENT)) and dumps_as_is(model, names) and not normalisers(model)


def _child_models(
    source: DiffSyncModel | None, target: DiffSyncModel | None
) -> tuple[list[SharedChildren], list[tuple[int, str]]]:
    mappings = [{} if obj is None else obj.get_children_mapping() for obj in (source, target)]
    present = [mapping for obj, mapping in zip((source, target), mappings, strict=True) if obj is not None]
    models = dict.fromkeys(model for mapping in present for model in mapping)
    shared = [model for model in models if all(model in mapping for mapping in present)]
    one_sided = [
        (side, field)
        for side, mapping in enumerate(mappings)
        for model, field in mapping.items()
        if model not in shared
    ]
    return [(model, mappings[0].get(model, ""), mappings[1].get(model, "")) for model in shared], one_sided
