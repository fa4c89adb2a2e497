"""The adapter of Nautobot put to the conformance suite, against a real Nautobot."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from diffsync_store import Adapter, BaseStore
from diffsync_store.adapters.mapped import MappedModel
from diffsync_store.adapters.nautobot import NautobotAdapter
from diffsync_store.mapping import ModelDefinition, build_models
from diffsync_store.testing import BehindHttpProxy, HttpProxy, Record, Sample
from tests.conformance.redis import OnRedis
from tests.targets.nautobot_server import NautobotServer

pytestmark = pytest.mark.slow

PAGE = 3
PATHS = {"manufacturer": "dcim/manufacturers/", "device_type": "dcim/device-types/"}
MODELS = build_models(
    {
        "manufacturer": ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"description": {"type": "str", "default": ""}}}
        ),
        "device_type": ModelDefinition.model_validate(
            {
                "identifiers": {"manufacturer": "str", "model": "str"},
                "attributes": {
                    "part_number": {"type": "str", "default": ""},
                    "u_height": {"type": "int", "default": 1},
                    "subdevice_role": "str?",
                },
                "references": {"manufacturer": "manufacturer"},
            }
        ),
    },
    MappedModel,
)
TRIMS = {"text: blanks around": "Nautobot trims texts; the log names the field."}
NO_EMOJI = {"text: emoji": "Nautobot 3.2 makes a slug of the name, and answers 500 if nothing is left of it."}
SAMPLES = (
    Sample(
        "manufacturer",
        identifiers=lambda n: {"name": f"manufacturer {n}"},
        first={"description": "old"},
        second={"description": "new"},
        text=("name", "description"),
        refused={"description": "x" * 256},
        cannot=TRIMS | NO_EMOJI,
    ),
    Sample(
        "device_type",
        identifiers=lambda n: {"manufacturer": "manufacturer 0", "model": f"model {n}"},
        first={"part_number": "A", "u_height": 1, "subdevice_role": None},
        second={"part_number": "B", "u_height": 2, "subdevice_role": "parent"},
        needs=("manufacturer",),
        text=("model", "part_number"),
        values={"u_height": [0, 1, 100]},
        refused={"subdevice_role": "no such role"},
        cannot=TRIMS | NO_EMOJI,
    ),
)


class NautobotUnderTest(BehindHttpProxy):
    page_size = PAGE

    def __init__(self, proxy: HttpProxy, nautobot: NautobotServer) -> None:
        super().__init__(proxy)
        self.nautobot = nautobot
        self.secrets = (nautobot.token,)
        self.client = nautobot.client()
        nautobot.run_sql("DELETE FROM dcim_devicetype", "DELETE FROM dcim_manufacturer")

    def make_adapter_at(self, url: str, store: BaseStore) -> Adapter:
        return self._adapter(url, store, self.nautobot.token)

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        return self._adapter(self.proxy.url, store, "w" * 40)

    def _adapter(self, url: str, store: BaseStore, token: str) -> Adapter:
        settings = {"url": f"{url}api/", "token": token, "attempts": 2, "paging": {"size": PAGE}, "graphql": "never"}
        records: dict[str, Any] = {
            "manufacturer": {"from": PATHS["manufacturer"]},
            "device_type": {"from": PATHS["device_type"], "fields": {"manufacturer": "manufacturer.name"}},
        }
        return NautobotAdapter(settings, MODELS, records, internal_storage_engine=store)

    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        return [fields for _, fields in self._found(model)]

    def _found(self, model: str) -> list[tuple[str, dict[str, Any]]]:
        answer = self.client.get(PATHS[model], params={"depth": 1, "limit": 1000}).json()
        return [(record["id"], _fields(model, record)) for record in answer["results"]]

    def _id_of(self, record: Record) -> str | None:
        wanted = record.identifiers.items()
        return next((number for number, row in self._found(record.model) if wanted <= row.items()), None)

    def put(self, record: Record) -> None:
        body = {**record.fields}
        if record.model == "device_type":
            body["manufacturer"] = {"name": body["manufacturer"]}
        path = PATHS[record.model]
        answer = self.client.post(path, json=body)
        if answer.status_code == 400:  # there is one
            answer = self.client.patch(f"{path}{self._id_of(record)}/", json=body)
        assert answer.is_success, answer.text

    def remove(self, record: Record) -> None:
        number = self._id_of(record)
        if number is not None:
            assert self.client.delete(f"{PATHS[record.model]}{number}/").is_success


def _fields(model: str, record: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: record[name] for name in (*MODELS[model]._identifiers, *MODELS[model]._attributes)}
    if model == "device_type":
        found["manufacturer"] = record["manufacturer"]["name"]
        role = record["subdevice_role"]
        found["subdevice_role"] = None if role is None else role["value"]
    return found


@pytest.fixture(scope="module")
def proxied(nautobot_server: NautobotServer) -> Iterator[tuple[HttpProxy, NautobotServer]]:
    nautobot_server.reset()
    with HttpProxy(nautobot_server.url.removesuffix("api/")) as proxy:
        yield proxy, nautobot_server


class TestNautobot(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, proxied: tuple[HttpProxy, NautobotServer]) -> Iterator[NautobotUnderTest]:
        under_test = NautobotUnderTest(*proxied)
        yield under_test
        under_test.client.close()
