"""500 operations on a real Nautobot, some of them poisoned: what a rehearsal names, what it misses, and that it writes nothing."""

from typing import Any

from tests.rehearsing import reasons, rehearsed
from tests.targets.conftest import MakeNautobot
from tests.targets.given import GivenAdapter, changes, count_requests, given, loaded, synced
from tests.targets.nautobot_server import NautobotServer

EMPTY = {"type": "str?", "compare": "empty_is_none"}
MODELS: dict[str, Any] = {
    "manufacturer": {"identifiers": {"name": "str"}, "attributes": {"description": EMPTY}},
    "device_type": {
        "identifiers": {"manufacturer": "str", "model": "str"},
        "references": {"manufacturer": "manufacturer"},
    },
    "interface": {
        "identifiers": {"manufacturer": "str", "model": "str", "name": "str"},
        "attributes": {"type": "str?", "label": EMPTY, "speed": "json?", "colour": "str?", "made": "str?"},
        "references": {"device_type": "device_type"},
    },
    "device": {
        "identifiers": {"name": "str"},
        "attributes": {
            "location": "str", "role": "str", "status": "str", "manufacturer": "str", "model": "str", "asset_tag": "str?",
            "face": EMPTY, "tags": {"type": "list[str]", "compare": "unordered"}, "rank": "json?",
        },
        "references": {"device_type": "device_type"},
    },
}  # fmt: skip
RECORDS: dict[str, Any] = {
    "manufacturer": {"from": "dcim/manufacturers/"},
    "device_type": {"from": "dcim/device-types/", "fields": {"manufacturer": "manufacturer.name"}},
    "interface": {
        "from": "dcim/interface-templates/",
        "fields": {"manufacturer": "device_type.manufacturer.name", "model": "device_type.model", "made": "created"},
    },
    "device": {
        "from": "dcim/devices/",
        "fields": {
            "location": "location.name", "role": "role.name", "status": "status.name", "rank": "custom_fields.rank",
            "manufacturer": "device_type.manufacturer.name", "model": "device_type.model",
        },
    },
}  # fmt: skip
X1, X2 = {"manufacturer": "Acme", "model": "X1"}, {"manufacturer": "Acme", "model": "X2"}
NEW = {"manufacturer": "New", "model": "N1"}
ACME = {"name": "Acme", "description": None}


def interface(name: str, of: dict[str, str] = X1, **more: Any) -> dict[str, Any]:
    found = {"type": "1000base-t", "label": None, "speed": None, "colour": None, "made": None}
    return {**of, "name": name, **found, **more}


def device(name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "location": "Oslo",
        "role": "Leaf",
        "status": "Active",
        "asset_tag": None,
        "face": None,
        "tags": [],
        "rank": None,
    }
    return {**X2, "name": name, **found, **more}


NAMED_INTERFACES = {
    "long name": (interface("n" * 256), "name: The text has 256 characters. The API takes 255 at most."),
    "long label": (interface("i1", label="l" * 256), "label: The text has 256 characters. The API takes 255 at most."),
    "no choice": (interface("i2", type="bogus"), "type: 'bogus' is not a choice."),
    "no value": (interface("i3", type=None), "type: The API requires this field."),
    "too small": (interface("i4", speed=-1), "speed: -1 is less than 0."),
    "too large": (interface("i5", speed=2**31), "speed: 2147483648 is more than 2147483647."),
    "no number": (interface("i6", speed="fast"), "speed: 'fast' is not an integer."),
    "no such reference": (interface("i7", {**X1, "model": "X9"}), "The system has no device_type 'Acme__X9'."),
}
DROPPED = {
    "unknown field": (interface("i8", colour="red"), "colour: The API has no such field, and drops the value"),
}
"""Nautobot takes these records without the value."""
NAMED_DEVICES = {
    "no such name": (device("d1", location="Nowhere"), "location: Nautobot has no record with name 'Nowhere'."),
    "two of a name": (device("d2", location="Floor"), "location: Nautobot has 2 records with name 'Floor'."),
    "no such role": (device("d3", role="Spine"), "role: Nautobot has no record with name 'Spine'."),
    "no such status": (device("d4", status="Lost"), "status: Nautobot has no record with name 'Lost'."),
    "no such tag": (device("d5", tags=["none"]), "tags: Nautobot has no record with name 'none'."),
    "no such type": (device("d6", model="X9"), "The system has no device_type 'Acme__X9'."),
}
MISSED = {
    "a value that must be unique": device("m1", asset_tag="taken"),
    "a validator": device("m2", face="front"),
    "a name that Nautobot does not allow there": device("m3", status="Deprecated"),
    "the type of a custom field": device("m4", rank="high"),
}


def prepare(nautobot: NautobotServer) -> None:
    devices = ["dcim.device"]
    site = {"location_type": {"name": "Site"}, "status": {"name": "Active"}}
    with nautobot.client() as client:
        for path, body in (
            ("dcim/location-types/", {"name": "Site", "content_types": devices, "nestable": True}),
            *(("dcim/locations/", {"name": name, **site}) for name in ("Oslo", "Bergen")),
            *(("dcim/locations/", {"name": "Floor", "parent": {"name": name}, **site}) for name in ("Oslo", "Bergen")),
            ("extras/roles/", {"name": "Leaf", "content_types": devices}),
            ("extras/tags/", {"name": "core", "content_types": devices}),
            ("extras/custom-fields/", {"label": "Rank", "key": "rank", "type": "integer", "content_types": devices}),
            *(("dcim/manufacturers/", {"name": name}) for name in ("Acme", "Old", "Left")),
            *(("dcim/device-types/", {"manufacturer": {"name": "Acme"}, "model": name}) for name in ("X1", "X2")),
            ("dcim/platforms/", {"manufacturer": {"name": "Left"}, "name": "P1"}),
            ("dcim/interface-templates/", [port("gone"), port("kept")]),
            ("dcim/devices/", {"name": "d0", "location": {"name": "Oslo"}, "role": {"name": "Leaf"}, "asset_tag": "taken",
                               "status": {"name": "Active"}, "device_type": {"model": "X2"}}),
        ):  # fmt: skip
            answer = client.post(path, json=body)
            assert answer.is_success, answer.text


def port(name: str) -> dict[str, Any]:
    return {"device_type": {"model": "X1"}, "name": name, "type": "1000base-t"}


def change_since_the_load(nautobot: NautobotServer) -> None:
    with nautobot.client() as client:
        [found] = client.get("dcim/interface-templates/", params={"name": "gone"}).json()["results"]
        assert client.delete(f"dcim/interface-templates/{found['id']}/").is_success
        assert client.post("dcim/interface-templates/", json=port("there")).is_success


def logged(nautobot: NautobotServer) -> int:
    with nautobot.client() as client:
        return int(client.get("extras/object-changes/", params={"limit": 1}).json()["count"])


def test_what_nautobot_can_say_is_named_before_the_first_write(
    nautobot: NautobotServer, make_adapter: MakeNautobot
) -> None:
    prepare(nautobot)
    named = NAMED_INTERFACES | NAMED_DEVICES | DROPPED
    poisoned = [record for record, _ in (NAMED_INTERFACES | DROPPED).values()]

    def source_of(ports: int) -> GivenAdapter:
        interfaces = [
            interface("kept", label="changed"),
            interface("gone", label="changed"),
            interface("there"),
            *poisoned,
        ]
        interfaces += [interface(f"e{number}", of) for of in (X1, NEW) for number in range(ports)]
        return given(
            MODELS,
            manufacturer=[ACME, {"name": "New", "description": None}],
            device_type=[X1, X2, NEW],
            interface=interfaces,
            device=devices,
        )

    devices = [device("d0", asset_tag="taken"), *(record for record, _ in NAMED_DEVICES.values()), *MISSED.values()]
    devices += [device(f"s{number}", tags=["core"]) for number in range(25)]
    source = source_of(ports=220)
    target = loaded(make_adapter(MODELS, RECORDS))
    assert sum(changes(source, target).values()) >= 490
    change_since_the_load(nautobot)

    before, counted = logged(nautobot), count_requests(target)
    found = rehearsed(source, target)
    assert logged(nautobot) == before
    assert counted["OPTIONS"] == len(MODELS)
    assert counted["PATCH"] == counted["DELETE"] == counted["PUT"] == 0
    assert counted["GET"] <= 20
    assert counted["POST"] <= 15  # queries of GraphQL
    expected = {unique_id(record): reason for record, reason in named.values()} | {
        "Acme__X1__gone": "The interface 'Acme__X1__gone' is gone from the system.",
        "Acme__X1__there": "The system has a record with these identifiers already.",
    }
    given_reasons = reasons(found)
    assert given_reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in given_reasons[name]

    source = source_of(ports=10)  # the same poison, and fewer good records, to be fast
    operations = sum(changes(source, target).values())
    result = synced(source, target)
    refused = {each.unique_id for each in result.rejects}
    dropped = {unique_id(record) for record, _ in DROPPED.values()}
    missed = {unique_id(record) for record in MISSED.values()} | {"Left"}  # its platform protects it
    assert refused == (expected.keys() - dropped) | missed
    assert result.applied == operations - len(refused)


def unique_id(record: dict[str, Any]) -> str:
    names = ("name",) if "location" in record else ("manufacturer", "model", "name")
    return "__".join(record[name] for name in names)


def test_a_name_that_the_same_diff_creates_is_no_problem(nautobot: NautobotServer, make_adapter: MakeNautobot) -> None:
    models = {
        "tag": {"identifiers": {"name": "str"}},
        "device_type": {"identifiers": {"model": "str"}, "attributes": {"maker": "str", "tags": "list[str]"}},
    }
    records = {
        "tag": {"from": "extras/tags/"},
        "device_type": {"from": "dcim/device-types/", "fields": {"maker": "manufacturer.name"}},
    }
    with nautobot.client() as client:
        assert client.post("dcim/manufacturers/", json={"name": "Acme"}).is_success
        assert client.post("extras/tags/", json={"name": "here", "content_types": ["dcim.devicetype"]}).is_success
    types = [{"model": name, "maker": "Acme", "tags": [name]} for name in ("fresh", "here", "none")]
    source = given(models, tag=[{"name": "fresh"}, {"name": "here"}], device_type=types)
    found = rehearsed(source, loaded(make_adapter(models, records)))
    assert reasons(found)["none"] == "tags: Nautobot has no record with name 'none'."
    assert "here" not in reasons(found)


def test_a_right_that_is_missing_is_named_for_all_records(
    nautobot: NautobotServer, make_adapter: MakeNautobot, reader_token: str
) -> None:
    models, records = {"manufacturer": MODELS["manufacturer"]}, {"manufacturer": RECORDS["manufacturer"]}
    synced(given(models, manufacturer=[ACME]), loaded(make_adapter(models, records)))
    changed, new = {**ACME, "description": "changed"}, [{"name": f"M{number}"} for number in range(5)]
    target = loaded(make_adapter(models, records, token=reader_token))
    found = rehearsed(given(models, manufacturer=[changed, *new]), target)
    assert found.result.updated == 1
    assert {reason.rpartition(" ")[2] for reason in reasons(found).values()} == {"dcim.add_manufacturer."}
    assert len(reasons(found)) == len(new)
