"""Read a long list by GraphQL: only the fields that a mapping reads, nested records in the same query.

The records get the form that they have in REST, so a mapping does not know how they were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from diffsync_store.adapters.nautobot.fields import ListFields
from diffsync_store.adapters.nautobot.mapper import CUSTOM_FIELDS, TAGS
from diffsync_store.adapters.nautobot.schema import CannotSelect, Schema
from diffsync_store.mapping.paths import is_plain

_CUSTOM_FIELDS = "_custom_field_data"
Selection = dict[str, "Selection"]
Enums = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Field → name of an enumeration's value → the choice as it is in REST."""


class GraphqlList:
    """One list. Its pages are read by several threads.

    Args:
        schema: the types of Nautobot.
        model: the model of the records as REST writes it, such as `devicetype`.
        paths: what the mapping reads of each record.
        fields: the fields of the list in REST, which know the choices.

    Raises:
        CannotSelect: GraphQL does not have all that the mapping reads.
    """

    def __init__(self, schema: Schema, model: str, paths: Iterable[str], fields: ListFields) -> None:
        self._schema = schema
        name, self._type = schema.list_of(model)
        self._enums: dict[str, dict[str, dict[str, str]]] = {}
        self._fields = fields
        selection = self._selection(paths)
        self._query = f"query ($limit: Int!, $offset: Int!) {{ found: {name}(limit: $limit, offset: $offset) {{ {_text(selection)} }} }}"

    def pages(self, count: int, size: int, at_once: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list of `count` records, in the order of the list."""
        offsets = iter(range(0, count, size))
        with ThreadPoolExecutor(at_once, thread_name_prefix="graphql") as pool:
            waiting = [
                pool.submit(self._page, offset, size) for offset, _ in zip(offsets, range(at_once), strict=False)
            ]
            try:
                while waiting:
                    page = waiting.pop(0).result()
                    with suppress(StopIteration):
                        waiting.append(pool.submit(self._page, next(offsets), size))
                    yield page
            finally:
                for future in waiting:
                    future.cancel()

    def _page(self, offset: int, size: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._schema.query(self._query, {"limit": size, "offset": offset})["found"]
        for record in found:
            self._to_rest(record)
        return found

    def _to_rest(self, record: dict[str, Any]) -> None:
        for field, choices in self._enums.items():
            name = record[field]
            if name is not None:
                record[field] = choices[name]
        if _CUSTOM_FIELDS in record:
            record[CUSTOM_FIELDS] = record.pop(_CUSTOM_FIELDS)

    def _selection(self, paths: Iterable[str]) -> Selection:
        selection: Selection = {"id": {}}
        for path in paths:
            if not is_plain(path):
                raise CannotSelect(f"the path {path!r} is an expression")
            first, *rest = path.split(".")
            if first == CUSTOM_FIELDS:
                selection[_CUSTOM_FIELDS] = {}
            elif path == TAGS:
                selection[TAGS] = {"name": {}}
            else:
                self._select(selection, self._type, first, rest)
        return selection

    def _select(self, selection: Selection, type_name: str, first: str, rest: Sequence[str]) -> None:
        field = self._schema.fields_of(type_name).get(first)
        if field is None:
            raise CannotSelect(f"{type_name} has no field {first!r}")
        inner = selection.setdefault(first, {})
        if field.kind == "ENUM" and type_name == self._type and tuple(rest) in {(), ("value",), ("label",)}:
            self._enums[first] = self._choices(first, field.type_name)
        elif field.kind == "OBJECT" and rest:
            self._select(inner, field.type_name, rest[0], rest[1:])
        elif field.kind != "SCALAR" or rest:
            raise CannotSelect(f"{'.'.join([first, *rest])!r} of {type_name} is {field.kind.lower()}")

    def _choices(self, field: str, enum_name: str) -> dict[str, dict[str, str]]:
        """Return the choices by the names that GraphQL has for them: both sides write the same labels."""
        values, labels = self._fields.choices(field), self._schema.labels_of(enum_name)
        unknown = sorted(label for label in labels.values() if label not in values)
        if unknown or len(set(labels.values())) != len(labels):
            raise CannotSelect(f"the values of {field!r} have no counterpart in REST")
        return {name: {"value": values[label], "label": label} for name, label in labels.items()}


def _text(selection: Selection) -> str:
    return " ".join(f"{name} {{ {_text(inner)} }}" if inner else name for name, inner in selection.items())
