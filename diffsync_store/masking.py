"""Values and texts that are shown to people, without those that are secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffsync_store.canonical import canonical
from diffsync_store.payload import is_secret_name

MASK = "***"
_SHORT = 4
"""Secrets that are shorter are not looked for in texts: they would be found in any."""


def is_secret(model: Any, name: str) -> bool:
    """Whether a model says that a field is secret, or its name does."""
    return name in getattr(model, "_secrets", ()) or is_secret_name(name)


def masked(model: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON has them, secret ones masked, in dicts and lists too."""
    return {
        name: MASK if is_secret(model, name) else _inside(model, canonical(value)) for name, value in values.items()
    }


def _inside(model: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return masked(model, value)
    if isinstance(value, list):
        return [_inside(model, item) for item in value]
    return value


def masked_text(model: Any, text: str, *groups: Mapping[str, Any] | None) -> str:
    """A text without the secret values that stand in one of these groups of values."""
    for group in groups:
        for name, value in (group or {}).items():
            if is_secret(model, name) and len(str(value)) >= _SHORT:
                text = text.replace(str(value), MASK)
    return text
