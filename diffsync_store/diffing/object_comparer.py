"""What two objects have in common by their classes, worked out once for each pair of classes."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from diffsync_store.compare import normalisers
from diffsync_store.introspection.model_classes import CONTENT, IDENTITY, dumps_as_is, overrides

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

Fields = Callable[[dict[str, Any]], Any]
Shared = tuple[str, str, str]
"""A child model and its field on either side, empty where a side does not take part."""


class ObjectComparer:
    """Answers about objects of two sides, for one comparison."""

    def __init__(self) -> None:
        self._fields: dict[tuple[Any, Any], Fields | None] = {}
        self._children: dict[tuple[Any, Any], tuple[list[Shared], list[tuple[int, str]]]] = {}

    def equal(self, source: DiffSyncModel | None, target: DiffSyncModel | None) -> bool:
        """Whether two objects are surely equal; where they are not, that has yet to be found out."""
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
        except Exception:  # noqa: BLE001  # whatever a value's own `==` raises
            return False

    def children(
        self, source: DiffSyncModel | None, target: DiffSyncModel | None
    ) -> tuple[list[Shared], list[tuple[DiffSyncModel, str]]]:
        """The child models to compare below two objects, and the fields of those that only one side has.

        Where both sides have the object, a child model that only one of the classes declares says nothing of what the
        other side has: its children are left alone.
        """
        classes = type(source), type(target)
        try:
            shared, alone = self._children[classes]
        except KeyError:
            shared, alone = self._children[classes] = _child_models(source, target)
        if not alone:
            return shared, []
        sides: tuple[Any, Any] = source, target
        return shared, [(sides[side], field) for side, field in alone]


def _comparable_fields(source: type[DiffSyncModel], target: type[DiffSyncModel]) -> Fields | None:
    """What reads the fields whose values decide, if values decide."""
    if source._modelname != target._modelname or not (_is_plain(source) and _is_plain(target)):
        return None
    if (source._identifiers, source._shortname) != (target._identifiers, target._shortname):
        return None
    shared = [name for name in source._attributes if name in target._attributes]
    names = dict.fromkeys((*source._identifiers, *source._shortname, *shared))
    return itemgetter(*names) if names else None


def _is_plain(model: type[DiffSyncModel]) -> bool:
    """Whether equal fields make objects that say the same of themselves."""
    names = {*model._identifiers, *model._shortname, *model._attributes}
    return not overrides(model, (*IDENTITY, *CONTENT)) and dumps_as_is(model, names) and not normalisers(model)


def _child_models(
    source: DiffSyncModel | None, target: DiffSyncModel | None
) -> tuple[list[Shared], list[tuple[int, str]]]:
    mappings = [{} if obj is None else obj.get_children_mapping() for obj in (source, target)]
    there = [mapping for obj, mapping in zip((source, target), mappings, strict=True) if obj is not None]
    models = dict.fromkeys(model for mapping in there for model in mapping)
    shared = [model for model in models if all(model in mapping for mapping in there)]
    alone = [
        (side, field)
        for side, mapping in enumerate(mappings)
        for model, field in mapping.items()
        if model not in shared
    ]
    return [(model, mappings[0].get(model, ""), mappings[1].get(model, "")) for model in shared], alone
