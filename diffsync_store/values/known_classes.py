"""The classes that the values of a model may have: those that its annotations name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from diffsync_store.introspection.model_classes import per_class
from diffsync_store.values.custom_classes import class_name


class KnownClasses:
    """The classes that the annotations of a model name, and their subclasses.

    Data cannot name other classes: nothing is imported by a name from data.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        found: dict[Any, None] = {}
        for field in model.model_fields.values():
            _collect(field.annotation, found)
        self._bases: dict[Any, None] = dict.fromkeys(
            kind for kind in found if isinstance(kind, type) and kind not in _TOO_WIDE
        )
        self._by_name: dict[str, type[Any]] = {}

    def allows(self, kind: Any) -> bool:
        """Whether the class is one of them. It compares by `__mro__`, because TypedDict does not support `issubclass`."""
        return any(base in self._bases for base in kind.__mro__)

    def find(self, name: str) -> type[Any] | None:
        """Return the class with this `class_name`, or None."""
        found = self._by_name.get(name)
        if found is None:
            self._by_name = {class_name(kind): kind for base in self._bases for kind in subclasses_of(base)}
            found = self._by_name.get(name)
        return found


_TOO_WIDE = (object, type, type(None), list, dict, set, frozenset)


@per_class
def known_classes(model: Any) -> KnownClasses:
    """Return the known classes of a model."""
    return KnownClasses(model)


def subclasses_of(kind: Any) -> dict[Any, None]:
    """Return the class and its current subclasses; of two with the same name, the newer is later."""
    found: dict[Any, None] = {}
    pending = [kind]
    while pending:
        one = pending.pop(0)
        if one not in found:
            found[one] = None
            pending += type.__subclasses__(one)
    return found


def _collect(annotation: Any, found: dict[Any, None]) -> None:
    """Add everything that an annotation names, at any depth, including the fields of classes."""
    try:
        if annotation in found:
            return
    except TypeError:  # a list of arguments, or unhashable metadata
        return
    found[annotation] = None
    origin = get_origin(annotation)
    if origin is Literal:
        found |= dict.fromkeys(map(type, get_args(annotation)))
        return
    for part in (origin, *get_args(annotation), *_parts_of(annotation)):
        if part is not None:
            _collect(part, found)


def _parts_of(annotation: Any) -> Iterable[Any]:
    """Return the types behind an alias or a type variable, or the annotations of the fields of a class."""
    if isinstance(annotation, TypeVar):
        return (annotation.__bound__, *annotation.__constraints__)
    if not isinstance(annotation, type):
        return (getattr(annotation, "__value__", None), getattr(annotation, "__supertype__", None))
    if issubclass(annotation, BaseModel):
        return [field.annotation for field in annotation.model_fields.values()]
    if (
        dataclasses.is_dataclass(annotation)
        or hasattr(annotation, "_fields")
        or hasattr(annotation, "__required_keys__")
    ):
        try:
            return get_type_hints(annotation, include_extras=True).values()
        except Exception:  # noqa: BLE001  # an annotation may name something that no longer exists
            return ()
    return ()
