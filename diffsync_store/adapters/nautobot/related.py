"""RelatedNames: whether the records exist that bodies name by their attributes, such as `{"name": "Active"}`.

Nautobot takes such a name if exactly one record has it. GraphQL says which records there are: one query for each field and batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from diffsync_store.adapters.nautobot.mapper import TAGS
from diffsync_store.adapters.nautobot.schema import CannotSelect, Schema

_NAMES_OF_A_QUERY = 200
Name = Mapping[str, Any]


class RelatedNames:
    """Looks up names for one rehearsal, each once. One thread uses it."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._found: dict[tuple[str, str], int | None] = {}
        """The number of records by type and name; None if it cannot be known."""
        self._written: set[tuple[str, str, str]] = set()
        """Type, key and value of texts that the rehearsal has written."""

    def note(self, model: str, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Keep the texts of records that the rehearsal has written: later records may name them.

        Args:
            model: the model as Nautobot writes it in one word, such as `devicetype`.
            bodies: what would be sent.
        """
        try:
            _, type_name = self._schema.list_of(model)
        except CannotSelect:
            return
        texts = ((key, value) for body in bodies for key, value in body.items() if isinstance(value, str))
        self._written.update((type_name, key, value) for key, value in texts)

    def problems(self, model: str, nested: Iterable[str], bodies: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Return what is wrong with the names in each body.

        Args:
            model: as for `note`.
            nested: the keys under which bodies name other records.
            bodies: what would be sent.
        """
        types = self._types_of(model, [*nested, TAGS])
        wanted: dict[str, dict[str, Name]] = {}
        for body in bodies:
            for key, name in _names(body, types):
                wanted.setdefault(types[key], {})[_text(name)] = name
        for type_name, names in wanted.items():
            self._look_up(type_name, [name for text, name in names.items() if (type_name, text) not in self._found])
        return [list(self._about(body, types)) for body in bodies]

    def _types_of(self, model: str, keys: Sequence[str]) -> dict[str, str]:
        """Return the types of the records under these keys, as far as GraphQL has them."""
        try:
            fields = self._schema.fields_of(self._schema.list_of(model)[1])
        except CannotSelect:
            return {}
        return {key: fields[key].type_name for key in keys if key in fields and fields[key].kind in {"OBJECT", "LIST"}}

    def _about(self, body: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[str]:
        for key, name in _names(body, types):
            number = self._found[types[key], _text(name)]
            if number is None or number == 1 or self._may_be_written(types[key], name):
                continue
            which = ", ".join(f"{field} {value!r}" for field, value in _flat(name))
            yield f"{key}: Nautobot has {'no record' if not number else f'{number} records'} with {which}."

    def _may_be_written(self, type_name: str, name: Name) -> bool:
        return any((type_name, key, value) in self._written for key, value in name.items() if isinstance(value, str))

    def _look_up(self, type_name: str, names: Sequence[Name]) -> None:
        by_shape: dict[str, list[Name]] = {}
        for name in names:
            self._found[type_name, _text(name)] = None
            by_shape.setdefault(_selection(name), []).append(name)
        for selection, alike in by_shape.items():
            for start in range(0, len(alike), _NAMES_OF_A_QUERY):
                self._count(type_name, selection, alike[start : start + _NAMES_OF_A_QUERY])

    def _count(self, type_name: str, selection: str, names: Sequence[Name]) -> None:
        """Note how many records have each of these names; nothing if GraphQL cannot select them."""
        key = next((key for key, value in names[0].items() if isinstance(value, str)), None)
        if key is None or not all(isinstance(value, str) for name in names for _, value in _flat(name)):
            return
        try:
            query = f"query ($values: [String]) {{ found: {self._schema.list_of_type(type_name)}({key}: $values) {selection} }}"
            records = self._schema.query(query, {"values": list(dict.fromkeys(name[key] for name in names))})["found"]
            if not records and not self._may_view(type_name):
                return
        except CannotSelect:
            return
        for name in names:
            self._found[type_name, _text(name)] = sum(_has(record, name) for record in records)

    def _may_view(self, type_name: str) -> bool:
        """Whether the token sees any record of a type: without the right to view them, it sees none."""
        return bool(
            self._schema.query(f"{{ found: {self._schema.list_of_type(type_name)}(limit: 1) {{ id }} }}")["found"]
        )


def _names(body: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[tuple[str, Name]]:
    """Yield the key and the name of each record that a body names by attributes."""
    for key in types:
        value = body.get(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Mapping) and item and not item.keys() & {"id", "url", "value"}:
                yield key, item


def _selection(name: Name) -> str:
    parts = (f"{key} {_selection(value)}" if isinstance(value, Mapping) else key for key, value in sorted(name.items()))
    return f"{{ {' '.join(parts)} }}"


def _flat(name: Name, above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in name.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key} ")
        else:
            yield f"{above}{key}", value


def _has(record: Any, name: Name) -> bool:
    if not isinstance(record, Mapping):
        return False
    return all(
        _has(record.get(key), value) if isinstance(value, Mapping) else record.get(key) == value
        for key, value in name.items()
    )


def _text(name: Name) -> str:
    return json.dumps(name, sort_keys=True)
