"""A rehearsal of a JSON API reads what the API says, and sends no write."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from diffsync_store import DiffSyncFlags
from diffsync_store.adapters import resolver
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.journal import MemoryJournal
from diffsync_store.operation import diff_of, operations_of
from diffsync_store.sync import SyncOptions
from diffsync_store.sync.rehearsal import Rehearsal
from tests.adapters.rest.conftest import MakeAdapter, loaded, source_of
from tests.http_service import DROP, Request
from tests.json_api import JsonApi
from tests.rehearsing import reasons, rehearsed
from tests.targets.given import count_requests, given, synced

DESCRIBED = {
    "id": {"type": "integer", "read_only": True},
    "name": {"type": "string", "required": True, "max_length": 8},
    "site": {"type": "choice", "choices": [{"value": "oslo"}, {"value": "bergen"}]},
    "rack": {"type": "integer", "min_value": 0},
}
PRESENT: list[dict[str, Any]] = [{"name": f"d{number}", "site": "oslo", "rack": 1} for number in range(20)]
FIND = {"find": {"name": "{name}"}}


def requests(api: JsonApi) -> Counter[str]:
    return Counter(method for method, _ in api.requests)


def test_what_the_api_says_is_named_and_nothing_is_written(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target = loaded(adapter_of(api))
        api.requests.clear()
        changed: list[dict[str, Any]] = [{**PRESENT[0], "site": "nowhere"}, {**PRESENT[1], "rack": 2}]
        new: list[dict[str, Any]] = [{"name": "new"}, {"name": "much too long"}, {"name": "low", "rack": -1}]
        found = rehearsed(source_of(*changed, *new), target)
        assert reasons(found) == {
            "d0": "site: 'nowhere' is not a choice. Choices are oslo, bergen.",
            "much too long": "name: The text has 13 characters. The API takes 8 at most.",
            "low": "rack: -1 is less than 0.",
        }
        assert (found.result.created, found.result.updated, found.result.deleted) == (1, 1, 18)
        assert not api.writes()
        assert len(api.records) == 20


def test_a_description_and_a_list_are_read_once(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target = loaded(adapter_of(api, paging={"kind": "offset", "size": 100, "total": "count"}))
        api.requests.clear()
        new = [{"name": f"n{number}"} for number in range(50)]
        rehearsed(source_of(*PRESENT, *new), target, batch_size=5)
        assert requests(api) == {"OPTIONS": 1, "GET": 1}


def test_records_that_came_or_went_since_the_load_are_named(adapter_of: MakeAdapter) -> None:
    for records in ({}, FIND):
        with JsonApi(*PRESENT, described=DESCRIBED) as api:
            target = loaded(adapter_of(api, records))
            api.add({"name": "new"})
            del api.records[1], api.records[3]
            source = source_of({**PRESENT[0], "rack": 2}, {**PRESENT[1], "rack": 2}, {"name": "new"})
            found = rehearsed(source, target)
            assert {name: reason.split(".")[0] for name, reason in reasons(found).items()} == {
                "d0": "The device 'd0' is gone from the system",
                "new": "The system has a record with these identifiers already",
            }
            assert found.result.deleted == 18  # one that is gone counts as deleted
            assert not api.writes()


def test_a_later_sync_refuses_what_the_rehearsal_named(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT, described={**DESCRIBED, "name": {"type": "string", "max_length": 3}}) as api:
        source = source_of(*PRESENT, {"name": "bad name"}, {"name": "n1"})
        named = set(reasons(rehearsed(source, loaded(adapter_of(api)))))
        result = synced(source, loaded(adapter_of(api)))
        assert named == {each.unique_id for each in result.rejects} == {"bad name"}
        assert (len(api.records), api.names[-1]) == (21, "n1")


def test_an_api_without_a_description_says_less(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT) as api:
        found = rehearsed(source_of(*PRESENT, {"name": "much too long"}), loaded(adapter_of(api)))
        assert not found.result.rejects
        assert found.asks_target
        assert not api.writes()


def test_an_api_that_breaks_off_at_options_is_rehearsed_by_its_records(adapter_of: MakeAdapter) -> None:
    def break_off(request: Request) -> None:
        if request.method == "OPTIONS":
            raise ConnectionAbortedError

    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target = loaded(adapter_of(api, attempts=1))
        api.add({"name": "there"})
        api.before = break_off
        found = rehearsed(source_of(*PRESENT, {"name": "there"}, {"name": "much too long"}), target)
        assert list(reasons(found)) == ["there"]


def test_openapi_is_read_in_place_of_options(adapter_of: MakeAdapter) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 8}}}
    listed = {"type": "array", "items": {"type": "object", "properties": {key: {} for key in ("name", "site", "rack")}}}
    of_list = {"content": {"application/json": {"schema": listed}}}
    document = {
        "paths": {
            "/devices/": {
                "get": {"responses": {"200": of_list}},
                "post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/schemas/Device"}}}}},
            }
        },
        "schemas": {"Device": schema},
    }
    with JsonApi(*PRESENT, items="", openapi=document) as api:
        target = adapter_of(api, openapi="openapi.json")
        target.open()
        found = rehearsed(source_of(*PRESENT, {"name": "much too long"}), loaded(target))
        assert list(reasons(found)) == ["much too long"]
        assert requests(api)["OPTIONS"] == 0


def test_an_unreachable_api_ends_the_rehearsal(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target = loaded(adapter_of(api, attempts=1))
        api.failures = [DROP] * 10
        with pytest.raises(httpx.TransportError):
            rehearsed(source_of(*PRESENT, {"name": "new"}), target)


def test_the_ids_of_a_rehearsal_are_forgotten(adapter_of: MakeAdapter) -> None:
    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target, source = adapter_of(api), source_of(*PRESENT, {"name": "new"})
        loaded(target)
        first = rehearsed(source, target)
        assert rehearsed(source, target) == first
        counted = count_requests(target)
        assert synced(source, target).created == 1
        assert counted["POST"] == 1


@pytest.mark.parametrize("find", [{}, FIND])
def test_a_reference_that_several_records_fit_is_refused(find: dict[str, Any]) -> None:
    """By the rehearsal and by the write, whichever record the API gives first."""
    models: dict[str, Any] = {
        "device": {"identifiers": {"name": "str"}},
        "port": {
            "identifiers": {"name": "str"},
            "attributes": {"device": "str?"},
            "references": {"device": "device"},
        },
    }
    records: dict[str, Any] = {
        "device": {"from": "devices/", "lookup_only": True, **find},
        "port": {"from": "devices/", "references": {"device": "device_id"}},
    }
    with JsonApi({"name": "twin"}, {"name": "one"}, items="", paging="none") as api:
        target = RestAdapter({"url": api.url, "paging": {"kind": "none"}}, models, records)
        loaded(target)
        api.add({"name": "twin"})
        ports = [{"name": f"p-{device}", "device": device} for device in ("one", "twin", "none")]
        ports += [{"name": name} for name in ("one", "twin")]
        source = given(models, port=ports)
        rehearsal = reasons(rehearsed(source, target))
        result = synced(source, target)
        target.close()
        refused = {reject.unique_id: reject.reason for reject in result.rejects}
        for found in (rehearsal, refused):
            assert found.keys() == {"p-twin", "p-none"}
            assert "The system has 2 records for the device 'twin'" in found["p-twin"]
            assert "The system has no device 'none'" in found["p-none"]
        assert [record["device_id"] for record in api.records.values() if record["name"] == "p-one"] == [2]


@pytest.mark.parametrize("kept", [1, 5])
def test_a_reference_to_any_earlier_create_is_rehearsed(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST_IDS", kept)
    models: dict[str, Any] = {
        "device": {"identifiers": {"name": "str"}, "children": ["port"]},
        "port": {"identifiers": {"device": "str", "name": "str"}, "references": {"device": "device"}},
    }
    records: dict[str, Any] = {
        "device": {"from": "devices/"},
        "port": {"from": "devices/", "references": {"device": "device_id"}, "where": "device_id"},
    }
    with JsonApi(items="", paging="none") as api:
        target = RestAdapter({"url": api.url, "paging": {"kind": "none"}}, models, records)
        loaded(target)
        devices = [{"name": f"d{number}"} for number in range(20)]
        ports = [{"device": each["name"], "name": "p"} for each in devices]
        ports.append({"device": "d0", "name": "q"})
        source = given(models, device=devices, port=ports)
        assert not rehearsed(source, target).result.rejects
        assert synced(source, target).created == 41  # nothing is kept of the rehearsal
        assert {each.get("device_id") for each in api.records.values()} == {None, *range(1, 21)}
        target.close()


@pytest.mark.parametrize("records", [{}, FIND])
def test_a_batch_ends_when_the_time_is_up(adapter_of: MakeAdapter, records: dict[str, Any]) -> None:
    """One batch takes several pages, or one request for each record."""
    with JsonApi(*PRESENT, described=DESCRIBED) as api:
        target = loaded(adapter_of(api, records, concurrency=1))
        source = source_of(*PRESENT, *({"name": f"n{number}"} for number in range(50)))
        diff = diff_of(operations_of(target.diff_from(source)), "source", "target")
        flags = DiffSyncFlags.CONTINUE_ON_FAILURE
        rehearsal = Rehearsal(diff, target, MemoryJournal(), SyncOptions(batch_size=200), flags)
        api.requests.clear()

        def end_at_third(request: Request) -> None:
            if requests(api)["GET"] == 3:
                rehearsal._end = 0.0

        api.before = end_at_third
        found = rehearsal.run()
        assert "was ended after 60 s" in found.result.stopped
        assert not found.result.rejects
        assert requests(api)["GET"] == 3
        assert not api.writes()
        assert rehearsed(source, target).result.created == 50  # no limit is left behind


def test_a_pause_that_the_api_asks_for_ends_with_the_time(adapter_of: MakeAdapter) -> None:
    class Over(BaseException):
        pass

    left = iter([60.0, 0.01])

    def time_left() -> float:
        try:
            return next(left)
        except StopIteration:
            raise Over from None

    with JsonApi(*PRESENT, failures=[(503, {"Retry-After": "300"})]) as api:
        target = adapter_of(api, max_wait=600)
        target.client.time_left = time_left
        with pytest.raises(Over):
            target.client.get("devices/")
        assert requests(api) == {"GET": 1}
