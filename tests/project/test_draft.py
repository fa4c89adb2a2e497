"""A project file drafted from what two systems have."""

import pytest

from diffsync_store.adapters.discovery import Collection, DiscoveredField
from diffsync_store.project.draft import DraftModel, draft_models, noun_of, pair_names
from diffsync_store.project.draft.pairing import pair_fields

SITES = Collection("dcim/sites", "dcim/sites/", [DiscoveredField("name", is_required=True)], (("name",),))
DEVICES = Collection(
    "dcim/devices",
    "dcim/devices/",
    [
        DiscoveredField("id", "int", is_read_only=True),
        DiscoveredField("name", is_required=True),
        DiscoveredField("site", is_required=True, refers_to="dcim/sites", path="site.name", column="site"),
        DiscoveredField("status", is_required=True),
        DiscoveredField("serial", may_be_null=True),
        DiscoveredField("mac", may_be_null=True),
    ],
    (("name",),),
)
CSV = Collection(
    "devices",
    "devices.csv",
    [
        DiscoveredField("Name", path="Name"),
        DiscoveredField("site_name", path="site_name"),
        DiscoveredField("serial", may_be_null=True, path="serial"),
        DiscoveredField("mac", "mac", path="mac"),
        DiscoveredField("colour", path="colour"),
    ],
    (("Name",),),
)


def nothing(name: str) -> Collection:
    raise AssertionError(name)


def target(name: str) -> Collection:
    return {"dcim/sites": SITES, "dcim/devices": DEVICES}[name]


def drafted(source: Collection, other: Collection | None) -> dict[str, DraftModel]:
    return {model.name: model for model in draft_models([(source, other)], nothing, target)}


@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("dcim/device-types/", "device_type"),
        ("DeviceTypes", "device_type"),
        ("ip_addresses", "ip_address"),
        ("policies", "policy"),
        ("switches", "switch"),
        ("chassis", "chassi"),
        ("class", "class"),
        ("---", "record"),
    ],
)
def test_the_noun_of_a_name(name: str, noun: str) -> None:
    assert noun_of(name) == noun


def test_collections_pair_by_their_nouns_and_each_only_once() -> None:
    there = ["dcim/device-types", "dcim/devices", "ipam/prefixes", "dcim/sites"]
    assert pair_names(["devices", "device_types", "sites", "colours"], there) == [
        ("devices", "dcim/devices"), ("device_types", "dcim/device-types"), ("sites", "dcim/sites")
    ]  # fmt: skip
    assert pair_names(["device_types"], ["dcim_devicetype", "dcim_device"]) == [("device_types", "dcim_devicetype")]
    assert pair_names(["vlans"], ["sites"]) == []


def test_fields_pair_in_spite_of_case_and_endings() -> None:
    found = pair_fields(["Serial Number", "siteName", "site", "deviceType"], ["serial_number", "site", "device_type"])
    assert found == {"serial_number": "Serial Number", "site": "site", "device_type": "deviceType"}


def test_a_model_with_a_reference_that_is_only_looked_up() -> None:
    models = drafted(CSV, DEVICES)
    assert list(models) == ["site", "device"]
    assert models["site"].source is None
    assert models["site"].target == {"from": "dcim/sites/", "lookup_only": True}
    device = models["device"]
    assert device.definition == {
        "identifiers": {"name": "str"},
        "attributes": {
            "site": "str",
            "serial": {"type": "str?", "compare": "empty_is_none"},
            "mac": "mac?",
            "status": "str?",
        },
        "references": {"site": "site"},
    }
    assert device.source == {"from": "devices.csv", "fields": {"name": "Name", "site": "site_name"}}
    assert device.target == {"from": "dcim/devices/", "fields": {"site": "site.name"}}


def test_what_a_person_has_to_decide() -> None:
    device = drafted(CSV, DEVICES)["device"]
    assert (device.missing, device.unused) == (("status",), ("colour",))
    device.set_constant("status", "active")
    assert device.missing == ()
    assert device.source is not None
    assert device.source["fields"]["status"] == {"value": "active"}


def test_a_model_for_a_target_that_has_nothing_yet() -> None:
    device = drafted(CSV, None)["device"]
    assert device.identifiers == {"Name": "str"}
    assert device.target == {"from": "device"}
    assert set(device.attributes) == {"site_name", "serial", "mac", "colour"}


def test_with_nothing_in_common_everything_is_to_be_decided() -> None:
    fields = [DiscoveredField("zone", is_required=True), DiscoveredField("ttl", "int", is_required=True)]
    model = drafted(CSV, Collection("rrsets", "rrsets", fields, (("zone",),)))["rrset"]
    assert (model.identifiers, model.attributes, model.missing) == ({"zone": "str"}, {"ttl": "int?"}, ("zone", "ttl"))


def test_nothing_in_common_and_no_key_is_an_error_that_names_the_fields() -> None:
    other = Collection("vlan", "vlan", [DiscoveredField("vid", "int")])
    with pytest.raises(ValueError, match=r"devices and vlan have no field with the same name.*Name, site_name.*vid"):
        drafted(CSV, other)


def test_names_that_no_field_can_have() -> None:
    fields = [DiscoveredField(name, path=name) for name in ("class", "2nd", "model type", "load", "diff", "str")]
    model = drafted(Collection("x", "x.csv", fields, (("class",),)), None)["x"]
    names = [*model.identifiers, *model.attributes]
    assert names[:3] == ["class_", "field_2nd", "model_type"]
    assert "str" not in names
    assert model.source is not None
    assert model.source["fields"]["model_type"] == '"model type"'
