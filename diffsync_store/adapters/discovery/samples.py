"""Collections whose fields are found out from a sample of their records: files, functions, JSON APIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, islice
from typing import Any

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField
from diffsync_store.adapters.discovery.types import guess_type
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.mapping.definitions import ModelDefinition

SAMPLE = 2000
"""Records that are read to find out the fields of a collection."""
_USUAL_KEYS = ("name", "id", "key", "code", "slug", "hostname", "number", "address", "prefix", "serial", "uuid")
_DEPTH = 2
_MODEL = "record"


def sample(adapter_class: type[MappedAdapter], settings: Mapping[str, Any], records: Mapping[str, Any]) -> list[Any]:
    """Return the first records of a collection as the system has them.

    Args:
        adapter_class: the ready adapter that reads them.
        settings: its settings.
        records: the `records` entry of the collection.
    """
    models = {_MODEL: ModelDefinition.model_validate({"identifiers": {"key": "json"}})}
    fields = {"key": {"value": ""}}  # what the records have is not known yet
    adapter = adapter_class(settings, models, {_MODEL: {**records, "fields": fields}})
    try:
        return list(islice(adapter.read(adapter.mappers[_MODEL]), SAMPLE))
    finally:
        close = getattr(adapter, "close", None)
        if close is not None:
            close()


def collection_of(name: str, source: str, records: Sequence[Mapping[str, Any]]) -> Collection:
    """Return the collection that a sample of records belongs to.

    Raises:
        ValueError: there is no record.
    """
    if not records:
        raise ValueError(f"{source} has no record, so its fields are unknown.")
    flat = [dict(_flattened(record)) for record in records]
    paths = [path for path in dict.fromkeys(path for record in flat for path in record) if path != ""]
    fields = [_field(path, [record.get(path) for record in flat]) for path in paths]
    return Collection(name, source, fields, tuple(keys_in(fields, flat)))


def keys_in(fields: Sequence[DiscoveredField], records: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, ...]]:
    """Yield fields that together identify each record of the sample, the best choice first: one field, else two, else three."""
    complete = [
        field for field in fields if not field.may_be_null and not field.type.startswith(("list", "json", "bool"))
    ]
    complete.sort(key=lambda field: _usualness(field.name))
    for number in (1, 2, 3):
        found = False
        for chosen in combinations(complete[:12], number):
            values = {tuple(str(record.get(field.path)) for field in chosen) for record in records}
            if len(values) == len(records):
                found = True
                yield tuple(field.name for field in chosen)
        if found:
            return


def _usualness(name: str) -> int:
    """Return how far a name is from the usual names of keys: `name`, `hostname`, `site_id`, `colour`."""
    lower = name.lower()
    same = next((place for place, key in enumerate(_USUAL_KEYS) if lower == key), None)
    if same is not None:
        return same
    alike = (place for place, key in enumerate(_USUAL_KEYS) if lower.endswith(key))
    return len(_USUAL_KEYS) + next(alike, len(_USUAL_KEYS))


def _flattened(record: Mapping[Any, Any], above: str = "", depth: int = 1) -> Iterable[tuple[str, Any]]:
    for key, value in record.items():
        path = f"{above}{key}"
        if path.startswith("$"):
            continue  # what the adapter has added
        if isinstance(value, Mapping) and value and depth < _DEPTH:
            yield from _flattened(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _field(path: str, values: Sequence[Any]) -> DiscoveredField:
    return DiscoveredField(
        name=path.replace(".", "_"),
        type=guess_type(values),
        may_be_null=any(value is None or value == "" for value in values),
        path=path,
    )
