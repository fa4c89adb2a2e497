"""What became of an operation that a killed sync had sent, and a store that has not heard of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncModelFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import ObjectAlreadyExists, ObjectNotFound, ObjectStoreException
from diffsync_store.hooks import hook
from diffsync_store.model import DiffSyncModel
from diffsync_store.store.serialization import decode
from diffsync_store.sync.preconditions import differing
from diffsync_store.values.codec import equal
from diffsync_store.values.readable import restored


def look_up(
    adapter: Any, model: type[DiffSyncModel], elements: Sequence[DiffElement], call: Callable[[Callable[[], Any]], Any]
) -> list[Any]:
    """What the target's system has for elements of a model: attributes, None, or NotImplemented where nobody can tell.

    Args:
        adapter: the target.
        model: the class of the records.
        elements: what to look up.
        call: makes one call.
    """
    ids = [restored(model, element.keys) for element in elements]
    many, one = hook(model, "lookup_many"), hook(model, "lookup")
    if many is not None and (one is None or len(ids) > 1):
        found = call(lambda: many(adapter, ids))
        if found is not NotImplemented:
            return _one_each(model, ids, found)
    if one is None:
        return [NotImplemented] * len(ids)
    return [call(lambda each=each: one(adapter, each)) for each in ids]  # type: ignore[misc]  # a default of a lambda


def _one_each(model: type[DiffSyncModel], ids: list[dict[str, Any]], found: Any) -> list[Any]:
    """The answers of a `lookup_many` in the order of the ids."""
    if isinstance(found, Mapping):
        return [found.get(model.create_unique_id(**each)) for each in ids]
    answers = list(found)
    return answers if len(answers) == len(ids) else [NotImplemented] * len(ids)


def can_be_looked_up(model: type[DiffSyncModel]) -> bool:
    """Whether a model says what its system has."""
    return hook(model, "lookup") is not None or hook(model, "lookup_many") is not None


def outcome(element: DiffElement, obj: DiffSyncModel | None, now: Any) -> State | None:
    """What became of an operation that was sent: DONE, PENDING where it was not done, CONFLICT, None if unknown.

    Args:
        element: the operation.
        obj: the target store's object. A store takes in a new object, and removes one, after the system has.
        now: what `look_up` has found.
    """
    if now is NotImplemented:
        is_done = (element.action == DiffSyncActions.CREATE) is (obj is not None)
        return State.DONE if is_done and element.action != DiffSyncActions.UPDATE else None
    if element.action == DiffSyncActions.CREATE:
        return State.PENDING if now is None else _done_if(not differing(element.source_attrs or {}, now))
    if element.action == DiffSyncActions.DELETE:
        return State.DONE if now is None else _pending_if(not differing(element.dest_attrs or {}, now))
    changes = element.get_attrs_diffs()
    if now is None:
        return State.CONFLICT
    return State.DONE if not differing(changes["+"], now) else _pending_if(not differing(changes["-"], now))


def _done_if(holds: bool) -> State:
    return State.DONE if holds else State.CONFLICT


def _pending_if(holds: bool) -> State:
    return State.PENDING if holds else State.CONFLICT


def bring_along(
    adapter: Any,
    element: DiffElement,
    obj: DiffSyncModel | None,
    parent: DiffSyncModel | None,
    fields: str = "",
    *,
    now: Mapping[str, Any] | None = None,
) -> DiffSyncModel | None:
    """Put into the target's store what was done in its system, without calling the system; return the object.

    Args:
        adapter: the target.
        element: the operation that was done.
        obj: the store's object.
        parent: the store's object above it.
        fields: the object that a create has returned, as JSON, where it is known.
        now: what a look at the system has shown, where somebody has looked.
    """
    if element.action == DiffSyncActions.UPDATE:
        return obj and with_values(obj, {**element.get_attrs_diffs()["+"], **beyond(type(obj), now)})
    if element.action == DiffSyncActions.CREATE:
        if obj is None:
            obj = made(adapter, element, fields, now)
            adapter.add(obj)
        else:
            with_values(obj, {**(element.source_attrs or {}), **beyond(type(obj), now)})
        listed(obj, parent)
        return obj
    if parent is not None:  # which may list it though it has gone: the two are not written at once
        unlisted(obj or made(adapter, element), parent)
    if obj is not None:
        flags = obj.model_flags
        adapter.remove(obj, remove_children=DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE in flags)
    return None


def beyond(model: type[DiffSyncModel], now: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a look at the system has shown of the fields that a diff does not compare, such as the system's own id."""
    known = {*model._identifiers, *model._attributes, *model._children.values(), "adapter", "model_flags"}
    return {name: value for name, value in (now or {}).items() if name in model.model_fields and name not in known}


def made(adapter: Any, element: DiffElement, fields: str = "", now: Mapping[str, Any] | None = None) -> DiffSyncModel:
    """The object that a create has made, or a delete has removed, without making it in the system again."""
    model: type[DiffSyncModel] = getattr(adapter, element.type)
    if fields:
        try:
            obj: DiffSyncModel = decode(model, fields.encode(), element.uid or "")
        except ObjectStoreException:  # the class has changed since: its values are known all the same
            pass
        else:
            obj.adapter = adapter
            return obj
    attrs = element.source_attrs if element.source_attrs is not None else element.dest_attrs
    ids, attrs = restored(model, element.keys), {**restored(model, attrs or {}), **beyond(model, now)}
    found = model.create_base(adapter=adapter, ids=ids, attrs=attrs)
    assert found is not None  # noqa: S101  # for the type checker: the base class always returns it
    return found


def with_values(obj: DiffSyncModel, values: Mapping[str, Any]) -> DiffSyncModel:
    """The object with these values, which may have been JSON in between."""
    for name, value in restored(type(obj), values).items():
        if not equal(getattr(obj, name), value):
            with suppress(AttributeError):  # it is computed, from fields that are not compared
                setattr(obj, name, value)
    return obj


def under(obj: DiffSyncModel, old: DiffSyncModel | None, new: DiffSyncModel | None) -> None:
    """Have the object listed by its new parent and no longer by its old one."""
    unlisted(obj, old)
    listed(obj, new)


def listed(obj: DiffSyncModel, parent: DiffSyncModel | None) -> None:
    """See to it that a parent lists an object."""
    if parent is not None:
        try:
            parent.add_child(obj)
        except ObjectAlreadyExists:
            return


def unlisted(obj: DiffSyncModel, parent: DiffSyncModel | None) -> None:
    """See to it that a parent does not list an object."""
    if parent is not None:
        try:
            parent.remove_child(obj)
        except ObjectNotFound:
            return
