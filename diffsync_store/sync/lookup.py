"""Look up records in the target's system, and compare them with the values that the diff expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diffsync_store.compare import normalisers
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.enum import OperationState as State
from diffsync_store.hooks import hook
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import redact_values, secret_fields
from diffsync_store.values.codec import equal
from diffsync_store.values.readable import canonical, restored

_WITHOUT_RECORD = {
    DiffSyncActions.CREATE: State.PENDING,
    DiffSyncActions.UPDATE: State.CONFLICT,
    DiffSyncActions.DELETE: State.DONE,
}
"""The state of an operation whose record does not exist."""


def can_look_up(model: type[DiffSyncModel]) -> bool:
    """Whether a model can look up its records in its system."""
    return hook(model, "lookup") is not None or hook(model, "lookup_many") is not None


def look_up(
    adapter: Any, model: type[DiffSyncModel], elements: Sequence[DiffElement], call: Callable[[Callable[[], Any]], Any]
) -> list[Any]:
    """Return the attributes of each record in the target's system; None if there is none, NotImplemented if unknown.

    Args:
        adapter: The target.
        model: Class of the records.
        elements: Elements to look up.
        call: Makes one call.
    """
    ids = [restored(model, element.keys) for element in elements]
    many, one = hook(model, "lookup_many"), hook(model, "lookup")
    if many is not None and (one is None or len(ids) > 1):
        found = call(lambda: many(adapter, ids))
        if found is not NotImplemented:
            return _in_order(model, ids, found)
    if one is None:
        return [NotImplemented] * len(ids)
    return [call(lambda each=each: one(adapter, each)) for each in ids]  # type: ignore[misc]  # a default of a lambda


def _in_order(model: type[DiffSyncModel], ids: list[dict[str, Any]], found: Any) -> list[Any]:
    """Return the answers of a `lookup_many` in the order of the ids."""
    if isinstance(found, Mapping):
        return [found.get(model.create_unique_id(**each)) for each in ids]
    answers = list(found)
    return answers if len(answers) == len(ids) else [NotImplemented] * len(ids)


def outcome(element: DiffElement, obj: DiffSyncModel | None, now: Any, model: Any) -> State | None:
    """Return the state of an operation whose answer was lost: DONE, PENDING, CONFLICT, or None if unknown.

    Args:
        element: The operation.
        obj: The target store's object. The store is always updated after the system.
        now: What `look_up` has returned.
        model: Class of the record.
    """
    if now is NotImplemented:
        is_done = (element.action == DiffSyncActions.CREATE) is (obj is not None)
        return State.DONE if is_done and element.action != DiffSyncActions.UPDATE else None
    if now is None:
        return _WITHOUT_RECORD[str(element.action)]
    changes = element.get_attrs_diffs()
    if element.action != DiffSyncActions.DELETE and not differing(_after(element, changes), now, model):
        return State.DONE
    if element.action != DiffSyncActions.CREATE and not differing(_before(element, changes), now, model):
        return State.PENDING
    return State.CONFLICT


def _after(element: DiffElement, changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return (element.source_attrs or {}) if element.action == DiffSyncActions.CREATE else changes["+"]


def _before(element: DiffElement, changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return (element.dest_attrs or {}) if element.action == DiffSyncActions.DELETE else changes["-"]


def conflict(element: DiffElement, now: Mapping[str, Any] | None, model: Any) -> str:
    """Return why an operation must not be done; empty if it may.

    Args:
        element: The operation.
        now: Current attributes of the record; None if there is none.
        model: Class of the record.
    """
    if element.action == DiffSyncActions.CREATE:
        return "" if now is None else "The record exists already; there was none when the diff was made."
    if now is None:
        return "The record was deleted since the diff was made."
    changed = differing(element.dest_attrs or {}, now, model)
    if not changed:
        return ""
    secrets = secret_fields(model, element)
    old, new = redact_values(secrets, element.dest_attrs or {}), redact_values(secrets, now)
    changes = "; ".join(
        f"{name} was {old[name]!r} and is {new[name]!r}" if old[name] != new[name] else f"{name} has another value"
        for name in changed
    )
    return f"The record was changed since the diff was made: {changes}."


def differing(expected: Mapping[str, Any], now: Mapping[str, Any], model: Any) -> list[str]:
    """Return the names of values that both have and that differ by the comparisons of the model. A system may return another form."""
    return [name for name, value in expected.items() if name in now and not _are_alike(name, value, now[name], model)]


def _are_alike(name: str, expected: Any, now: Any, model: Any) -> bool:
    if equal(expected, now) or canonical(expected) == canonical(now):
        return True
    normal = normalisers(model).get(name)
    if normal is None:
        return False
    try:
        return bool(canonical(normal(restored(model, {name: expected})[name])) == canonical(normal(now)))
    except Exception:  # noqa: BLE001  # a comparison of the user may refuse a value
        return False
