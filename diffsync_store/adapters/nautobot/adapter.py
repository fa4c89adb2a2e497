"""NautobotAdapter: Nautobot 3 over its APIs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

import structlog

from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.nautobot.fields import ListFields
from diffsync_store.adapters.nautobot.graphql import GraphqlList
from diffsync_store.adapters.nautobot.mapper import NautobotMapper
from diffsync_store.adapters.nautobot.payloads import as_nautobot_takes
from diffsync_store.adapters.nautobot.related import RelatedNames
from diffsync_store.adapters.nautobot.rights import explain, missing_right, model_of
from diffsync_store.adapters.nautobot.schema import CannotSelect, Schema
from diffsync_store.adapters.nautobot.settings import NautobotSettings
from diffsync_store.adapters.nautobot.writer import Learned, NautobotWriter
from diffsync_store.adapters.resolver import UnknownReference
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.adapters.rest.described import DescribedFields
from diffsync_store.adapters.rest.shards import ListedFilter, values_of_filter
from diffsync_store.adapters.shards import Scalar
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping

_LONGEST_FILTER = 3000
"""Characters of the parameters by which records are looked up."""

_NULL = "null"
"""What a filter takes for null: a record of this name is found by its other identifiers."""


FILTERS = {
    "location": ListedFilter("dcim/locations/", "name", {"parent__isnull": "true"}),
    "tenant": ListedFilter("tenancy/tenants/", "name"),
    "manufacturer": ListedFilter("dcim/manufacturers/", "name"),
}
"""The filters whose values `shards: auto` lists. A location has the records of the locations below it."""


class NautobotAdapter(RestAdapter):
    """Reads and writes a Nautobot. One thread loads; several may write.

    `from` of a model is a path below `/api/`, such as `dcim/device-types/`. Short lists are read by REST, long ones by GraphQL.
    """

    Settings = NautobotSettings
    Writer = NautobotWriter
    settings: NautobotSettings
    shard_is = "a filter"
    learned: Learned
    _related: RelatedNames | None = None
    """The names that the rehearsal that goes on has looked up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = Lock()
        self._lists: dict[str, ListFields] = {}
        self.learned = Learned()
        super().__init__(*args, **kwargs)

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> NautobotMapper:
        super().make_mapper(model, mapping)  # it checks what is declared
        return NautobotMapper(model, mapping)

    @property
    def client(self) -> HttpClient:
        with self._lock:
            if "_client" not in vars(self):
                self._client = HttpClient(self.settings.with_version())
                self._schema = Schema(self._client)
            return self._client

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        try:
            found = self._long_list(_own(mapper))
            yield from super().read(mapper) if found is None else self._by_graphql(mapper, *found)
        except HttpError as error:
            raise explain(error, "view", self.path_of(mapper)) from error

    def shard_is_field(self) -> bool:
        return True

    def shard_values(self, mapper: Mapper) -> Iterable[Scalar]:
        return values_of_filter(self.client, mapper.mapping.shard, FILTERS)

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        own = _own(mapper)
        params: dict[str, Any] = {"sort": "id", "depth": own.depth}
        if own.included:
            params["include"] = own.included
        return {**params, **super().params_of(mapper)}

    def record_of(self, mapper: Mapper, record: Any) -> Record:
        return {**record, self.id_key: record["id"]}

    def _long_list(self, mapper: NautobotMapper) -> tuple[GraphqlList, int] | None:
        """Return a list to read by GraphQL, with the number of its records; None if the list is read by REST."""
        if self.settings.graphql == "never":
            return None
        is_needed = self.settings.graphql == "always"
        count, model = self._count(mapper)
        if not count or (count < self.settings.graphql_from and not is_needed):
            return None
        try:
            return self._graphql_list(mapper, model), count
        except CannotSelect as reason:
            path = self.path_of(mapper)
            if is_needed:
                raise ValueError(
                    f"{path} cannot be read by GraphQL: {reason}. Set `graphql: auto` to read it by REST."
                ) from reason
            structlog.get_logger().info("A long list is read by REST", path=path, reason=str(reason))
            return None

    def _graphql_list(self, mapper: NautobotMapper, model: str) -> GraphqlList:
        if super().params_of(mapper) or self.part_of(mapper) is not None:
            raise CannotSelect("`params` and `shard` filter lists of REST")
        return GraphqlList(self._schema, model, mapper.paths, self.fields_of(mapper))

    def _count(self, mapper: NautobotMapper) -> tuple[int, str]:
        """Return the number of records of a list, and their model as Nautobot writes it."""
        params = {**super().params_of(mapper), "limit": 1, "depth": 0}
        answer = self.client.get_json(self.path_of(mapper), params)
        model: str = answer["results"][0].get("object_type", "") if answer["results"] else ""
        return answer["count"], model.rpartition(".")[2]

    def _by_graphql(self, mapper: Mapper, found: GraphqlList, count: int) -> Iterator[Record]:
        """Yield each record of a long list once. Records that no page of GraphQL contains are read by REST.

        The order of records whose names sort alike may differ from page to page.
        """
        seen: set[str] = set()
        for page in found.pages(count, self.settings.graphql_size, self.settings.concurrency):
            for record in page:
                if record["id"] not in seen:
                    seen.add(record["id"])
                    yield self.record_of(mapper, record)
        if len(seen) < count:
            yield from (record for record in super().read(mapper) if record["id"] not in seen)
            return
        now, _ = self._count(_own(mapper))
        if now != count:
            reason = f"Nautobot had {count} then {now} records while the pages were read. Load again."
            self.incomplete(mapper.model, reason)
        self.expect(mapper.model, now, at_least=True)

    # Looking up

    def reads_whole_list(self, mapper: Mapper) -> bool:
        return False

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        for params in self._filters(mapper, identifiers):
            yield from (self.record_of(mapper, record) for record in self.pages(mapper, params))

    def _filters(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterator[dict[str, list[str]]]:
        """Yield parameters that filter a list by these identifiers, in parts that fit into a URL. A list may have a few other records too."""
        parts: dict[frozenset[str], dict[str, dict[str, None]]] = {}
        for ids in identifiers:
            try:
                wanted = self._filter(mapper, ids)
            except UnknownReference:
                continue  # the record that it names is not there, so it is not there either
            params = parts.setdefault(frozenset(wanted), {})
            for name, value in wanted.items():
                params.setdefault(name, {})[str(value).strip()] = None
            if _length(params) > _LONGEST_FILTER:
                yield {name: list(values) for name, values in parts.pop(frozenset(wanted)).items()}
        for params in parts.values():
            yield {name: list(values) for name, values in params.items()}

    def _filter(self, mapper: Mapper, identifiers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that filter a list by the identifiers of one record. The list may have a few other records too."""
        found: dict[str, Any] = {}
        for name, value in identifiers.items():
            field = mapper.mapping.fields.get(name)
            path = (field.path if field is not None else "") or name
            if "." not in path and value is not None and value != _NULL:
                found[path] = value
        for label, target in mapper.written_references.items():
            reference = mapper.model._references[label]
            if set(reference.fields.values()) <= identifiers.keys():
                found[target] = self._resolve(reference, identifiers)
        return found

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        return super().send_creates(mapper, [self.body_of(mapper, payload, is_new=True) for payload in payloads])

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        taken = [change._replace(payload=self.body_of(mapper, change.payload, is_new=False)) for change in changes]
        return super().send_updates(mapper, taken)

    def body_of(self, mapper: Mapper, payload: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
        taken = as_nautobot_takes(payload, _own(mapper).nested)
        return {name: value for name, value in taken.items() if value is not None} if is_new else taken

    # Rehearsing

    def describe(self, mapper: Mapper) -> DescribedFields:
        return self.fields_of(mapper).described()

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        with super().rehearsing():
            self._related = None
            yield

    def check_payloads(self, mapper: Mapper, action: str, payloads: Sequence[Any]) -> Sequence[Exception | None]:
        """Return why Nautobot would refuse each payload: by its description of the fields, and by the names in it."""
        found = super().check_payloads(mapper, action, payloads)
        if action == "delete" or self.settings.graphql == "never":
            return found
        is_new = action == "create"
        bodies = [self.body_of(mapper, each if is_new else each.payload, is_new=is_new) for each in payloads]
        problems = self._check_names(mapper, [body for body, why in zip(bodies, found, strict=True) if why is None])
        kind = ObjectNotCreated if is_new else ObjectNotUpdated
        return [why or (kind(" ".join(names)) if (names := next(problems)) else None) for why in found]

    def _check_names(self, mapper: Mapper, bodies: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
        if self._related is None:
            _ = self.client
            self._related = RelatedNames(self._schema)
        model = model_of(self.path_of(mapper))
        problems = self._related.problems(model, _own(mapper).nested, bodies)
        self._related.note(model, [body for body, why in zip(bodies, problems, strict=True) if not why])
        return iter(problems)

    def missing_right(self, mapper: Mapper, fields: DescribedFields, action: str) -> str:
        return missing_right(fields.methods, action, self.path_of(mapper))

    def fields_of(self, mapper: Mapper) -> ListFields:
        """Return Nautobot's description of the fields of a model's list. It is requested once."""
        path = self.path_of(mapper)
        with self._lock:
            found = self._lists.get(path)
        if found is None:
            found = ListFields.read(self.client, path)
            with self._lock:
                self._lists[path] = found
        return found


def _length(params: Mapping[str, Mapping[str, None]]) -> int:
    return sum(len(name) + len(value) + 2 for name, values in params.items() for value in values)


def _own(mapper: Mapper) -> NautobotMapper:
    return cast("NautobotMapper", mapper)
