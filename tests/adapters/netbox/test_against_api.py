"""The adapter of NetBox against the part of its API that `tests/netbox_api.py` has; `tests/targets/netbox` has more, on a real one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.netbox import NetBoxAdapter
from diffsync_store.adapters.shards import WrongShards
from tests.adapters.sharding import content, gaps, loaded_shards, require_same_as_whole
from tests.http_service import Request
from tests.netbox_api import TOKEN, NetBoxApi
from tests.rehearsing import reasons, rehearsed
from tests.targets.given import changes, given, loaded, synced

MODELS: dict[str, Any] = {
    "manufacturer": {
        "identifiers": {"name": "str"},
        "attributes": {
            "description": {"type": "str?", "compare": "empty_is_none"},
            "tags": "list[str]",
            "owner": "str?",
        },
    },
    "device_type": {
        "identifiers": {"manufacturer": "str", "model": "str"},
        "attributes": {"airflow": "str?"},
        "references": {"manufacturer": "manufacturer"},
    },
}
RECORDS: dict[str, Any] = {
    "manufacturer": {"from": "dcim/manufacturers", "fields": {"owner": "custom_fields.owner"}},
    "device_type": {"from": "dcim/device-types", "fields": {"manufacturer": "manufacturer.name"}},
}
ACME = {"name": "Acme", "tags": ["managed"], "owner": "a", "description": None}
MakeAdapter = Callable[..., NetBoxAdapter]


@pytest.fixture
def api() -> Iterator[NetBoxApi]:
    with NetBoxApi() as api:
        yield api


@pytest.fixture
def make_adapter(api: NetBoxApi) -> Iterator[MakeAdapter]:
    made: list[NetBoxAdapter] = []

    def make(records: Any = RECORDS, shards: Any = (), **settings: Any) -> NetBoxAdapter:
        given = {"url": api.url, "token": TOKEN, "attempts": 1, **settings}
        made.append(NetBoxAdapter(given, MODELS, records, shards=shards))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


def device_types(*models: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"manufacturer": "Acme", "model": model, "airflow": None, **fields} for model in models]


def test_choices_tags_and_custom_fields_come_back(make_adapter: MakeAdapter) -> None:
    source = given(MODELS, manufacturer=[ACME], device_type=device_types("X1", airflow="passive"))
    assert synced(source, loaded(make_adapter())).created == 2
    assert changes(source, loaded(make_adapter())) == {}


def test_a_custom_field_of_others_is_kept(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    with api.client() as client:
        fields = {"owner": "a", "other": "kept"}
        client.post("dcim/manufacturers/", json={"name": "Acme", "slug": "acme", "custom_fields": fields})
    synced(given(MODELS, manufacturer=[{**ACME, "owner": "b"}]), loaded(make_adapter()))
    [record] = api.lists["dcim/manufacturers"].values()
    assert record["custom_fields"] == {"owner": "b", "other": "kept"}


def test_a_record_that_is_deleted_between_pages_hides_no_other(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    with api.client() as client:
        client.post("dcim/manufacturers/", json=[{"name": f"M{n}", "slug": f"m{n}"} for n in range(9)])
    records = api.lists["dcim/manufacturers"]

    def delete_first(request: Request) -> None:
        if "start=" in request.path and "start=0" not in request.path:
            records.pop(1, None)

    api.before = delete_first
    adapter = loaded(make_adapter(paging={"size": 3}, concurrency=1))
    assert {record.name for record in adapter.get_all("manufacturer")} >= {f"M{n}" for n in range(1, 9)}


def test_bad_records_of_a_list_take_one_request_more(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    target = loaded(make_adapter())
    types = device_types(*map(str, range(20)))
    types[3]["airflow"] = types[11]["airflow"] = "sideways"
    result = synced(given(MODELS, manufacturer=[ACME], device_type=types), target)
    assert (result.created, [reject.unique_id for reject in result.rejects]) == (19, ["Acme__3", "Acme__11"])
    assert all("sideways is not a valid choice" in reject.reason for reject in result.rejects)
    assert [path for method, path in api.requests if method == "POST"].count("/api/dcim/device-types/") == 2


def test_a_rename_by_case_gets_another_slug(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    synced(given(MODELS, manufacturer=[ACME], device_type=device_types("switch-a")), loaded(make_adapter()))
    after = given(MODELS, manufacturer=[ACME], device_type=device_types("Switch-A"))
    result = synced(after, loaded(make_adapter()))
    assert (result.created, result.deleted, result.rejects) == (1, 1, [])
    assert changes(after, loaded(make_adapter())) == {}


def test_if_match_refuses_what_changes_after_the_last_look(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    synced(given(MODELS, manufacturer=[ACME]), loaded(make_adapter()))
    target = loaded(make_adapter(writing={"if_match": True}))

    def change_meanwhile(request: Request) -> None:
        if request.method == "PATCH":
            api._versions[1] += 1

    api.before = change_meanwhile
    result = synced(given(MODELS, manufacturer=[{**ACME, "owner": "b"}]), target)
    assert [("412" in reject.reason, "Load again" in reject.reason) for reject in result.rejects] == [(True, True)]


def test_a_record_that_others_need_is_not_deleted(make_adapter: MakeAdapter) -> None:
    synced(given(MODELS, manufacturer=[ACME], device_type=device_types("X1")), loaded(make_adapter()))
    only = {"manufacturer": RECORDS["manufacturer"], "device_type": {**RECORDS["device_type"], "lookup_only": True}}
    [reject] = synced(given(MODELS), loaded(make_adapter(only))).rejects
    assert "1 dependent objects" in reject.reason


def test_a_tag_that_does_not_exist_is_named(make_adapter: MakeAdapter) -> None:
    [reject] = synced(given(MODELS, manufacturer=[{**ACME, "tags": ["nope"]}]), loaded(make_adapter())).rejects
    assert "nope" in reject.reason


def test_a_missing_right_is_named(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    api.denied = {"POST"}
    [reject] = synced(given(MODELS, manufacturer=[ACME]), loaded(make_adapter())).rejects
    assert "needs the permission `dcim.add_manufacturer`" in reject.reason


def test_a_wrong_token_and_a_wrong_path_are_named(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    synced(given(MODELS, manufacturer=[ACME]), loaded(make_adapter()))
    with pytest.raises(HttpError, match="does not accept the token"):
        loaded(make_adapter(token="wrong"))
    with pytest.raises(HttpError, match="no list at 'dcim/manufacturer/'"):
        loaded(make_adapter({**RECORDS, "manufacturer": {"from": "dcim/manufacturer"}}))


def test_an_older_netbox_is_read_by_filters(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    api.version = "4.3.1"
    synced(given(MODELS, manufacturer=[ACME], device_type=device_types("X1", "X2", "X3")), loaded(make_adapter()))
    api.requests.clear()
    assert loaded(make_adapter(paging={"size": 2})).count("device_type") == 3
    assert not any("start=" in path for _, path in api.requests)


def test_the_shards_of_a_filter_have_each_record_once(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    with api.client() as client:
        makers = client.post("dcim/manufacturers/", json=[{"name": f"M{n}", "slug": f"m{n}"} for n in range(3)]).json()
        types = [{"manufacturer": makers[n % 3]["id"], "model": f"X{n}", "slug": f"x{n}"} for n in range(9)]
        client.post("dcim/device-types/", json=types)
    first, second, third = (str(maker["id"]) for maker in makers)
    cut = {
        "device_type": {**RECORDS["device_type"], "shard": "manufacturer_id"},
        "manufacturer": RECORDS["manufacturer"],
    }

    def make(shards: Any) -> Any:
        return lambda: make_adapter(cut, shards=shards, paging={"size": 2})

    found = require_same_as_whole(make({"a": [first, second], "b": third, "c": ["manufacturer"]}), ["a", "b", "c"])
    assert [list(content(shard)) for shard in found.values()] == [["device_type"], ["device_type"], ["manufacturer"]]
    lacking, other = loaded_shards(make([first, third]), [first, third]).values()
    reason = f"By 'manufacturer_id', 3 records are in none of the shards {first}, {third}. Add them to a shard."
    assert (gaps(lacking), gaps(other)) == ({"device_type": reason}, {})


def test_the_values_of_a_filter_are_listed(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    with api.client() as client:
        client.post("dcim/manufacturers/", json=[{"name": f"M{n}", "slug": f"m{n}"} for n in range(3)])
    cut = {"device_type": {**RECORDS["device_type"], "shard": "manufacturer"}}
    assert list(make_adapter(cut, shards="auto").shards()) == ["null", "m0", "m1", "m2"]
    with pytest.raises(WrongShards, match="The values of 'owner' cannot be listed, only those of site, region, "):
        make_adapter({"device_type": {**RECORDS["device_type"], "shard": "owner"}}, shards="auto").shards()
    assert list(make_adapter(shards="auto").shards()) == ["manufacturer", "device_type"]


def test_a_rehearsal_reads_what_the_api_has_and_writes_nothing(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    synced(given(MODELS, manufacturer=[ACME], device_type=device_types("X1", "X2")), loaded(make_adapter()))
    target = loaded(make_adapter())
    with api.client() as client:
        client.post("dcim/manufacturers/", json={"name": "There", "slug": "there"})
        gone = next(number for number, one in api.lists["dcim/device-types"].items() if one["model"] == "X2")
        client.delete(f"dcim/device-types/{gone}/")
    new = [{**ACME, "name": name} for name in ("New", "There")]
    types = [*device_types("X1", "X2", airflow="passive"), {"manufacturer": "New", "model": "N1", "airflow": None}]
    api.requests.clear()
    found = rehearsed(given(MODELS, manufacturer=[ACME, *new], device_type=types), target)
    assert {name: reason.partition(".")[0] for name, reason in reasons(found).items()} == {
        "There": "The system has a record with these identifiers already",
        "Acme__X2": "The device_type 'Acme__X2' is gone from the system",
    }
    assert {method for method, _ in api.requests} == {"GET", "OPTIONS"}
    assert len(api.requests) <= 8


def test_a_rehearsal_names_the_right_that_is_missing(api: NetBoxApi, make_adapter: MakeAdapter) -> None:
    api.denied = {"POST"}
    found = rehearsed(given(MODELS, manufacturer=[ACME]), loaded(make_adapter()))
    assert "`dcim.add_manufacturer`" in reasons(found)["Acme"]
