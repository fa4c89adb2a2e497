"""RestAdapter: reads and writes a JSON API by declared settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from pydantic import JsonValue

from diffsync_store.adapters.http import HttpError, NotJson
from diffsync_store.adapters.http.libraries import httpx
from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.rest.described import DescribedFields
from diffsync_store.adapters.rest.reading import RestReader
from diffsync_store.adapters.rest.rehearsal import RestRehearsal
from diffsync_store.adapters.rest.templates import require_template
from diffsync_store.adapters.rest.writing import Writer
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping


class RestAdapter(RestReader):
    """Reads and writes a JSON API. One thread loads; several may write."""

    Writer: ClassVar[type[Writer]] = Writer
    """What writes the records of a model; a subclass may have its own."""
    _asked: RestRehearsal | None = None
    """What the rehearsal that goes on has read."""

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        mapper = super().make_mapper(model, mapping)
        names = {"path", "id", *model._identifiers}
        for action in ("create", "update", "delete"):
            require_template(self.writing_of(mapper).call(action).path, names - {"id"} if action == "create" else names)
        for template in self.templates_of_find(mapper):
            require_template(template, names - {"id"})
        return mapper

    # Rehearsing

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        with super().rehearsing():
            self._asked, client = RestRehearsal(self), self.client
            client.time_left = self._time_left
            try:
                yield
            finally:
                self._asked = client.time_left = None

    def check_payloads(self, mapper: Mapper, action: str, payloads: Sequence[Any]) -> Sequence[Exception | None]:
        return (self._asked or RestRehearsal(self)).check(mapper, action, payloads)

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        return super().find(mapper, identifiers) if self._asked is None else self._asked.find(mapper, identifiers)

    def find_ids(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[JsonValue]:
        if self._asked is None:
            return super().find_ids(mapper, identifiers)
        return [None if record is None else record[self.id_key] for record in self._asked.find(mapper, identifiers)]

    def describe(self, mapper: Mapper) -> DescribedFields:
        """Return what the API says of the fields of a model's records, without a write; without fields if it says nothing."""
        writing, path = self.writing_of(mapper), self.path_of(mapper)
        if writing.wrap or writing.call("create") != ("POST", "{path}"):
            return DescribedFields()
        if self.api is not None:
            return self.api.described(self.client.url_of(path))
        try:
            return DescribedFields.from_options(self.client.json_of(self.client.send("OPTIONS", path)))
        except (HttpError, NotJson, httpx.TransportError):  # an API that is away fails at the next lookup too
            return DescribedFields()

    def body_of(self, mapper: Mapper, payload: Mapping[str, Any], *, is_new: bool) -> Mapping[str, Any]:
        """Return a record in the form in which it is sent."""
        return payload

    def missing_right(self, mapper: Mapper, fields: DescribedFields, action: str) -> str:
        """Return why the token may not do an action, as far as the API says it; empty if it may."""
        return ""

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        return self.Writer(self, mapper).create(payloads)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self.Writer(self, mapper).update(changes)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self.Writer(self, mapper).delete(changes)
