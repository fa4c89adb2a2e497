"""Natural keys of records by their ids, for nested records that do not have the whole key.

NetBox nests a device in its interfaces with its name, and without its site. Where a model identifies devices by site and name, the
site comes from the device itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Getter, Record, compile_getter, is_plain
from diffsync_store.mapping.records import RecordMapping

_PARTS_OF_NESTED = 2
"""Keys of a path that a nested record always has an answer to, such as `device.name`."""


class Distant(NamedTuple):
    """A field that is read from a record behind a nested record, such as `device.site.name`."""

    path: str
    nested: str
    """The key of the nested record."""
    model: str
    """The model of the nested record."""
    identifier: str
    """The identifier of that model that the field is."""


def distant_fields(model: type[DeclaredModel], mapping: RecordMapping) -> Iterator[Distant]:
    """Yield the fields of references that a nested record may lack."""
    for reference in model._references.values():
        for identifier, field in reference.fields.items():
            path = mapping.fields[field].path if field in mapping.fields else ""
            if is_plain(path) and path.count(".") >= _PARTS_OF_NESTED:
                yield Distant(path, path.partition(".")[0], reference.model, identifier)


class Identities:
    """The natural keys of records, by model and id. One thread reads.

    Args:
        fetch: reads the natural keys of records of a model by their ids.
    """

    def __init__(self, fetch: Callable[[str, Sequence[int]], Mapping[int, Mapping[str, Any]]]) -> None:
        self._fetch = fetch
        self._keys: dict[str, dict[int, Mapping[str, Any]]] = {}

    def note(self, model: str, system_id: int, identifiers: Mapping[str, Any]) -> None:
        """Keep the natural key of a record."""
        self._keys.setdefault(model, {})[system_id] = identifiers

    def look_up(self, fields: Iterable[Distant], records: Sequence[Record]) -> None:
        """Read the natural keys that the nested records of a page lack."""
        for distant in fields:
            get, known = compile_getter(distant.path), self._keys.setdefault(distant.model, {})
            nested = (record.get(distant.nested) for record in records if get(record, None) is None)
            wanted = {found["id"] for found in nested if isinstance(found, Mapping) and "id" in found} - known.keys()
            if wanted:
                known.update(self._fetch(distant.model, sorted(wanted)))

    def getter(self, distant: Distant, get: Getter) -> Getter:
        """Return a getter that falls back to the natural key of the nested record."""
        known = self._keys.setdefault(distant.model, {})

        def get_or_look_up(record: Record, parent: Any) -> Any:
            value = get(record, parent)
            nested = record.get(distant.nested) if value is None else None
            if not isinstance(nested, Mapping):
                return value
            return known.get(nested.get("id", 0), {}).get(distant.identifier)

        return get_or_look_up
