"""The target's store, updated after its system. Nothing here calls the system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from diffsync_store._adapter_like import overrides
from diffsync_store.adapter import Adapter
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncModelFlags
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotFound, ObjectNotStorable, ObjectStoreException
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.serialization import decode, encode
from diffsync_store.sync.steps import Step
from diffsync_store.sync_elements import TargetElements
from diffsync_store.values.codec import equal
from diffsync_store.values.readable import restored


class TargetStore:
    """The objects of a sync's target.

    Args:
        target: The adapter.
        elements: Its elements in the diff.
    """

    def __init__(self, target: Adapter, elements: TargetElements) -> None:
        self._target = target
        self._elements = elements
        self._has_own_get = overrides(target, "get") or target.store.overrides("get")
        """The target's own `get` decides which objects it has."""

    def load(self, steps: Iterable[Step]) -> None:
        """Load the objects of steps and their parents, with one request per model."""
        wanted: dict[str, dict[str, list[Step]]] = {}
        uid = self._elements.uid
        for step in steps:
            wanted.setdefault(step.element.type, {}).setdefault(uid(step.element), []).append(step)
            parent = step.parent
            if parent is not None and parent.obj is None and not parent.block_reason:
                wanted.setdefault(parent.element.type, {}).setdefault(uid(parent.element), []).append(parent)
        for model, by_uid in wanted.items():
            for name, obj in self._target.store.fetch(model, list(by_uid)).items():
                for step in by_uid[name]:
                    step.obj = obj

    def find(self, step: Step) -> DiffSyncModel | None:
        """Return the current object of a loaded step: another operation or a hook may have added or removed it."""
        element = step.element
        if not self._has_own_get:
            return self._target.store.get_cached(element.type, element.uid or self._elements.uid(element))
        try:
            return self._target.get(self._elements.model(element.type), element.keys)
        except ObjectNotFound:
            return None

    def object_at(self, path: tuple[DiffElement, ...]) -> DiffSyncModel | None:
        """Return the object of the last element of a path; None for an empty path."""
        if not path:
            return None
        element = path[-1]
        uid = self._elements.uid(element)
        return self._target.store.fetch(element.type, [uid]).get(uid)

    def update(self, step: Step, obj: DiffSyncModel | None, done: DiffSyncModel) -> None:
        """Add, change or remove an object as its system has done.

        Args:
            step: The operation.
            obj: The store's object before the operation.
            done: The object that the model has returned.
        """
        parent = parent_of(step)
        if step.action == DiffSyncActions.UPDATE:
            self._target.store.mark_dirty(done)
        elif step.action == DiffSyncActions.CREATE:
            self._target.add(done)
            _add_child(parent, done)
        elif step.action == DiffSyncActions.DELETE and obj is not None:
            skips = _skips_children(obj)
            with suppress(ObjectNotFound):  # the model has removed it itself
                self._target.remove(obj, remove_children=skips)
            _remove_child(parent, obj)

    def restore(
        self, step: Step, obj: DiffSyncModel | None, fields: str = "", now: Mapping[str, Any] | None = None
    ) -> None:
        """Apply to the store an operation that an interrupted sync has done in the system.

        Args:
            step: The operation that was done.
            obj: The store's object.
            fields: The object that a create has returned, as JSON, if it is known.
            now: What `look_up` has returned, if it was called.
        """
        element, parent = step.element, parent_of(step)
        if element.action == DiffSyncActions.UPDATE:
            if obj is not None:
                set_values(obj, {**element.get_attrs_diffs()["+"], **_other_fields(type(obj), now)})
        elif element.action == DiffSyncActions.CREATE:
            if obj is None:
                obj = self.build(element, fields, now)
                self._target.add(obj)
            else:
                set_values(obj, {**(element.source_attrs or {}), **_other_fields(type(obj), now)})
            _add_child(parent, obj)
        else:
            if parent is not None:  # it may list the object that is gone: the two are not written together
                _remove_child(parent, obj or self.build(element))
            if obj is not None:
                skips = _skips_children(obj)
                self._target.remove(obj, remove_children=skips)
            obj = None
        step.obj = obj

    def move(self, step: Step, obj: DiffSyncModel, old_parent: DiffSyncModel | None) -> None:
        """Put an object under its new parent, with its new attributes."""
        set_values(obj, step.element.get_attrs_diffs()["+"])
        _remove_child(old_parent, obj)
        _add_child(parent_of(step), obj)
        self._target.store.mark_dirty(obj)
        step.obj = obj

    def unlink(self, step: Step, obj: DiffSyncModel) -> None:
        """Remove an object from the children of its old parent; it is below another one now."""
        _remove_child(parent_of(step), obj)

    def build(self, element: DiffElement, fields: str = "", now: Mapping[str, Any] | None = None) -> DiffSyncModel:
        """Return the object of a create or a delete, without calling its system."""
        model = self._elements.model(element.type)
        if fields:
            with suppress(ObjectStoreException):  # the class has changed since; the attributes are known from the diff
                obj: DiffSyncModel = decode(model, fields.encode(), element.uid or "")
                obj.adapter = self._target
                return obj
        attrs = element.source_attrs if element.source_attrs is not None else element.dest_attrs
        ids, attrs = restored(model, element.keys), {**restored(model, attrs or {}), **_other_fields(model, now)}
        found = model.create_base(adapter=self._target, ids=ids, attrs=attrs)
        assert found is not None  # noqa: S101  # for the type checker: the base class always returns it
        return found

    def set_found(self, step: Step, obj: DiffSyncModel | None, now: Any) -> DiffSyncModel | None:
        """Return the object of an operation whose answer was lost and that was done, as `look_up` has found."""
        if step.action == DiffSyncActions.CREATE:
            return self.build(step.element, now=now)
        if obj is not None and step.action == DiffSyncActions.UPDATE:
            return set_values(obj, {**step.element.get_attrs_diffs()["+"], **_other_fields(type(obj), now)})
        return obj


def _skips_children(obj: DiffSyncModel) -> bool:
    """Whether an object has the flag, which may be one of diffsync's own enum."""
    return bool(obj.model_flags.value & DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE.value)


def parent_of(step: Step) -> DiffSyncModel | None:
    """Return the store's object above a step."""
    return None if step.parent is None else step.parent.obj


def set_values(obj: DiffSyncModel, values: Mapping[str, Any]) -> DiffSyncModel:
    """Set the attributes that differ from these values, which may be in JSON form."""
    for name, value in restored(type(obj), values).items():
        if not equal(getattr(obj, name), value):
            with suppress(AttributeError):  # computed from fields that are not compared
                setattr(obj, name, value)
    return obj


def restore_values(obj: DiffSyncModel, before: Mapping[str, Any], names: Iterable[str]) -> None:
    """Undo the changes of an object by a failed update."""
    for name in names:
        if name not in before or vars(obj).get(name) is before[name]:
            continue  # computed, or not changed
        with suppress(AttributeError, ValueError):
            setattr(obj, name, before[name])


def encoded_fields(step: Step, done: DiffSyncModel | None) -> str:
    """Return a created object as JSON, for the journal; empty for other operations."""
    if done is None or step.action != DiffSyncActions.CREATE:
        return ""
    try:
        return encode(done).decode()
    except ObjectNotStorable:  # the store refuses it too; the attributes are known from the diff
        return ""


def _other_fields(model: type[DiffSyncModel], now: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the looked-up fields that a diff does not compare, such as an id of the system."""
    if not now:
        return {}
    compared = {*model._identifiers, *model._attributes, *model._children.values(), "adapter", "model_flags"}
    return {name: value for name, value in now.items() if name in model.model_fields and name not in compared}


def _add_child(parent: DiffSyncModel | None, obj: DiffSyncModel) -> None:
    if parent is not None:
        with suppress(ObjectAlreadyExists):
            parent.add_child(obj)


def _remove_child(parent: DiffSyncModel | None, obj: DiffSyncModel) -> None:
    if parent is not None:
        with suppress(ObjectNotFound):
            parent.remove_child(obj)
