"""A NetBox as a system under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import httpx

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.mapped import MappedModel
from diffsync_store.adapters.netbox import NetBoxAdapter
from diffsync_store.adapters.netbox.slugs import other_slug
from diffsync_store.mapping import ModelDefinition, build_models
from diffsync_store.testing import BehindHttpProxy, HttpProxy, Record, Sample
from tests.targets.web_server import TOKEN

EMPTY = {"type": "str?", "compare": "empty_is_none"}
MODELS = build_models(
    {
        "manufacturer": ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"description": EMPTY}}
        ),
        "device_type": ModelDefinition.model_validate(
            {
                "identifiers": {"manufacturer": "str", "model": "str"},
                "attributes": {
                    "part_number": EMPTY,
                    "u_height": "number",
                    "airflow": "str?",
                    "weight": "number?",
                    "weight_unit": "str?",
                },
                "references": {"manufacturer": "manufacturer"},
            }
        ),
    },
    MappedModel,
)
RECORDS: dict[str, Any] = {
    "manufacturer": {"from": "dcim/manufacturers"},
    "device_type": {"from": "dcim/device-types", "fields": {"manufacturer": "manufacturer.name"}},
}
PATHS = {"manufacturer": "dcim/manufacturers/", "device_type": "dcim/device-types/"}
MANUFACTURER = Sample(
    "manufacturer",
    identifiers=lambda n: {"name": f"maker {n}"},
    first={"description": "one"},
    second={"description": "two"},
    text=("name", "description"),
    optional=(),  # a text without a value is blank in NetBox
)
DEVICE_TYPE = Sample(
    "device_type",
    identifiers=lambda n: {"manufacturer": "maker 0", "model": f"type {n}"},
    first={"part_number": "a", "u_height": 1, "airflow": "passive", "weight": 1.5, "weight_unit": "kg"},
    second={"part_number": "b", "u_height": 2.5, "airflow": None, "weight": None, "weight_unit": None},
    needs=("manufacturer",),
    text=("model",),
    optional=("airflow",),  # a text without a value is blank in NetBox
    values={"u_height": [0, 0.5, 99]},
    refused={"airflow": "sideways"},
)
TRIMMED = "NetBox trims outer blanks."
BLANK = "NetBox needs a name."


class NetBoxUnderTest(BehindHttpProxy):
    secrets = (TOKEN,)
    page_size = 4
    cannot: ClassVar[Mapping[str, str]] = {"text: blanks around": TRIMMED, "text: blank": BLANK}

    def __init__(self, proxy: HttpProxy, client: httpx.Client) -> None:
        super().__init__(proxy)
        self.client = client

    def make_adapter_at(self, url: str, store: BaseStore, token: str = TOKEN) -> Adapter:
        settings = {"url": url, "token": token, "attempts": 2, "paging": {"size": self.page_size}, "concurrency": 1}
        return NetBoxAdapter(settings, MODELS, RECORDS, internal_storage_engine=store)

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self.make_adapter_at(self.proxy.url, store, "wr0ng-t0ken")

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        for found in self._found(model):
            fields = {name: found.get(name) for name in (*MODELS[model]._identifiers, *MODELS[model]._attributes)}
            for name, value in fields.items():
                if isinstance(value, dict):
                    fields[name] = value["name"] if name == "manufacturer" else value["value"]
            yield fields

    def put(self, record: Record) -> None:
        body = {name: value for name, value in record.fields.items() if value is not None}
        if record.model == "device_type":
            body["manufacturer"] = {"name": body["manufacturer"]}
        name = record.identifiers["model" if record.model == "device_type" else "name"]
        path = PATHS[record.model]
        answer = self.client.post(path, json={**body, "slug": other_slug(name)})
        if answer.status_code == 400:  # there is one
            empty = {name: "" if name in {"description", "part_number"} else None for name in record.attributes}
            answer = self.client.patch(f"{path}{self._key(record)}/", json={**empty, **body})
        answer.raise_for_status()

    def remove(self, record: Record) -> None:
        key = self._key(record)
        if key is not None:
            self.client.delete(f"{PATHS[record.model]}{key}/").raise_for_status()

    def _found(self, model: str) -> list[dict[str, Any]]:
        answer = self.client.get(PATHS[model], params={"limit": 1000, "ordering": "id"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["results"]
        return found

    def _key(self, record: Record) -> int | None:
        wanted = record.identifiers
        for found in self._found(record.model):
            if record.model == "device_type":
                found["manufacturer"] = found["manufacturer"]["name"]
            if all(found[name] == value for name, value in wanted.items()):
                return int(found["id"])
        return None
