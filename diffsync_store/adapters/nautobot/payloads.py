"""What Nautobot takes, and what it has made of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from diffsync_store.adapters.nautobot.mapper import TAGS


def as_nautobot_takes(payload: Mapping[str, Any], nested: Collection[str]) -> dict[str, Any]:
    """Return a payload with choices as their values, tags by name, and null for a nested record without a name.

    Args:
        payload: what the mapping has made.
        nested: the keys under which other records are named, such as `{"name": "Active"}`.
    """
    taken = {name: _taken(value) if name in nested else value for name, value in payload.items()}
    tags = taken.get(TAGS)
    if isinstance(tags, list):
        taken[TAGS] = [{"name": tag} if isinstance(tag, str) else tag for tag in tags]
    return taken


def trimmed_fields(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields from which Nautobot has removed outer blanks."""
    return [
        name
        for name, value in sent.items()
        if isinstance(value, str) and value != stored.get(name) and value.strip() == stored.get(name)
    ]


def _taken(value: Any) -> Any:
    if not isinstance(value, Mapping) or not value:
        return value
    if value.keys() == {"value"}:
        return value["value"]  # a choice that is written under the path that it is read from
    return None if _has_nothing(value) else value


def _has_nothing(value: Any) -> bool:
    return all(map(_has_nothing, value.values())) if isinstance(value, Mapping) else value is None
