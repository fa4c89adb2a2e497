"""From the natural key of a record to the id that its system has for it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from pydantic import JsonValue

MOST_IDS = 200_000
"""Ids of one model that are kept; others are looked up when they are needed."""


class UnknownReference(LookupError):
    """A record that is named does not exist in the system."""


class Resolver:
    """The system's ids of records, by model and unique id. Threads may share it.

    Args:
        find: looks up the id of a record that is not known here; None where there is no such record.
    """

    def __init__(self, find: Callable[[Any, dict[str, Any]], JsonValue]) -> None:
        self._find = find
        self._ids: dict[str, dict[str, JsonValue]] = {}
        self._lock = Lock()

    def note(self, model: str, unique_id: str, system_id: JsonValue) -> None:
        """Keep the id of a record."""
        if system_id is None:
            return
        with self._lock:
            ids = self._ids.setdefault(model, {})
            ids[unique_id] = system_id
            if len(ids) > MOST_IDS:
                del ids[next(iter(ids))]

    def forget(self, model: str, unique_id: str) -> None:
        """Drop the id of a record that was deleted."""
        with self._lock:
            self._ids.get(model, {}).pop(unique_id, None)

    def system_id(self, model: Any, identifiers: dict[str, Any]) -> JsonValue:
        """The id of a record.

        Raises:
            UnknownReference: the system has no such record.
        """
        name, unique_id = model._modelname, model.create_unique_id(**identifiers)
        with self._lock:
            known = self._ids.get(name, {}).get(unique_id)
        if known is not None:
            return known
        found = self._find(model, identifiers)
        if found is None:
            raise UnknownReference(
                f"The system has no {name} {unique_id!r}. Create it first, or correct the record that names it."
            )
        self.note(name, unique_id, found)
        return found
