"""NetBoxAdapter: NetBox 4 over its REST API.

`from` of a model is a path below `/api/`, such as `dcim/device-types/`. A choice (`{value, label}`) is read and written as its value,
tags as their slugs; `manufacturer.name` reads a nested record, and a reference writes its id. Lists are written in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.netbox import fields, parts
from diffsync_store.adapters.netbox.client import NetBoxClient
from diffsync_store.adapters.netbox.filters import require_filters
from diffsync_store.adapters.netbox.identities import Distant, Identities, distant_fields
from diffsync_store.adapters.netbox.object_types import object_type, permission
from diffsync_store.adapters.netbox.paging import RecordList
from diffsync_store.adapters.netbox.queries import filters_of, queries
from diffsync_store.adapters.netbox.rear_ports import RearPorts
from diffsync_store.adapters.netbox.settings import NetBoxRecords, NetBoxSettings
from diffsync_store.adapters.netbox.writing import NetBoxWriter
from diffsync_store.adapters.resolver import UnknownReference
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.adapters.rest.described import DescribedFields
from diffsync_store.adapters.rest.shards import ListedFilter, values_of_filter
from diffsync_store.adapters.shards import Scalar
from diffsync_store.mapping.paths import Getter, Record
from diffsync_store.mapping.records import Mapper, RecordMapping

FILTERS = {
    "site": ListedFilter("dcim/sites/", "slug"),
    "region": ListedFilter("dcim/regions/", "slug", {"parent_id": "null"}),
    "site_group": ListedFilter("dcim/site-groups/", "slug", {"parent_id": "null"}),
    "tenant": ListedFilter("tenancy/tenants/", "slug"),
    "manufacturer": ListedFilter("dcim/manufacturers/", "slug"),
}
"""The filters whose values `shards: auto` lists. A region has the records of the regions below it."""


class NetBoxAdapter(RestAdapter):
    """Reads and writes a NetBox. One thread loads; several may write."""

    Settings = NetBoxSettings
    Records = NetBoxRecords
    Writer = NetBoxWriter
    settings: NetBoxSettings
    shard_is = "a filter"
    _client: NetBoxClient

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._rear_ports = RearPorts()
        self._identities = Identities(self._identifiers_of)
        self._distant: dict[str, list[Distant]] = {}
        super().__init__(*args, **kwargs)
        self._nested_in_others = {distant.model for found in self._distant.values() for distant in found}

    @property
    def client(self) -> NetBoxClient:
        """Return the client of the NetBox."""
        if "_client" not in vars(self):
            self._client = NetBoxClient(self.settings)
        return self._client

    # What is declared

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        mapping = fields.written(mapping)
        if isinstance(mapping, NetBoxRecords) and mapping.part_of:
            mapping = parts.as_part(model, mapping, mapping.part_of)
        related = {mapping.fields[field].path: about for field, *about in fields.relations(model, mapping)}
        distant = {found.path: found for found in distant_fields(model, mapping)}
        self._distant[model._modelname] = list(distant.values())

        def compile_path(path: str) -> Getter:
            get = fields.netbox_getter(path)
            if path in distant:
                get = self._identities.getter(distant[path], get)
            if path not in related:
                return get
            relation, name = related[path]
            return fields.only_of_type(get, relation, lambda: self._object_type(name))

        return Mapper(model, mapping, compile_path=compile_path)

    def _object_type(self, model: str) -> str:
        """NetBox's name of a model."""
        return object_type(self.path_of(self.mappers[model]))

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        part = self.part_of(mapper)
        names = [*super().params_of(mapper), *([] if part is None else [mapper.mapping.shard])]
        require_filters(self.client, self.path_of(mapper), names)
        total = left_out = 0
        for query in self.shard_queries(mapper, part):
            found, seen = self._list(mapper, query), 0
            for page in found.pages(self.settings.concurrency):
                records = list(self._records_of(mapper, page))
                seen += len(page)
                left_out += len(page) - len(records)
                yield from records
            total += (
                found.count if seen >= found.count else self._list(mapper, query).count
            )  # some may be deleted meanwhile
        self.expect(mapper.model, total - left_out, at_least=True)

    def shard_is_field(self) -> bool:
        return True

    def shard_values(self, mapper: Mapper) -> Iterable[Scalar]:
        return values_of_filter(self.client, mapper.mapping.shard, FILTERS)

    def total_of(self, mapper: Mapper, params: Mapping[str, Any]) -> int:
        return self._list(mapper, params).count

    def reads_whole_list(self, mapper: Mapper) -> bool:
        return False

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        filters = list(self._filters(mapper, identifiers))
        for query in queries(filters) if all(filters) else [{}]:
            yield from self._records_of(mapper, list(self._list(mapper, query)))

    def path_of(self, mapper: Mapper) -> str:
        return f"{super().path_of(mapper).strip('/')}/"

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        lists = [self.mappers[name].mapping.list_path for name in self._nested.get(mapper.model._modelname, ())]
        needed = fields.names_needed(mapper.model, mapper.mapping, lists)
        return {"fields": ",".join(sorted(needed)), **super().params_of(mapper)}

    def _list(self, mapper: Mapper, query: Mapping[str, Any]) -> RecordList:
        params = {**self.params_of(mapper), **query}
        return RecordList(self.client, self.path_of(mapper), params, size=self.settings.paging.size)

    def _records_of(self, mapper: Mapper, page: Sequence[dict[str, Any]]) -> Iterator[Record]:
        path = self.path_of(mapper)
        self._rear_ports.note(path, page)
        self._rear_ports.put_names(self.client, path, page)
        self._identities.look_up(self._distant[mapper.model._modelname], page)
        records = (self.record_of(mapper, record) for record in page)
        return parts.present(mapper, records) if _is_part(mapper) else records

    def _add(self, mapper: Mapper, record: Record, above: MappedModel | None) -> MappedModel:
        obj = super()._add(mapper, record, above)
        if obj.get_type() in self._nested_in_others and isinstance(obj.system_id, int):
            self._identities.note(obj.get_type(), obj.system_id, obj.get_identifiers())
        return obj

    def _identifiers_of(self, model: str, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        mapper, found = self.mappers[model], {}
        for query in queries({"id": str(system_id)} for system_id in ids):
            for record in self._records_of(mapper, list(self._list(mapper, query))):
                obj = mapper.model(**mapper.fields_of(record))
                found[record["id"]] = obj.get_identifiers()
        return found

    def _filters(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterator[dict[str, str]]:
        """Yield a filter for each record, except for records that name a record which does not exist."""
        references = {
            label: reference
            for label in mapper.written_references
            if set((reference := mapper.model._references[label]).fields.values()) <= set(mapper.model._identifiers)
        }
        for found in identifiers:
            try:
                ids = {label: self._resolve(reference, found) for label, reference in references.items()}
            except UnknownReference:
                continue
            yield filters_of(mapper, found, ids)

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        writer = NetBoxWriter(self, mapper)
        return parts.create(writer, payloads) if _is_part(mapper) else writer.create(payloads)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        writer = NetBoxWriter(self, mapper)
        return parts.delete(writer, changes, self._nothing(mapper)) if _is_part(mapper) else writer.delete(changes)

    # Rehearsing

    def describe(self, mapper: Mapper) -> DescribedFields:
        if not _is_part(mapper):
            return super().describe(mapper)
        return super().describe(mapper).without_required()

    def missing_right(self, mapper: Mapper, fields: DescribedFields, action: str) -> str:
        if action != "create" or _is_part(mapper) or "POST" in fields.methods:
            return ""
        return f"The user of the token needs the permission `{permission('POST', self.path_of(mapper))}`."

    def body_of(self, mapper: Mapper, payload: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
        return NetBoxWriter(self, mapper).body_of(payload, is_new=is_new and not _is_part(mapper))

    def _nothing(self, mapper: Mapper) -> dict[str, Any]:
        """Return the payload that empties the fields of a part."""
        payload = mapper.payload_of(dict.fromkeys(mapper.model._attributes))
        for target in mapper.written_references.values():
            if target != parts.KEY:
                self.put_reference(mapper, payload, target, None)
        return payload

    def put_reference(self, mapper: Mapper, payload: dict[str, Any], target: str, system_id: JsonValue) -> None:
        label = next(label for label, found in mapper.written_references.items() if found == target)
        fields.put_reference(
            payload, target, system_id, lambda: self._object_type(mapper.model._references[label].model)
        )


def _is_part(mapper: Mapper) -> bool:
    return isinstance(mapper.mapping, NetBoxRecords) and bool(mapper.mapping.part_of)
