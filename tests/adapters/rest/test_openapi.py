import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.adapters.rest.conftest import MakeAdapter, loaded, names
from tests.http_service import Answer, Request
from tests.json_api import JsonApi

DEVICE = {
    "type": "object",
    "required": ["name", "site", "role"],
    "properties": {"id": {}, "name": {}, "site": {}, "rack": {}, "role": {}},
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/devices/": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}
                }
            },
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "oneOf": [
                                    {"type": "array", "items": {"$ref": "#/components/schemas/Device"}},
                                    {"$ref": "#/components/schemas/Device"},
                                ]
                            }
                        }
                    }
                }
            },
        },
        "/devices/{id}/": {"patch": {}},
        "/reports/": {"post": {}},
    },
    "components": {
        "schemas": {
            "Page": {
                "properties": {
                    "results": {"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/Device"}]}}
                }
            },
            "Device": DEVICE,
        }
    },
}


class Described(JsonApi):
    """An API with a description."""

    document: Any = DOCUMENT

    def respond(self, request: Request) -> Answer:
        if request.path == "/openapi.json":
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(self.document).encode())
        return super().respond(request)


def test_a_mapping_that_fits_is_opened(adapter_of: MakeAdapter) -> None:
    with Described({"name": "a"}) as api, capture_logs() as logged:
        adapter = adapter_of(api, openapi="openapi.json")
        adapter.open()
        assert names(loaded(adapter)) == ["a"]
    assert [entry["fields"] for entry in logged if "requires" in entry["event"]] == [["role"]]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"from": "device/"}, r"device: the API has no path /device/. Is it '/devices/'\?"),
    ({"from": "reports/"}, r"device: the API does not let /reports/ be read \(GET\)"),
    ({"fields": {"rack": "racks"}}, r"device: the records of the API have no field 'racks'. Is it 'rack'\?"),
    ({"fields": {"site": "place.name", "rack": "unit"}}, "no field 'place'.* no field 'unit'"),
]


@pytest.mark.parametrize(("records", "words"), WRONG)
def test_a_mapping_that_does_not_fit_is_named(adapter_of: MakeAdapter, records: dict[str, Any], words: str) -> None:
    with Described() as api:
        adapter = adapter_of(api, records, openapi="openapi.json")
        with pytest.raises(ValueError, match=words):
            adapter.open()


@pytest.mark.parametrize(
    "document",
    [[], {}, {"paths": []}, {"paths": {"/devices/": {"get": {}}}}, {"paths": {"/devices/": {"$ref": "#/x"}}}],
)
def test_a_document_that_says_little(adapter_of: MakeAdapter, document: Any) -> None:
    with Described() as api:
        api.document = document
        adapter = adapter_of(api, openapi="openapi.json")
        if (
            isinstance(document, dict)
            and isinstance(document.get("paths"), dict)
            and "get" in document["paths"]["/devices/"]
        ):
            adapter.open()
        else:
            with pytest.raises(ValueError, match=r"no `paths`|does not let"):
                adapter.open()


def test_values_expressions_and_references_are_not_fields(adapter_of: MakeAdapter) -> None:
    with Described() as api:
        fields = {"site": {"value": "Oslo"}, "rack": "racks[0].number"}
        adapter_of(api, {"fields": fields}, openapi="openapi.json").open()
