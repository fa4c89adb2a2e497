"""Building the element of a diff from a pair of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from itertools import chain
from typing import Any

from diffsync_store._adapter_like import AdapterLike
from diffsync_store.compare import normal_forms
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.exceptions import DiffClassMismatch
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import secret_fields
from diffsync_store.values.codec import equal


class Pair:
    """An object on one or both sides, and the differences below it."""

    __slots__ = ("below", "has_counted", "source", "target", "uid", "unchanged")

    def __init__(self, uid: str, source: DiffSyncModel | None, target: DiffSyncModel | None) -> None:
        self.uid = uid
        self.source = source
        self.target = target
        self.below: dict[str, list[DiffElement]] = {}
        """Elements below it by model, in the order of the class's child models."""
        self.unchanged = 0
        """Equal objects below it, which are counted and not built."""
        self.has_counted = False
        """Whether `unchanged` has all children that are equal by the indexes."""

    @property
    def model(self) -> str:
        """The model of the object."""
        obj: Any = self.source if self.source is not None else self.target
        return str(obj.get_type())

    @property
    def has_elements_below(self) -> bool:
        """Whether there are elements below it."""
        return any(self.below.values())


class ElementBuilder:
    """Builds the elements of one comparison."""

    def __init__(self, source: AdapterLike, target: AdapterLike, diff_class: type[Diff]) -> None:
        self._adapters = source, target
        self._diff_class = diff_class
        self._names = {"source_name": str(source.name), "dest_name": str(target.name)}
        self._secrets_of: dict[tuple[str, type, type], frozenset[str]] = {}

    def build(self, pair: Pair) -> DiffElement:
        """Build the element of a pair, with the elements below it.

        Raises:
            DiffClassMismatch: the objects have different types.
            ValueError: they have different names or identifiers.
            ObjectAlreadyExists: two children have the same name.
        """
        source, target = pair.source, pair.target
        obj: Any = source if source is not None else target
        model, name, keys = obj.get_type(), obj.get_shortname(), obj.get_identifiers()
        if source is not None and target is not None:
            _require_comparable(model, name, keys, target, target.get_identifiers())
        element = DiffElement(model, name, keys, diff_class=self._diff_class, **self._names)
        element.uid = pair.uid
        if secrets := self._secrets(model, source, target):
            element._secrets = secrets
        if source is not None:
            element.source_attrs = source.get_attrs()
            element.flags |= source.model_flags.value
        if target is not None:
            element.dest_attrs = target.get_attrs()
            element.flags |= target.model_flags.value
        if source is not None and target is not None:
            forms, others = _normal_forms(source, target)
            element.equal = _equal_attributes(forms, others) | _left_alone(source, target)
            if others:
                element.target_forms = others
        for below in chain.from_iterable(pair.below.values()):
            element.add_child(below)
        element.child_diff.unchanged = pair.unchanged
        return element

    def _secrets(self, model: str, source: DiffSyncModel | None, target: DiffSyncModel | None) -> frozenset[str]:
        """Return the fields that the class of either side declares as secret."""
        key = model, type(source), type(target)
        found = self._secrets_of.get(key)
        if found is None:
            declared = (getattr(adapter, model, None) for adapter in self._adapters)
            found = self._secrets_of[key] = secret_fields(type(source), type(target), *declared)
        return found


def _normal_forms(source: DiffSyncModel, target: DiffSyncModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the normal forms of both sides; nothing if only one of them declares a comparison."""
    forms = normal_forms(source)
    return forms, normal_forms(target) if forms else forms


def _equal_attributes(forms: Mapping[str, Any], others: Mapping[str, Any]) -> frozenset[str]:
    """Return the attributes with a declared comparison whose normal forms are equal."""
    return frozenset(name for name in forms if name in others and forms[name] == others[name])


def _left_alone(source: DiffSyncModel, target: DiffSyncModel) -> frozenset[str]:
    """Return the attributes of the target that a sync leaves as they are."""
    rules: Mapping[str, str] = getattr(type(target), "_left_alone", {})
    return frozenset(
        name
        for name, rule in rules.items()
        if rule == "always" or not _is_empty(getattr(target, name)) or _is_empty(getattr(source, name, None))
    )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, Sized) and not len(value))


def _require_comparable(
    model: str, name: str, keys: dict[str, Any], target: DiffSyncModel, target_keys: dict[str, Any]
) -> None:
    if target.get_type() != model:
        raise DiffClassMismatch(f"Type mismatch: {model} vs {target.get_type()}")
    if target.get_shortname() != name:
        raise ValueError(f"Shortname mismatch: {name} vs {target.get_shortname()}")
    if not equal(target_keys, keys):
        raise ValueError(f"Keys mismatch: {keys} vs {target_keys}")
