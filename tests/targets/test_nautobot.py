"""The adapter of Nautobot against a real one."""

import json
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from diffsync_store import StoreState
from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.nautobot import NautobotAdapter
from tests.adapters.sharding import gaps, loaded_shards, require_same_as_whole
from tests.targets.conftest import MakeNautobot
from tests.targets.given import changes, count_requests, given, loaded, synced
from tests.targets.nautobot_server import NautobotServer

EMPTY = {"type": "str?", "compare": "empty_is_none"}
TYPES: dict[str, Any] = {
    "manufacturer": {"identifiers": {"name": "str"}, "attributes": {"description": EMPTY}},
    "device_type": {
        "identifiers": {"manufacturer": "str", "model": "str"},
        "attributes": {"part_number": EMPTY, "u_height": {"type": "number", "default": 1}, "subdevice_role": EMPTY},
        "references": {"manufacturer": "manufacturer"},
    },
    "interface": {
        "identifiers": {"manufacturer": "str", "model": "str", "name": "str"},
        "attributes": {"type": "str", "label": EMPTY, "duplex": EMPTY, "speed": "int?", "description": EMPTY},
        "references": {"device_type": "device_type"},
    },
}
RECORDS: dict[str, Any] = {
    "manufacturer": {"from": "dcim/manufacturers/"},
    "device_type": {"from": "dcim/device-types/", "fields": {"manufacturer": "manufacturer.name"}},
    "interface": {
        "from": "dcim/interface-templates/",
        "fields": {"manufacturer": "device_type.manufacturer.name", "model": "device_type.model"},
    },
}
ACME = {"name": "Acme"}
X1 = {"manufacturer": "Acme", "model": "X1"}
NAMES = ("01", "1", "1/0/1", 'a "quoted" name', "a'b", "ünïcødé 中", "a&b=c?d#e%20", "*[x]?", "a\\b", "A", "a")


def interfaces(*names: str, **more: Any) -> list[dict[str, Any]]:
    return [{**X1, "name": name, "type": "1000base-t", **more} for name in names]


# What is written is read again


def test_records_of_three_levels_are_written_and_a_second_run_is_empty(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    source = given(TYPES, manufacturer=[ACME], device_type=[X1], interface=interfaces(*NAMES))
    assert not synced(source, loaded(make_adapter(TYPES, RECORDS))).rejects
    again = loaded(make_adapter(TYPES, RECORDS))
    assert changes(source, again) == {}
    assert {found.name for found in again.get_all("interface")} == set(NAMES)


def test_every_value_can_be_set_and_taken_away(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    full = interfaces("e0", label="L", duplex="full", speed=1000, description="D")
    bare = interfaces("e0")
    typed = {**X1, "part_number": "P", "u_height": 2, "subdevice_role": "parent"}
    for device_type, ports in ((typed, full), (X1, bare), (typed, full)):
        source = given(TYPES, manufacturer=[ACME], device_type=[device_type], interface=ports)
        assert not synced(source, loaded(make_adapter(TYPES, RECORDS))).rejects
        assert changes(source, loaded(make_adapter(TYPES, RECORDS))) == {}


def test_a_device_names_others_has_tags_and_custom_fields(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    prepare_devices(nautobot)
    full = {
        "name": "sw1", "location": "Oslo", "role": "Leaf", "status": "Active", "manufacturer": "Acme", "model": "X1",
        "serial": "S1", "asset_tag": "A1", "tenant": "Blue", "face": None, "tags": ["core", "old"], "owner": "Eva", "rank": 3,
    }  # fmt: skip
    bare = full | {
        "serial": None,
        "asset_tag": None,
        "tenant": None,
        "tags": [],
        "owner": None,
        "rank": None,
        "status": "Planned",
    }
    for device in (full, bare, full):
        source = given(DEVICE, device=[device], device_type=[X1])
        assert not synced(source, loaded(make_adapter(DEVICE, DEVICE_RECORDS))).rejects
        target = loaded(make_adapter(DEVICE, DEVICE_RECORDS))
        assert changes(source, target) == {}, target.diff_from(source).str()
        by_graphql = loaded(make_adapter(DEVICE, DEVICE_RECORDS, graphql="always"))
        assert changes(source, by_graphql) == {}


DEVICE: dict[str, Any] = {
    "device_type": {"identifiers": {"manufacturer": "str", "model": "str"}},
    "device": {
        "identifiers": {"name": "str"},
        "attributes": {
            "location": "str", "role": "str", "status": "str", "manufacturer": "str", "model": "str", "serial": EMPTY,
            "asset_tag": "str?", "tenant": "str?", "face": EMPTY, "tags": {"type": "list[str]", "compare": "unordered"},
            "owner": EMPTY, "rank": "int?",
        },
        "references": {"device_type": "device_type"},
    },
}  # fmt: skip
DEVICE_RECORDS: dict[str, Any] = {
    "device_type": {"from": "dcim/device-types/", "fields": {"manufacturer": "manufacturer.name"}, "lookup_only": True},
    "device": {
        "from": "dcim/devices/",
        "fields": {
            "location": "location.name", "role": "role.name", "status": "status.name", "tenant": "tenant.name",
            "manufacturer": "device_type.manufacturer.name", "model": "device_type.model",
            "owner": "custom_fields.owner", "rank": "custom_fields.rank",
        },
    },
}  # fmt: skip


def prepare_devices(nautobot: NautobotServer) -> None:
    """What devices name: a location, a role, a tenant, two tags, a device type, and two custom fields."""
    devices = ["dcim.device"]
    with nautobot.client() as client:
        for path, body in (
            ("dcim/location-types/", {"name": "Site", "content_types": devices}),
            ("dcim/locations/", {"name": "Oslo", "location_type": {"name": "Site"}, "status": {"name": "Active"}}),
            ("extras/roles/", {"name": "Leaf", "content_types": devices}),
            ("tenancy/tenants/", {"name": "Blue"}),
            ("extras/tags/", {"name": "core", "content_types": devices}),
            ("extras/tags/", {"name": "old", "content_types": devices}),
            ("dcim/manufacturers/", ACME),
            ("dcim/device-types/", {"manufacturer": ACME, "model": "X1"}),
            ("extras/custom-fields/", {"label": "Owner", "key": "owner", "type": "text", "content_types": devices}),
            ("extras/custom-fields/", {"label": "Rank", "key": "rank", "type": "integer", "content_types": devices}),
        ):
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text


def test_a_device_that_names_what_is_not_there_is_refused_with_the_reason(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    prepare_devices(nautobot)
    device = {"location": "Oslo", "role": "Leaf", "status": "Active", "manufacturer": "Acme", "model": "X1", "tags": []}
    source = given(
        DEVICE,
        device=[
            {"name": "good", **device},
            {"name": "bad status", **device, "status": "Nope"},
            {"name": "bad type", **device, "model": "X9"},
            {"name": "bad tag", **device, "tags": ["none"]},
        ],
    )
    result = synced(source, loaded(make_adapter(DEVICE, DEVICE_RECORDS)))
    reasons = {
        reject.element.name if hasattr(reject, "element") else str(reject): str(reject) for reject in result.rejects
    }
    assert result.created == 1
    assert len(reasons) == 3


# Bulk requests


def test_the_bad_records_of_a_list_are_found_by_two_requests(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    good = interfaces(*(f"e{number}" for number in range(100)))
    bad = [{**port, "type": "no-such-type"} for port in interfaces(*(f"b{number}" for number in range(8)))]
    mixed = [*good[:40], *bad[:3], *good[40:90], *bad[3:], *good[90:]]
    source = given(TYPES, manufacturer=[ACME], device_type=[X1], interface=mixed)
    target = loaded(make_adapter(TYPES, RECORDS))
    requests = count_requests(target)
    result = synced(source, target)
    assert (result.created, result.failed) == (102, 8)
    assert requests["POST"] == 4  # one for each parent, two for the interfaces
    assert all("type" in str(reject) and "no-such-type" in str(reject) for reject in result.rejects)
    assert changes(source, loaded(make_adapter(TYPES, RECORDS))) == {"create": 8}


def test_updates_and_deletes_of_records_that_are_gone(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    before = given(TYPES, manufacturer=[ACME], device_type=[X1], interface=interfaces("a", "b", "c", "d", "e"))
    synced(before, loaded(make_adapter(TYPES, RECORDS)))
    target = loaded(make_adapter(TYPES, RECORDS))
    delete(nautobot, "dcim/interface-templates/", name=["b", "e"])
    wanted = [*interfaces("a", "b", "c", label="new")]
    result = synced(given(TYPES, manufacturer=[ACME], device_type=[X1], interface=wanted), target)
    assert (result.updated, result.deleted, result.failed) == (2, 2, 1)
    assert "gone" in str(result.rejects[0])


def test_deleting_a_type_deletes_what_is_below_it(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    synced(
        given(TYPES, manufacturer=[ACME], device_type=[X1], interface=interfaces("a", "b")),
        loaded(make_adapter(TYPES, RECORDS)),
    )
    target = loaded(make_adapter(TYPES, RECORDS))
    delete(nautobot, "dcim/device-types/", model=["X1"])
    result = synced(given(TYPES), target)
    assert (result.deleted, result.failed) == (4, 0)


def test_a_protected_record_is_refused_with_what_protects_it(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    only_manufacturers = {"manufacturer": TYPES["manufacturer"]}
    records = {"manufacturer": RECORDS["manufacturer"]}
    source = given(only_manufacturers, manufacturer=[{"name": name} for name in ("Acme", "B", "C", "D", "E")])
    synced(source, loaded(make_adapter(only_manufacturers, records)))
    with nautobot.client() as client:
        assert client.post("dcim/device-types/", json={"manufacturer": ACME, "model": "X1"}).is_success
    result = synced(given(only_manufacturers), loaded(make_adapter(only_manufacturers, records)))
    assert (result.deleted, result.failed) == (4, 1)
    assert "dependent objects were found: X1" in str(result.rejects[0])


def delete(nautobot: NautobotServer, path: str, **filters: list[str]) -> None:
    with nautobot.client() as client:
        found = client.get(path, params=filters).json()["results"]
        assert found
        for record in found:
            assert client.delete(f"{path}{record['id']}/").status_code == httpx.codes.NO_CONTENT


# What Nautobot changes by itself


def test_fields_that_nautobot_drops_or_trims_are_named(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"description": "str?", "colour": "str?"}}}
    records = {"manufacturer": RECORDS["manufacturer"]}
    many = [{"name": f"M{number}", "description": " blanks ", "colour": "red"} for number in range(5)]
    with capture_logs() as logs:
        synced(given(models, manufacturer=many), loaded(make_adapter(models, records)))
    warnings = [(log["field"], log["event"]) for log in logs if log["log_level"] == "warning" and "field" in log]
    assert [field for field, _ in warnings] == ["colour", "description"]
    assert "ignores it" in warnings[0][1]
    assert "transforms: strip" in warnings[1][1]


# Long lists


@pytest.fixture
def two_types(nautobot: NautobotServer, make_adapter: MakeNautobot) -> NautobotServer:
    """Interfaces whose names sort alike, so that the order of pages is not always the same."""
    names = [form.format(number) for number in range(12) for form in ("{}", "0{}", "00{}")]
    ports = [
        {**port, "model": model} for model in ("X1", "X2") for port in interfaces(*names, duplex="half", label="L")
    ]
    types: list[dict[str, Any]] = [X1, {**X1, "model": "X2", "u_height": 0, "subdevice_role": "child"}]
    synced(given(TYPES, manufacturer=[ACME], device_type=types, interface=ports), loaded(make_adapter(TYPES, RECORDS)))
    return nautobot


def contents(adapter: NautobotAdapter) -> Any:
    return json.loads(json.dumps(adapter.dict(), sort_keys=True, default=str))


def test_graphql_and_rest_read_the_same(two_types: NautobotServer, make_adapter: MakeNautobot) -> None:
    by_rest = loaded(make_adapter(TYPES, RECORDS, graphql="never", paging={"size": 7}))
    by_graphql = make_adapter(TYPES, RECORDS, graphql="always", graphql_size=5)
    requests = count_requests(by_graphql)
    loaded(by_graphql)
    assert contents(by_rest) == contents(by_graphql)
    assert by_rest.count("interface") == 72
    assert by_rest.store.record().state == by_graphql.store.record().state == StoreState.COMPLETE
    assert requests["POST"] >= 15  # 72 interfaces in pages of five


def test_a_long_list_is_read_by_graphql_and_a_short_one_by_rest(
    two_types: NautobotServer, make_adapter: MakeNautobot
) -> None:
    adapter = make_adapter(TYPES, RECORDS, graphql_from=50)
    requests = count_requests(adapter)
    loaded(adapter)
    queries = requests["POST"]
    assert 1 < queries < 10
    assert adapter.count("interface") == 72


def test_what_graphql_does_not_have_is_read_by_rest_or_named(
    two_types: NautobotServer, make_adapter: MakeNautobot
) -> None:
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"number": "int"}}}
    records = {"manufacturer": {"from": "dcim/manufacturers/", "fields": {"number": "device_type_count"}}}
    [found] = loaded(make_adapter(models, records, graphql_from=1)).get_all("manufacturer")
    assert found.number == 2
    with pytest.raises(
        ValueError, match=r"dcim/manufacturers/ cannot be read by GraphQL: .*device_type_count.*graphql: auto"
    ):
        loaded(make_adapter(models, records, graphql="always"))


def test_params_scope_a_list(two_types: NautobotServer, make_adapter: MakeNautobot) -> None:
    scoped = {**RECORDS, "interface": {**RECORDS["interface"], "params": {"device_type": "X2"}}}
    adapter = loaded(make_adapter(TYPES, scoped))
    assert {found.model for found in adapter.get_all("interface")} == {"X2"}
    wrong = {**RECORDS, "interface": {**RECORDS["interface"], "params": {"colour": "red"}}}
    with pytest.raises(HttpError, match="colour: Unknown filter field"):
        loaded(make_adapter(TYPES, wrong))


# Looking up


def test_many_records_are_looked_up_by_few_requests(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    ports = interfaces(*NAMES, *(f"e{number}" for number in range(150)))
    synced(given(TYPES, manufacturer=[ACME], device_type=[X1], interface=ports), loaded(make_adapter(TYPES, RECORDS)))
    adapter = make_adapter(TYPES, RECORDS)
    requests = count_requests(adapter)
    wanted = [{**X1, "name": port["name"]} for port in ports] + [
        {**X1, "name": "none"},
        {**X1, "model": "X9", "name": "e1"},
    ]
    found = adapter.look_up_records(adapter.models["interface"], wanted)
    assert [each is not None for each in found] == [True] * len(ports) + [False, False]
    assert requests["GET"] <= 5


# Rights


def test_a_right_that_is_missing_is_named_and_costs_one_request(
    nautobot: NautobotServer, make_adapter: MakeNautobot, reader_token: str
) -> None:
    synced(given(TYPES, manufacturer=[ACME, {"name": "Old"}]), loaded(make_adapter(TYPES, RECORDS)))
    target = loaded(make_adapter(TYPES, RECORDS, token=reader_token))
    requests = count_requests(target)
    wanted = [{**ACME, "description": "changed"}, *({"name": f"M{number}"} for number in range(50))]
    result = synced(given(TYPES, manufacturer=wanted), target)
    assert (result.updated, result.failed) == (1, 51)
    reasons = {str(reject).partition("Give")[2] for reject in result.rejects}
    assert any("the permission dcim.add_manufacturer." in reason for reason in reasons)
    assert any("the permission dcim.delete_manufacturer." in reason for reason in reasons)
    assert (requests["POST"], requests["PATCH"], requests["DELETE"]) == (1, 1, 1)


def test_a_right_with_a_constraint_refuses_only_the_records_outside_of_it(
    nautobot: NautobotServer, make_adapter: MakeNautobot, reader_token: str
) -> None:
    nautobot.run_sql(
        'UPDATE users_objectpermission SET actions = \'["add"]\', constraints = \'{"name__startswith": "M"}\' '
        "WHERE name = 'change'"
    )
    wanted = [{"name": f"M{number}"} for number in range(9)] + [{"name": "other"}]
    result = synced(given(TYPES, manufacturer=wanted), loaded(make_adapter(TYPES, RECORDS, token=reader_token)))
    assert (result.created, result.failed) == (9, 1)
    assert "other" in str(result.rejects[0])


def test_a_list_that_may_not_be_viewed_names_the_right(
    nautobot: NautobotServer, make_adapter: MakeNautobot, reader_token: str
) -> None:
    models = {"location": {"identifiers": {"name": "str"}}}
    with pytest.raises(HttpError, match=r"the permission dcim\.view_location"):
        loaded(make_adapter(models, {"location": {"from": "dcim/locations/"}}, token=reader_token))


def test_a_wrong_token_is_named_and_not_shown(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    wrong = "b" * 40
    with capture_logs() as logs, pytest.raises(HttpError, match=r"Invalid token. Correct `token`") as caught:
        loaded(make_adapter(TYPES, RECORDS, token=wrong))
    assert wrong not in f"{caught.value} {logs}"


@pytest.mark.parametrize(("version", "is_known"), [("3.0", True), ("3.2", True), ("9.9", False)])
def test_the_version_of_the_api_is_asked_for(
    nautobot_server: NautobotServer, make_adapter: MakeNautobot, version: str, is_known: bool
) -> None:
    adapter = make_adapter(TYPES, RECORDS, api_version=version)
    if is_known:
        assert loaded(adapter).store.record().state == StoreState.COMPLETE
        return
    with pytest.raises(HttpError, match="Invalid version"):
        loaded(adapter)


# Threads


def test_threads_may_share_the_adapter(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    types = [{**X1, "model": f"X{number}"} for number in range(6)]
    ports = [{**port, "model": found["model"]} for found in types for port in interfaces("a", "b", "c")]
    source = given(TYPES, manufacturer=[ACME], device_type=types, interface=ports)
    result = synced(source, loaded(make_adapter(TYPES, RECORDS)), workers=3, batch_size=4)
    assert (result.created, result.failed) == (25, 0)
    assert changes(source, loaded(make_adapter(TYPES, RECORDS))) == {}


# Shards


def test_the_shards_of_a_filter_have_each_record_once(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    makers = [{"name": name} for name in ("Acme", "A & B", "null and void")]
    types = [{"manufacturer": maker["name"], "model": f"X{number}"} for number in range(4) for maker in makers]
    source = given(TYPES, manufacturer=makers, device_type=types)
    assert not synced(source, loaded(make_adapter(TYPES, RECORDS))).rejects
    cut = {
        "manufacturer": {**RECORDS["manufacturer"], "shard": "name"},
        "device_type": {**RECORDS["device_type"], "shard": "manufacturer"},
    }

    def make(shards: Any) -> Any:
        return lambda: make_adapter(TYPES, cut, shards=shards, graphql_from=1)

    found = require_same_as_whole(make({"a": ["Acme", "A & B"], "b": "null and void"}), ["a", "b"])
    assert [len(shard) for shard in found.values()] == [10, 5]
    only, *_ = loaded_shards(make(["Acme"]), ["Acme"]).values()
    assert gaps(only) == {
        "manufacturer": "By 'name', 2 records are in none of the shards Acme. Add them to a shard.",
        "device_type": "By 'manufacturer', 8 records are in none of the shards Acme. Add them to a shard.",
    }
    assert make(["Acme"])().shards() == {"Acme": []}
    records = {"device_type": {**RECORDS["device_type"], "shard": "manufacturer"}}
    require_same_as_whole(lambda: make_adapter(TYPES, records, shards="auto"))


def test_a_location_is_a_shard_with_the_locations_below_it(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    prepare_devices(nautobot)
    kind, status = {"device_type": {"model": "X1"}, "role": {"name": "Leaf"}}, {"status": {"name": "Active"}}
    site = {"location_type": {"name": "Site"}}
    room = {"name": "Room", "parent": {"name": "Site"}, "content_types": ["dcim.device"]}
    with nautobot.client() as client:
        for path, body in (
            ("dcim/location-types/", room),
            (
                "dcim/locations/",
                {"name": "Room 1", "location_type": {"name": "Room"}, "parent": {"name": "Oslo"}, **status},
            ),
            ("dcim/locations/", {"name": "Bergen", **site, **status}),
            *(
                ("dcim/devices/", {"name": f"in {name}", "location": {"name": name}, **kind, **status})
                for name in ("Oslo", "Room 1", "Bergen")
            ),
        ):
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text
    records = {"device": {"from": "dcim/devices/", "shard": "location"}}
    models = {"device": {"identifiers": {"name": "str"}}}
    found = require_same_as_whole(lambda: make_adapter(models, records, shards="auto"))
    assert {name: len(shard) for name, shard in found.items()} == {"null": 0, "Bergen": 1, "Oslo": 2}
