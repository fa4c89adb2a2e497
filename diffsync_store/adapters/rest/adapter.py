"""RestAdapter: reads and writes a JSON API by declared settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.rest.reading import RestReader
from diffsync_store.adapters.rest.templates import require_template
from diffsync_store.adapters.rest.writing import Writer
from diffsync_store.mapping.records import Mapper, RecordMapping


class RestAdapter(RestReader):
    """Reads and writes a JSON API. One thread loads; several may write."""

    Writer: ClassVar[type[Writer]] = Writer
    """What writes the records of a model; a subclass may have its own."""

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        mapper = super().make_mapper(model, mapping)
        names = {"path", "id", *model._identifiers}
        for action in ("create", "update", "delete"):
            require_template(self.writing_of(mapper).call(action).path, names - {"id"} if action == "create" else names)
        for template in self.templates_of_find(mapper):
            require_template(template, names - {"id"})
        return mapper

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        return self.Writer(self, mapper).create(payloads)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self.Writer(self, mapper).update(changes)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        return self.Writer(self, mapper).delete(changes)
