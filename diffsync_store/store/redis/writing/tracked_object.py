"""A reference to an object that the program may still change."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

from diffsync_store.introspection.model_classes import library_base, per_class
from diffsync_store.values.codec import pack
from diffsync_store.values.errors import NotStorable
from diffsync_store.values.known_classes import known_classes
from diffsync_store.values.models import build


class TrackedObject(weakref.ref):  # type: ignore[type-arg]  # generic only in stubs
    """A weak reference to an object, with its values and the value in Redis.

    The values outlive the object. In `adapter.get(Site, "x").tags.append("y")` Python drops the object before the list
    changes; the list is still one of the values, so the change is found.
    """

    __slots__ = ("fields", "identity", "kind", "more", "uid", "written")

    identity: int
    """`id` of the object."""
    kind: Any
    """Class of the object; None if its values are not held, because every change of it is reported."""
    fields: dict[str, Any]
    """The `__dict__` of the object, or a copy of its stored part."""
    more: tuple[Any, ...] | None
    """Extra values, private attributes and slots, for classes that have them."""
    uid: str
    """The unique id under which the object is stored; its identifiers may have changed since."""
    written: bytes | int
    """The value as it was read, or the hash of the value that this process has written; 0 if Redis has none."""

    def has_written(self, value: bytes) -> bool:
        """Whether this process has read or written exactly this value."""
        return self.written == (hash(value) if isinstance(self.written, int) else value)

    def hold_values(self, obj: Any) -> None:
        """Hold the values that the object has now."""
        self.kind = kind = type(obj)
        stored, has_more = _parts(kind)
        self.fields = obj.__dict__
        self.more = _more_of(obj) if has_more else None
        if stored is not None:
            self.fields = {name: self.fields[name] for name in stored if name in self.fields}

    def restored(self) -> Any:
        """Return a new object with the values of the dropped one."""
        extra, private, slots = self.more or (None, None, {})
        names = self.fields.keys() - {"adapter"}
        obj = build(self.kind, self.fields, names, extra, private)
        for name, value in slots.items():
            object.__setattr__(obj, name, value)
        return obj


@per_class
def _parts(kind: Any) -> tuple[tuple[str, ...] | None, bool]:
    """Return the stored fields of a class, or None if all are; and whether its objects have values besides the fields.

    Fields that are not stored may refer to other objects; to hold them would keep those alive.
    """
    excluded = {name for name, field in kind.model_fields.items() if field.exclude} - {"adapter"}
    stored = tuple(name for name in kind.model_fields if name not in excluded) if excluded else None
    return stored, has_more_values(kind)


def has_more_values(kind: Any) -> bool:
    """Whether objects of a class have values besides the fields."""
    return kind.model_config.get("extra") == "allow" or bool(_private_names(kind))


def _private_names(kind: Any) -> set[str]:
    return set(kind.__private_attributes__) - set(library_base(kind).__private_attributes__)


def _more_of(obj: Any) -> tuple[Any, ...]:
    """Return the extra values, the storable private attributes and the slots of an object."""
    slots = {name: getattr(obj, name) for name in getattr(obj, "_kept_slots", ()) if hasattr(obj, name)}
    return obj.__pydantic_extra__, _storable_private(obj), slots


def _storable_private(obj: Any) -> dict[str, Any]:
    kind, found = type(obj), {}
    for name in _private_names(kind):
        with suppress(KeyError, TypeError, NotStorable):
            value = obj.__pydantic_private__[name]
            pack(value, known_classes(kind).allows)
            found[name] = value
    return found
