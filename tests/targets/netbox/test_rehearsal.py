"""What a rehearsal of a real NetBox names is what the write refuses, and nothing is written."""

from typing import Any

import httpx

from tests.rehearsing import reasons, rehearsed
from tests.targets.given import count_requests, given, loaded, synced
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.test_adapter import ACME, EMPTY, RECORDS, TYPES, X1

MODELS: dict[str, Any] = {
    **TYPES,
    "interface": {
        "identifiers": {"manufacturer": "str", "model": "str", "name": "str"},
        "attributes": {"type": "str?", "label": EMPTY, "mgmt_only": "json?", "colour": "str?"},
        "references": {"device_type": "device_type"},
    },
}
OF_INTERFACES = {
    "from": "dcim/interface-templates",
    "fields": {"manufacturer": "device_type.manufacturer.name", "model": "device_type.model"},
}


def interface(name: str, **more: Any) -> dict[str, Any]:
    return {**X1, "name": name, "type": "1000base-t", "label": None, "mgmt_only": False, "colour": None, **more}


POISON = {
    "long": (interface("n" * 65), "name: The text has 65 characters. The API takes 64 at most."),
    "choice": (interface("i1", type="bogus"), "type: 'bogus' is not a choice."),
    "missing": (interface("i2", type=None), "type: The API requires this field."),
    "boolean": (interface("i3", mgmt_only="perhaps"), "mgmt_only: 'perhaps' is neither true nor false."),
    "reference": (interface("i4", model="X9"), "The system has no device_type 'Acme__X9'."),
}
DROPPED = interface("i5", colour="red")
"""NetBox takes it without the value."""


def test_what_netbox_can_say_is_named_before_the_first_write(api: httpx.Client, make_adapter: MakeNetBox) -> None:
    good = [interface(f"e{number}") for number in range(20)]
    source = given(
        MODELS,
        manufacturer=[{**ACME, "description": None}],
        device_type=[{**X1, "part_number": None, "airflow": None, "weight": None, "weight_unit": None}],
        interface=[*good, *(record for record, _ in POISON.values()), DROPPED],
    )
    target = loaded(make_adapter(MODELS, {**RECORDS, "interface": OF_INTERFACES}))
    counted = count_requests(target)
    found = rehearsed(source, target)
    assert {method for method, number in counted.items() if number} == {"GET", "OPTIONS"}
    assert counted["OPTIONS"] == len(MODELS)
    assert api.get("core/object-changes/").json()["count"] == 0
    named = reasons(found)
    expected = {key(record): reason for record, reason in POISON.values()}
    assert named.keys() == {*expected, key(DROPPED)}
    for name, reason in expected.items():
        assert reason in named[name]
    refused = {each.unique_id for each in synced(source, target).rejects}
    assert refused == expected.keys()


def key(record: dict[str, Any]) -> str:
    return "__".join(record[name] for name in ("manufacturer", "model", "name"))
