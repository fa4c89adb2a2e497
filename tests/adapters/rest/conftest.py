from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.mapping import ModelDefinition
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper
from tests.json_api import JsonApi

MODELS = {
    "device": ModelDefinition.model_validate(
        {"identifiers": {"name": "str"}, "attributes": {"site": "str?", "rack": "int?"}}
    )
}

MakeAdapter = Callable[..., RestAdapter]


@pytest.fixture
def adapter_of() -> Iterator[MakeAdapter]:
    """Makes adapters of an API; they are closed at the end."""
    opened: list[RestAdapter] = []

    def make(api: JsonApi, records: dict[str, Any] | None = None, **settings: Any) -> RestAdapter:
        paging = {"kind": api.paging, "total": api.total, "size": 3}
        if api.paging in {"cursor", "next"}:
            paging["parameter"] = "after"
        given = {"url": api.url, "items": api.items, "paging": paging, "attempts": 2, **settings}
        adapter = RestAdapter(given, MODELS, {"device": {"from": "devices/", **(records or {})}})
        opened.append(adapter)
        return adapter

    yield make
    for adapter in opened:
        adapter.close()


class Given(MappedAdapter):
    """Reads the records that a test gives it."""

    given: Sequence[Record] = ()

    def read(self, mapper: Mapper) -> Sequence[Record]:
        return self.given


def source_of(*records: Record) -> MappedAdapter:
    source = Given({}, MODELS, {"device": {}})
    source.given = records
    return loaded(source)


def loaded(adapter: MappedAdapter) -> MappedAdapter:
    with adapter.store.loading():
        adapter.load()
    return adapter


def names(adapter: MappedAdapter) -> list[str]:
    return [device.name for device in adapter.get_all("device")]
