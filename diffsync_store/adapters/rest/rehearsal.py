"""RestRehearsal: what a JSON API says of records before they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from diffsync_store.adapters.mapped import Change
from diffsync_store.adapters.resolver import REHEARSED
from diffsync_store.adapters.rest.described import DescribedFields
from diffsync_store.adapters.rest.settings import Writing
from diffsync_store.adapters.secrets import secret_keys
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper

_REFUSED = {"create": ObjectNotCreated, "update": ObjectNotUpdated, "delete": ObjectNotDeleted}


class Described(Protocol):
    """What is needed of an adapter to rehearse."""

    id_key: ClassVar[str]

    def describe(self, mapper: Mapper) -> DescribedFields: ...
    def missing_right(self, mapper: Mapper, fields: DescribedFields, action: str) -> str: ...
    def body_of(self, mapper: Mapper, payload: Mapping[str, Any], *, is_new: bool) -> Mapping[str, Any]: ...
    def reads_whole_list(self, mapper: Mapper) -> bool: ...
    def writing_of(self, mapper: Mapper) -> Writing: ...
    def ids_in(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> dict[str, Any]: ...


class RestRehearsal:
    """What is read for one rehearsal: a description of each list, and whole lists of records that cannot be asked for alone.

    One thread uses it.
    """

    def __init__(self, adapter: Described) -> None:
        self._adapter = adapter
        self._described: dict[str, DescribedFields] = {}
        self._ids: dict[str, dict[str, Any]] = {}

    def check(self, mapper: Mapper, action: str, payloads: Sequence[Any]) -> list[Exception | None]:
        """Return why the API would refuse each payload, by its own description; None if it gives no reason."""
        fields = self.described(mapper)
        right = self._adapter.missing_right(mapper, fields, action)
        if right:
            return [_REFUSED[action](right) for _ in payloads]
        if action == "delete":
            return [None] * len(payloads)
        found = [self._problems(mapper, fields, each, is_new=action == "create") for each in payloads]
        return [_REFUSED[action](" ".join(problems)) if problems else None for problems in found]

    def _problems(self, mapper: Mapper, fields: DescribedFields, payload: Any, *, is_new: bool) -> list[str]:
        fields_of_record = payload.payload if isinstance(payload, Change) else payload
        body = self._adapter.body_of(mapper, fields_of_record, is_new=is_new)
        finds_dropped = self._adapter.writing_of(mapper).find_dropped
        return fields.problems(
            _without_rehearsed(body), is_new=is_new, finds_dropped=finds_dropped, secrets=secret_keys(mapper)
        )

    def described(self, mapper: Mapper) -> DescribedFields:
        """Return what the API says of the fields of a model's records. It is asked once."""
        model = mapper.model._modelname
        if model not in self._described:
            self._described[model] = self._adapter.describe(mapper)
        return self._described[model]

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> list[Record | None]:
        """Return records with nothing but their ids, or with `Several` if there are several. A whole list is read once."""
        model, key = mapper.model._modelname, self._adapter.id_key
        if not self._adapter.reads_whole_list(mapper):
            found = self._adapter.ids_in(mapper, identifiers)
        elif model in self._ids:
            found = self._ids[model]
        else:
            found = self._ids[model] = self._adapter.ids_in(mapper, [])
        uids = [mapper.model.create_unique_id(**ids) for ids in identifiers]
        return [{key: found[uid]} if uid in found else None for uid in uids]


def _without_rehearsed(value: Any) -> Any:
    """Return a body with null in place of the ids of records that only the rehearsal has created."""
    if isinstance(value, Mapping):
        return {key: _without_rehearsed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_rehearsed(item) for item in value]
    return None if value == REHEARSED else value
