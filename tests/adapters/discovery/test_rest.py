"""A list of a JSON API, and the systems that answer in a way of their own."""

import json
from typing import Any

import pytest

from diffsync_store.adapters.discovery import UnknownSystem, discovery_of, recognize
from diffsync_store.adapters.discovery.rest import RestDiscovery
from tests.http_service import HttpService

SITES = [{"name": "Oslo", "code": 1}, {"name": "Bergen", "code": 2}]


def serve(answer: Any) -> HttpService:
    return HttpService(lambda path: json.dumps(answer if "sites" in path else {}).encode())


@pytest.mark.parametrize(
    ("answer", "settings"),
    [
        (SITES, {}),
        ({"count": 2, "next": None, "results": SITES}, {"items": "results", "paging": {"kind": "next", "size_parameter": "", "total": "count"}}),
        ({"status": "ok", "data": SITES}, {"items": "data"}),
    ],
)  # fmt: skip
def test_where_the_records_are_and_how_the_pages_follow(answer: Any, settings: dict[str, Any]) -> None:
    with serve(answer) as service:
        discovery = RestDiscovery(f"{service.url}/v1/sites/")
        assert discovery.settings == {"url": f"{service.url}/v1/", **settings}
        found = discovery.describe("sites")
    assert [(field.name, field.type) for field in found.fields] == [("name", "str"), ("code", "int")]
    assert found.source == "sites/"
    assert found.keys == (("name",), ("code",))


def test_an_address_without_a_known_system_is_a_list_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(SITES) as service:
        address = recognize(f"{service.url}/sites?active=true")
        assert address.type == "rest"
        [name] = discovery_of(address).names()
        assert discovery_of(address).describe(name).source == "sites?active=true"


def test_a_token_is_sent_and_kept_out_of_the_settings() -> None:
    with serve(SITES) as service:
        discovery = RestDiscovery(f"{service.url}/sites", "s3cret-token")
        discovery.describe("sites")
        assert all(request.headers["authorization"] == "Bearer s3cret-token" for request in service.received)
    assert "s3cret" not in str(discovery.settings)


def test_a_password_in_the_address_is_refused() -> None:
    with pytest.raises(UnknownSystem, match="Remove the password from") as caught:
        recognize("https://somebody:hunter2@127.0.0.1/")
    assert "hunter2" not in str(caught.value)
