"""Resolver: finds the system id of a record from its identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, Protocol

from pydantic import JsonValue

MOST_IDS = 200_000
"""Ids of one model that are kept; others are looked up when they are needed."""
REHEARSED = "rehearsed"
"""The system id of a record that only a rehearsal has created."""


class UnknownReference(LookupError):
    """A record refers to a record that the system does not have."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Several(int):
    """In place of a system id: so many records have the same identifiers."""


class Find(Protocol):
    """Looks up the ids of records of one model; None for each that is not there. `from_system`: the store is not read."""

    def __call__(self, model: Any, identifiers: Sequence[dict[str, Any]], *, from_system: bool) -> list[JsonValue]: ...


class Resolver:
    """Finds and keeps the system ids of records, by model and unique id. Threads may share it.

    Of records that only a rehearsal has created, all unique ids are kept: the system cannot be asked for them.

    Args:
        find: looks up the ids that are not known here.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._ids: dict[str, dict[str, JsonValue]] = {}
        self._rehearsed: dict[str, set[str]] = {}
        self._lock = Lock()

    def note(self, model: str, unique_id: str, system_id: JsonValue) -> None:
        """Keep the id of a record."""
        if system_id is None or isinstance(system_id, Several):
            return
        with self._lock:
            if system_id == REHEARSED:
                self._rehearsed.setdefault(model, set()).add(unique_id)
                return
            ids = self._ids.setdefault(model, {})
            ids[unique_id] = system_id
            if len(ids) > MOST_IDS:
                del ids[next(iter(ids))]

    def forget(self, model: str, unique_id: str) -> None:
        """Drop the id of a record that was deleted."""
        with self._lock:
            self._ids.get(model, {}).pop(unique_id, None)
            self._rehearsed.get(model, set()).discard(unique_id)

    def clear(self) -> None:
        """Drop all ids: the system is read again, or a rehearsal begins or ends."""
        with self._lock:
            self._ids.clear()
            self._rehearsed.clear()

    def system_id(self, model: Any, identifiers: dict[str, Any]) -> JsonValue:
        """Return the id of a record.

        Raises:
            UnknownReference: the system has no such record, or several.
        """
        unique_id = model.create_unique_id(**identifiers)
        return only_id(model, unique_id, self.system_ids(model, [identifiers]).get(unique_id))

    def known_id(self, model: str, unique_id: str) -> JsonValue:
        """Return the id of a record if it is known here; otherwise None."""
        with self._lock:
            return self._known(model, unique_id)

    def system_ids(
        self, model: Any, identifiers: Sequence[dict[str, Any]], *, from_system: bool = False
    ) -> dict[str, JsonValue]:
        """Return the system ids of records by unique id, without records that do not exist. Unknown ids are looked up in one call."""
        wanted = {model.create_unique_id(**ids): ids for ids in identifiers}
        with self._lock:
            found = {uid: self._known(model._modelname, uid) for uid in wanted}
        known = {uid: system_id for uid, system_id in found.items() if system_id is not None}
        return known | self._look_up(
            model, {uid: ids for uid, ids in wanted.items() if uid not in known}, from_system=from_system
        )

    def system_ids_now(self, model: Any, identifiers: Sequence[dict[str, Any]]) -> dict[str, JsonValue]:
        """Return the same from the system, without the ids that this resolver and the store have."""
        wanted = {model.create_unique_id(**ids): ids for ids in identifiers}
        for uid in wanted:
            self.forget(model._modelname, uid)
        return self._look_up(model, wanted, from_system=True)

    def _known(self, model: str, unique_id: str) -> JsonValue:
        if unique_id in self._rehearsed.get(model, ()):
            return REHEARSED
        return self._ids.get(model, {}).get(unique_id)

    def _look_up(self, model: Any, wanted: dict[str, dict[str, Any]], *, from_system: bool) -> dict[str, JsonValue]:
        if not wanted:
            return {}
        answers = self._find(model, list(wanted.values()), from_system=from_system)
        found: dict[str, JsonValue] = {
            uid: answer for uid, answer in zip(wanted, answers, strict=True) if answer is not None
        }
        for uid, answer in found.items():
            self.note(model._modelname, uid, answer)
        return found


def ids_by_unique_id(records: Iterable[tuple[str | None, JsonValue]]) -> dict[str, JsonValue]:
    """Return system ids by unique id, and `Several` for records with different ids that have the same one.

    Args:
        records: unique id and system id of each record; no unique id if it does not fit its model.
    """
    found: dict[str, dict[str, JsonValue]] = {}
    for unique_id, system_id in records:
        if unique_id is not None:
            found.setdefault(unique_id, {})[str(system_id)] = system_id
    return {uid: Several(len(ids)) if len(ids) > 1 else next(iter(ids.values())) for uid, ids in found.items()}


def only_id(model: Any, unique_id: str, system_id: JsonValue) -> JsonValue:
    """Return the id of a record that was looked up.

    Raises:
        UnknownReference: there is no such record, or there are several.
    """
    if system_id is None:
        raise unknown(model, unique_id)
    if isinstance(system_id, Several):
        raise several(model, unique_id, system_id)
    return system_id


def unknown(model: Any, unique_id: str) -> UnknownReference:
    """Return the error for a record that does not exist."""
    return UnknownReference(
        f"The system has no {model._modelname} {unique_id!r}. Create it first, or correct the record that names it."
    )


def gone(model: Any, unique_id: str) -> UnknownReference:
    """Return the error for a record that is to be changed and does not exist."""
    return UnknownReference(
        f"The {model._modelname} {unique_id!r} is gone from the system. Load the target again, and make a new diff."
    )


def several(model: Any, unique_id: str, number: int) -> UnknownReference:
    """Return the error for identifiers that several records have."""
    return UnknownReference(
        f"The system has {number} records for the {model._modelname} {unique_id!r}, so it is not clear which one is meant. Add an "
        "identifier that tells them apart, or delete those that are too many."
    )
