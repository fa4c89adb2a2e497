"""RestReader: the connection to a JSON API, what is declared of it, and its lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, ClassVar

import structlog
from pydantic import JsonValue

from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.resolver import ids_by_unique_id
from diffsync_store.adapters.rest.openapi import ApiDescription
from diffsync_store.adapters.rest.paging import Pages
from diffsync_store.adapters.rest.settings import Paging, RestRecords, RestSettings, Writing
from diffsync_store.adapters.rest.templates import filled_path, filled_text
from diffsync_store.adapters.shards import NULL, Part, Scalar
from diffsync_store.mapping.paths import Record, compile_getter
from diffsync_store.mapping.records import Mapper

VALUES_PER_LIST = 50
"""Values of a filter in one request at most: servers take addresses of about 4,000 characters."""
_MAKING_A_CLIENT = Lock()
"""An adapter that was not opened makes its client at the first request, which several threads may send."""


class RestReader(MappedAdapter):
    """Reads a JSON API. One thread loads; several may look records up."""

    Settings = RestSettings
    Records = RestRecords
    settings: RestSettings
    id_key: ClassVar[str] = "$id"
    shard_is = "a parameter of the list"
    api: ApiDescription | None = None
    """The API's own description, where there is one."""

    @cached_property
    def checked_deletes(self) -> set[str]:
        """Return the models whose path for deletes was checked."""
        return set()

    # The connection

    def open(self) -> None:
        """Make the client, and check the mappings by the API's own description where there is one.

        Raises:
            ValueError: the API does not have a path or a field that a mapping names.
        """
        client = self.client
        if self.settings.openapi:
            self.api = ApiDescription(client.get_json(self.settings.openapi))
            self._check(self.api)

    def _check(self, described: ApiDescription) -> None:
        problems: list[str] = []
        for mapper in self.mappers.values():
            if mapper.mapping.list_path:
                continue
            url = self.client.url_of(self.path_of(mapper))
            problems += described.problems(mapper, url, self.items_of(mapper))
            unwritten = described.unwritten(mapper, url)
            if unwritten:
                structlog.get_logger().warning(
                    "The API requires fields of new records that the mapping does not write",
                    model=mapper.model._modelname,
                    fields=unwritten,
                )
        if problems:
            raise ValueError("The mapping does not fit the API. " + " ".join(problems))

    def close(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            self._client.close()
            del self._client

    @property
    def client(self) -> HttpClient:
        """Return the client of the API."""
        with _MAKING_A_CLIENT:
            if "_client" not in vars(self):
                self._client = HttpClient(self.settings)
            return self._client

    # What is declared of a model, or else of the API

    def path_of(self, mapper: Mapper) -> str:
        """Return the path of a model's list."""
        return mapper.mapping.source or f"{mapper.model._modelname}/"

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        """Return the parameters of a request for the list."""
        return dict(_declared(mapper).params)

    def paging_of(self, mapper: Mapper) -> Paging:
        """Return how the pages of the list follow each other."""
        return _declared(mapper).paging or self.settings.paging

    def items_of(self, mapper: Mapper) -> str:
        """Return the path of the records in an answer; empty if the answer is the list."""
        own = _declared(mapper).items
        return self.settings.items if own is None else own

    def writing_of(self, mapper: Mapper) -> Writing:
        """Return the options for writing records. Those of the model have precedence over the settings."""
        own = _declared(mapper).writing
        if own is None:
            return self.settings.writing
        return self.settings.writing.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})

    def id_of(self, mapper: Mapper, record: Mapping[str, Any]) -> JsonValue:
        """Return the system's id of a record of an answer."""
        path = _declared(mapper).id or self.settings.id
        found: JsonValue = _getter(path)(record, None) if path else None
        return found

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        total: int | None = 0
        for params in self.shard_queries(mapper, self.part_of(mapper)):
            pages = self.pages(mapper, params)
            for record in pages:
                yield self.record_of(mapper, record)
            self._report_shifts(mapper, pages)
            total = total + max(pages.totals) if pages.totals and total is not None else None
        if total is not None:
            self.expect(mapper.model, total, at_least=True)

    def _report_shifts(self, mapper: Mapper, pages: Pages) -> None:
        """Report records that may be missing, because the list has changed while it was read."""
        if len(pages.totals) > 1:
            numbers = " then ".join(map(str, pages.totals))
            self.incomplete(mapper.model, f"The API had {numbers} records while the pages were read. Load again.")
        elif pages.has_shifted:
            self.incomplete(
                mapper.model,
                "Records were created or deleted while the pages were read, or their order changes. Load again, or sort the list by id with `params`.",
            )

    def shard_queries(self, mapper: Mapper, part: Part | None) -> Iterator[dict[str, Any]]:
        """Yield the parameters of the lists that contain the records of a shard, each in one list; none for all records."""
        if part is None:
            yield {}
            return
        values = [NULL if value is None else value for value in self._listed(mapper, part)]
        for start in range(0, len(values), VALUES_PER_LIST):
            yield {mapper.mapping.shard: values[start : start + VALUES_PER_LIST]}

    def _listed(self, mapper: Mapper, part: Part) -> Sequence[Scalar]:
        """Return the values of a shard one by one."""
        return [value for value in self.shard_values(mapper) if part.has(value)] if part.is_range else part.values

    def count_outside(self, mapper: Mapper, parts: Sequence[Part]) -> int | None:
        total = self.total_of(mapper, {})
        queries = [query for part in parts for query in self.shard_queries(mapper, part)]
        inside = [self.total_of(mapper, query) or 0 for query in queries] if total else []
        return None if total is None else max(total - sum(inside), 0)

    def total_of(self, mapper: Mapper, params: Mapping[str, Any]) -> int | None:
        """Return the number of records of a list, narrowed by parameters; None if the API does not say it."""
        paging = self.paging_of(mapper).model_copy(update={"size": 1})
        pages = self.pages(mapper, params, paging)
        next(iter(pages), None)
        return pages.totals[0] if pages.totals else None

    def pages(self, mapper: Mapper, params: Mapping[str, Any] | None = None, paging: Paging | None = None) -> Pages:
        """Return the records of a model's list as the API gives them, narrowed by more parameters."""
        return Pages(
            self.client,
            self.path_of(mapper),
            self.params_of(mapper) | dict(params or {}),
            paging or self.paging_of(mapper),
            self.items_of(mapper),
            id_of=lambda record: self.id_of(mapper, record),
            at_once=1 if paging else self.settings.concurrency,
        )

    def record_of(self, mapper: Mapper, record: Any) -> Record:
        """Return a record of an answer with its id under `id_key`. A plain value becomes a record with the field `value`."""
        if not isinstance(record, Mapping):
            return {"value": record}
        return {**record, self.id_key: self.id_of(mapper, record)}

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        wanted = [mapper.model.create_unique_id(**ids) for ids in identifiers]
        missing, found = set(wanted), {}
        for record in self.read_some(mapper, identifiers):
            unique_id = unique_id_in(mapper, record)
            if unique_id in missing:
                found[unique_id] = record
                missing.discard(unique_id)
                if not missing:
                    break
        return [found.get(unique_id) for unique_id in wanted]

    def find_ids(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[JsonValue]:
        found = self.ids_in(mapper, identifiers)
        return [found.get(mapper.model.create_unique_id(**ids)) for ids in identifiers]

    def ids_in(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> dict[str, JsonValue]:
        """Return the ids of all records that are read for these identifiers, by unique id."""
        records = self.read_some(mapper, identifiers)
        return ids_by_unique_id((unique_id_in(mapper, record), record.get(self.id_key)) for record in records)

    def templates_of_find(self, mapper: Mapper) -> list[str]:
        """Return the templates of `find`: one for a path, or one for each parameter."""
        find = _declared(mapper).find
        return [find] if isinstance(find, str) else list(find.values())

    def reads_whole_list(self, mapper: Mapper) -> bool:
        """Whether the whole list is read to find some of its records."""
        return not _declared(mapper).find

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        """Return records that include those with these identifiers. A subclass whose API has filters requests fewer than all."""
        find = _declared(mapper).find
        if self.reads_whole_list(mapper):
            yield from (self.record_of(mapper, record) for record in self.pages(mapper))
        for ids in identifiers if find else ():
            if isinstance(find, str):
                yield from self._read_one(mapper, filled_path(find, self.path_of(mapper), ids))
            else:
                params = {name: filled_text(template, ids) for name, template in find.items()}
                yield from (self.record_of(mapper, record) for record in self.pages(mapper, params))

    def _read_one(self, mapper: Mapper, path: str) -> Iterable[Record]:
        try:
            answer = self.client.get_json(path)
        except HttpError as error:
            if error.response.status_code in {404, 410}:
                return
            raise
        yield self.record_of(mapper, self.record_in(mapper, answer))

    def record_in(self, mapper: Mapper, answer: Any) -> Any:
        """Return the record in the answer for one record."""
        path = self.writing_of(mapper).answer
        return compile_getter(path)(answer, None) if path and isinstance(answer, Mapping) else answer


_getter = lru_cache(maxsize=256)(compile_getter)


def unique_id_in(mapper: Mapper, record: Record) -> str | None:
    """Return the unique id of a record; None if it does not fit its model."""
    try:
        return mapper.model(**mapper.fields_of(record)).get_unique_id()
    except (ValueError, TypeError):
        return None


def _declared(mapper: Mapper) -> RestRecords:
    return mapper.mapping if isinstance(mapper.mapping, RestRecords) else RestRecords()
