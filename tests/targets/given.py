"""A source whose records are given, what a sync of it does, and the requests that it takes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from diffsync_store import DiffSyncFlags, Sync, SyncOptions
from diffsync_store.adapters.mapped import AdapterSettings, MappedAdapter
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.mapping import Mapper
from diffsync_store.result import SyncResult


class GivenSettings(AdapterSettings):
    records: dict[str, list[dict[str, Any]]]


class GivenAdapter(MappedAdapter):
    Settings = GivenSettings
    settings: GivenSettings

    def read(self, mapper: Mapper) -> Iterable[Mapping[str, Any]]:
        return self.settings.records[mapper.model.get_type()]


A = TypeVar("A", bound=MappedAdapter)


def loaded(adapter: A) -> A:
    with adapter.store.loading():
        adapter.load()
    return adapter


def given(models: Mapping[str, Any], **records: Sequence[Mapping[str, Any]]) -> GivenAdapter:
    """A loaded source with these records; the other models have none."""
    return loaded(
        GivenAdapter(
            {"records": {name: records.get(name, []) for name in models}}, models, {name: {} for name in models}
        )
    )


def synced(source: MappedAdapter, target: MappedAdapter, **options: Any) -> SyncResult:
    diff = target.diff_from(source)
    return Sync(diff, source, target, SyncOptions(**options), flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()


def changes(source: MappedAdapter, target: MappedAdapter) -> dict[str, int]:
    """The operations that a sync would have, by action."""
    summary = target.diff_from(source).summary()
    return {action: summary[action] for action in ("create", "update", "delete") if summary[action]}


def count_requests(adapter: RestAdapter) -> Counter[str]:
    """The requests that the adapter sends from now on, by method."""
    counted: Counter[str] = Counter()

    def count(request: httpx.Request) -> None:
        counted[request.method] += 1

    adapter.client._client.event_hooks = {"request": [count], "response": []}
    return counted
