"""Whether a record of the target is still what a diff saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.redaction import redact_values, secret_fields
from diffsync_store.values.codec import equal
from diffsync_store.values.readable import canonical


def conflict(element: DiffElement, now: Mapping[str, Any] | None, model: Any) -> str:
    """Why an operation must not be done, in view of the attributes that its record has now; None if there is none.

    An empty text says that it may.
    """
    if element.action == DiffSyncActions.CREATE:
        return "" if now is None else "It is there already, though there was none when the diff was made."
    if now is None:
        return "It has gone since the diff was made."
    changed = differing(element.dest_attrs or {}, now)
    if not changed:
        return ""
    secrets = secret_fields(model, element)
    old, new = redact_values(secrets, element.dest_attrs or {}), redact_values(secrets, now)
    told = "; ".join(
        f"{name} was {old[name]!r} and is {new[name]!r}" if old[name] != new[name] else f"{name} is another one"
        for name in changed
    )
    return f"It was changed since the diff was made: {told}."


def differing(expected: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the values that both have and that differ."""
    return [name for name in expected if name in now and not is_same_value(expected[name], now[name])]


def is_same_value(one: Any, other: Any) -> bool:
    """Whether a system may have the values for one: it may write them in another form than the diff has."""
    return equal(one, other) or canonical(one) == canonical(other)
