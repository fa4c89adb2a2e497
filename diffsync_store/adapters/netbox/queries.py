"""Queries that find records by their natural keys, many with one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from diffsync_store.mapping.paths import is_plain
from diffsync_store.mapping.records import Mapper

_LONGEST = 3000
"""Characters of the parameters of one request; servers take addresses of about 4000."""
_NULL = "null"
"""What a filter takes for no value: a record of this name is found by its other identifiers."""


def filters_of(mapper: Mapper, identifiers: Mapping[str, Any], ids: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that filter a list by the identifiers of one record. The list may have a few other records too.

    Args:
        mapper: the mapping of the model.
        identifiers: the record's natural key.
        ids: the system's ids of the records that it names, by the names of the references.
    """
    found = {}
    for name, value in identifiers.items():
        field = mapper.mapping.fields.get(name)
        path = ((field.path if field is not None else "") or name).removesuffix(".value")
        is_as_stored = field is None or not (field.transforms or field.map or "value" in field.model_fields_set)
        if is_plain(path) and "." not in path and value not in (None, _NULL) and is_as_stored:
            found[path] = str(value)
    for label, key in ids.items():
        target = mapper.written_references[label]
        if not target.endswith(("_id", "_terminations")):
            found[f"{target}_id"] = _NULL if key is None else str(key)
    return found


def queries(filters: Iterable[Mapping[str, str]]) -> Iterator[dict[str, list[str]]]:
    """Yield parameters that together ask for all records of some filters; several values of one mean any of them."""
    query: dict[str, list[str]] = {}
    length = 0
    for found in filters:
        new = {name: value for name, value in found.items() if value not in query.get(name, ())}
        cost = sum(len(name) + 3 * len(value.encode()) + 2 for name, value in new.items())
        if query and (length + cost > _LONGEST or query.keys() != found.keys()):
            yield query
            query, length, new = {}, 0, dict(found)
        for name, value in new.items():
            query.setdefault(name, []).append(value)
        length += cost
    if query:
        yield query
