"""The first records of an adapter: as the system has them, as objects, and why they are rejected. Nothing is stored."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.adapters import MappedAdapter
from diffsync_store.mapping.records import Mapper
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import REDACTED, format_reason, is_secret_name, redact_values, secret_fields
from diffsync_store.store.local import LocalStore


@dataclass(frozen=True)
class PreviewedRecord:
    """One record. Secrets are redacted."""

    model: str
    unique_id: str
    raw: dict[str, Any] | None
    """The record as the system has it; None if the adapter does not show it."""
    fields: dict[str, Any] | None
    """The fields of its object; None if it is rejected or left out."""
    reject: str = ""
    """Why it is rejected."""
    is_left_out: bool = False
    """Whether the condition `where` of the mapping leaves it out."""


def preview(adapter: Adapter, model: str, limit: int) -> Iterator[PreviewedRecord]:
    """Yield the first records of a model; reading stops after them.

    Args:
        adapter: an open adapter over a `LocalStore`. A ready adapter reads only the records of the model; any other one loads
            until the store has enough objects.
        model: the name of the model.
        limit: maximum records.
    """
    if isinstance(adapter, MappedAdapter):
        with closing(_records(adapter, adapter.mappers[model])) as records:
            for record, above in islice(records, limit):
                yield _previewed(adapter.mappers[model], record, above)
    else:
        yield from _objects(adapter, model, limit)


def previewed_models(adapter: Adapter) -> list[str]:
    """Return the names of the models that an adapter reads."""
    if isinstance(adapter, MappedAdapter):
        return [name for name, mapper in adapter.mappers.items() if not mapper.mapping.lookup_only]
    return list(adapter._get_initial_value_order())


def _records(adapter: MappedAdapter, mapper: Mapper) -> Generator[tuple[Any, Any], None, None]:
    """Yield the records of a model, each with the object that holds its list, if there is one."""
    if not mapper.mapping.list_path:
        records = iter(adapter.read(mapper))
        try:
            for record in records:
                yield record, None
        finally:
            if hasattr(records, "close"):
                records.close()
        return
    holder = _holder(adapter, mapper)
    with closing(_records(adapter, holder)) as records_of_holder:
        for record, above in records_of_holder:
            try:
                obj = holder.model(**holder.fields_of(record, above))
                items = mapper.list_of(record)
            except Exception:  # noqa: BLE001, S112  # the preview of that model shows why
                continue
            if isinstance(items, list):
                yield from ((item, obj) for item in items)


def _holder(adapter: MappedAdapter, mapper: Mapper) -> Mapper:
    """Return the mapper of the records that hold the list of this model's records."""
    name = mapper.mapping.parent
    if not name:
        name = next(each for each, model in adapter.models.items() if mapper.model._modelname in model._children)
    return adapter.mappers[name]


def _previewed(mapper: Mapper, record: Any, above: Any) -> PreviewedRecord:
    model = mapper.model
    name = model._modelname
    if not isinstance(record, Mapping):
        return PreviewedRecord(
            name, str(record), None, None, f"TypeError: it is a {type(record).__name__}, not a mapping"
        )
    raw = redact_values(model, dict(sorted(record.items(), key=lambda item: str(item[0]).startswith("$"))))
    try:
        if mapper.where is not None and not mapper.where(record, above):
            return PreviewedRecord(name, mapper.key_of(record, above), raw, None, is_left_out=True)
        fields = mapper.fields_of(record, above)
        raw = _masked(raw, _secrets(model, fields))
        obj = model(**fields)
        shown = redact_values(model, {**obj.get_identifiers(), **obj.get_attrs()})
        return PreviewedRecord(name, obj.get_unique_id(), raw, shown)
    except Exception as error:  # noqa: BLE001  # transforms and validators of own classes may raise anything
        return PreviewedRecord(name, mapper.key_of(record, above), raw, None, format_reason(error, model, record))


def _secrets(model: type[DiffSyncModel], fields: Mapping[str, Any]) -> set[str]:
    """Return the secret values of a record, which it may have under other names."""
    secrets = secret_fields(model)
    return {str(value) for name, value in fields.items() if value and (name in secrets or is_secret_name(name))}


def _masked(value: Any, secrets: set[str]) -> Any:
    if not secrets:
        return value
    if isinstance(value, dict):
        return {name: _masked(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, secrets) for part in value]
    return REDACTED if str(value) in secrets else value


class _Enough(BaseException):  # no `except Exception` of an adapter may catch it
    """The preview has what it shows."""


class _SmallStore(LocalStore):
    """Ends the load when it has enough objects of one model."""

    wanted = ""
    limit = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._added: Counter[str] = Counter()

    def _insert(self, model: str, uid: str, obj: DiffSyncModel) -> None:
        super()._insert(model, uid, obj)
        self._added[model] += 1
        if model == self.wanted and self._added[model] >= self.limit:
            raise _Enough


def preview_store(model: str = "", limit: int = 0) -> LocalStore:
    """Return a store for an adapter that is previewed."""
    store = _SmallStore()
    store.wanted, store.limit = model, limit
    return store


def _objects(adapter: Adapter, model: str, limit: int) -> Iterator[PreviewedRecord]:
    with adapter.store.loading(), suppress(_Enough):
        adapter.load()
    for reject in (gap.rejects if (gap := adapter.store.record().gaps.get(model)) else ())[:limit]:
        yield PreviewedRecord(model, reject.what, None, None, reject.reason)
    for obj in islice(adapter.store.get_all(model=model), limit):
        shown = redact_values(type(obj), {**obj.get_identifiers(), **obj.get_attrs()})
        yield PreviewedRecord(model, obj.get_unique_id(), None, shown)
