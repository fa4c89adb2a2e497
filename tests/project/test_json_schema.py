"""The JSON Schema knows models, and the settings and records of each type."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from diffsync_store.adapters import TYPE_NAMES
from diffsync_store.project import Declarations, json_schema

SCHEMA = json_schema(Declarations)
MODELS = {
    "device": {
        "identifiers": {"name": "str"},
        "attributes": {"site": "str?", "tags": {"type": "list[str]", "compare": ["unordered"]}},
        "references": {"site": {"model": "site"}},
    },
    "site": {"identifiers": {"name": {"type": "str", "compare": "ignore_case"}}, "children": ["device"]},
}
FIELDS = {"name": "a.b", "site": {"path": "c", "map": {"a": "b"}, "transforms": ["strip", {"split": ","}]}}


def problems(adapter: Any, models: Any = MODELS) -> list[str]:
    content = {"models": models, "adapters": {"a": adapter}}
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(content)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "adapter",
    [
        {"type": "files", "settings": {"folder": "x"}, "records": {"device": {"from": "*.csv", "fields": FIELDS}}},
        {"type": "rest", "settings": {"url": "${URL}", "timeout": "${T}"}, "records": {"device": {}}},
        {"type": "rest", "settings": {"url": "http://x", "paging": {"kind": "${KIND}"}}, "records": {"device": {}}},
        {"class": "my_adapters.netbox:NetBox", "settings": {"anything": 1}, "records": {"device": {"own": 1}}},
        {"class": "my_adapters.netbox:NetBox", "schedule": {"cron": "@daily"}},
    ],
)
def test_what_a_file_may_say_is_valid(adapter: Any) -> None:
    assert problems(adapter) == []


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ({"type": "fils", "records": {}}, "'fils' is not valid under any of"),
        ({"type": "files", "settings": {"foldr": "x"}, "records": {}}, "'foldr' was unexpected"),
        ({"type": "files", "settings": {"folder": "x"}}, "'records' is a required property"),
        ({"type": "files", "settings": {"folder": "x"}, "records": {"device": {"form": 1}}}, "'form' was unexpected"),
        ({"type": "rest", "settings": {"url": "http://x", "timeout": "soon"}, "records": {}}, "'soon' is not valid"),
        ({"type": "sql", "class": "a:B", "records": {}}, "is valid under each of"),
        ({"settings": {}}, "is not valid under any of"),
    ],
)
def test_what_check_refuses_is_not_valid(adapter: Any, message: str) -> None:
    assert message in "\n".join(problems(adapter))


@pytest.mark.parametrize(
    "model",
    [
        {"identifier": {"name": "str"}},
        {"identifiers": {}},
        {"identifiers": {"name": {"type": "str", "compare": "ignore_cas"}}},
        {"identifiers": {"name": 5}},
    ],
)
def test_a_wrong_model_is_not_valid(model: Any) -> None:
    assert problems({"class": "a:B"}, {"device": model})


@pytest.mark.parametrize("name", TYPE_NAMES)
def test_each_type_is_described(name: str) -> None:
    [found] = [
        part for part in SCHEMA["$defs"]["AdapterEntry"]["allOf"] if part["if"]["properties"]["type"]["const"] == name
    ]
    settings = SCHEMA["$defs"][found["then"]["properties"]["settings"]["$ref"].rpartition("/")[2]]
    assert "description" in json.dumps(settings["properties"])
    assert settings["additionalProperties"] is False
