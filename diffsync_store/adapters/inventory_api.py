"""InventoryApiAdapter: what the REST APIs of NetBox and of its fork Nautobot have in common.

`from` of a model is a path below `/api/`, such as `dcim/device-types/`. A choice (`{value, label}`) is read and written as its value,
a list of tags as their slugs; `manufacturer.name` reads a nested record, and a reference writes its id. Lists are written in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diffsync_store.adapters.mapped import Change
from diffsync_store.adapters.rest import Paging, RestAdapter, RestSettings, Writing
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper

_CHOICE = frozenset({"value", "label"})


class InventoryApiSettings(RestSettings):
    """How the system is reached: `url` is its address with `/api/`, `token` one of its tokens."""

    token_scheme: str = "Token"  # noqa: S105  # the name of a scheme
    items: str = "results"
    paging: Paging = Paging(kind="offset", size=500, total="count")
    writing: Writing = Writing(bulk=True)


class InventoryApiAdapter(RestAdapter):
    """Reads and writes a NetBox or a Nautobot. One thread loads; several may write."""

    Settings = InventoryApiSettings
    settings: InventoryApiSettings

    def record_of(self, mapper: Mapper, record: Any) -> Record:
        return super().record_of(mapper, {key: _plain(value) for key, value in record.items()})

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        for ids in identifiers:
            for record in self.pages(mapper, self._filter(mapper, ids)):
                yield self.record_of(mapper, record)

    def _filter(self, mapper: Mapper, identifiers: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters by which a list has the record with these identifiers and few others."""
        found = {}
        for name, value in identifiers.items():
            field = mapper.mapping.fields.get(name)
            path = (field.path if field is not None else "") or name
            if "." not in path and value is not None:
                found[path] = value
        for label, target in mapper.written_references.items():
            reference = mapper.model._references[label]
            if set(reference.fields.values()) <= identifiers.keys():
                found[self.filter_of_reference(target)] = self._resolve(reference, identifiers)
        return found

    def filter_of_reference(self, target: str) -> str:
        """The parameter that filters by the id of a referenced record."""
        return f"{target}_id"

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Any]:
        return super().send_creates(mapper, [self._tagged(payload) for payload in payloads])

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Any]:
        return super().send_updates(
            mapper, [change._replace(payload=self._tagged(change.payload)) for change in changes]
        )

    def _tagged(self, payload: dict[str, Any]) -> dict[str, Any]:
        tags = payload.get("tags")
        if not isinstance(tags, list):
            return payload
        return {**payload, "tags": [{"slug": tag} if isinstance(tag, str) else tag for tag in tags]}


def _plain(value: Any) -> Any:
    """A choice as its value, tags as their slugs."""
    if isinstance(value, dict) and value.keys() == _CHOICE:
        return value["value"]
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, dict) and {"slug", "color"} <= item.keys() for item in value)
    ):
        return [item["slug"] for item in value]
    return value
