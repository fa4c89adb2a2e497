"""The adapter of NetBox against a real one."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from diffsync_store import DiffSyncFlags, StoreState, Sync, SyncOptions
from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.netbox.filters import UnknownFilter
from diffsync_store.result import SyncResult
from tests.adapters.memory import MemoryAdapter, MemorySystem
from tests.adapters.sharding import gaps, loaded_shards, require_same_as_whole
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.server import NetBoxServer

Records = Sequence[Mapping[str, Any]]
EMPTY = {"type": "str?", "compare": "empty_is_none"}
TYPES: dict[str, Any] = {
    "manufacturer": {"identifiers": {"name": "str"}, "attributes": {"description": EMPTY}},
    "device_type": {
        "identifiers": {"manufacturer": "str", "model": "str"},
        "attributes": {
            "part_number": EMPTY,
            "u_height": {"type": "number", "default": 1},
            "airflow": "str?",
            "weight": "number?",
            "weight_unit": "str?",
        },
        "references": {"manufacturer": "manufacturer"},
    },
}
RECORDS: dict[str, Any] = {
    "manufacturer": {"from": "dcim/manufacturers"},
    "device_type": {"from": "dcim/device-types", "fields": {"manufacturer": "manufacturer.name"}},
}
ACME = {"name": "Acme"}
X1 = {"manufacturer": "Acme", "model": "X1"}


def loaded(adapter: Any) -> Any:
    with adapter.store.loading():
        adapter.load()
    return adapter


def source(models: Mapping[str, Any], **records: Records) -> MappedAdapter:
    system = MemorySystem(**{name: [dict(record) for record in given] for name, given in records.items()})
    found: MappedAdapter = loaded(
        MemoryAdapter({"system": system}, models, {name: {} for name in records}, name="source")
    )
    return found


def synced(source: MappedAdapter, target: MappedAdapter, **options: Any) -> SyncResult:
    diff = target.diff_from(source)
    return Sync(diff, source, target, SyncOptions(**options), flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()


def changes(source: MappedAdapter, target: MappedAdapter) -> dict[str, int]:
    summary = target.diff_from(source).summary()
    return {action: summary[action] for action in ("create", "update", "delete") if summary[action]}


def user_with(api: httpx.Client, **actions: Sequence[str]) -> str:
    """Create a user with these rights (action → object types); return a token of version 2."""
    user = api.post("users/users/", json={"username": "reader", "password": "Reader-12345678"}).json()["id"]
    for action, types in actions.items():
        body = {"name": action, "object_types": list(types), "actions": [action], "users": [user]}
        assert api.post("users/permissions/", json=body).status_code == 201
    made = api.post("users/tokens/", json={"user": user, "version": 2, "enabled": True, "write_enabled": True}).json()
    return f"nbt_{made['key']}.{made['token']}"


# Reading and writing


def test_a_sync_creates_changes_and_deletes(netbox: NetBoxServer, make_adapter: MakeNetBox) -> None:
    first = {**X1, "u_height": 1.5, "airflow": "front-to-rear", "weight": 10.4, "weight_unit": "kg", "part_number": "1"}
    types: Records = [
        first,
        {"manufacturer": "Acme", "model": "X2"},
        {"manufacturer": "Ünïcode / 中文", "model": "*[x]\"'"},
    ]
    before = source(TYPES, manufacturer=[ACME, {"name": "Ünïcode / 中文"}], device_type=types)
    target = loaded(make_adapter(TYPES, RECORDS))
    assert (synced(before, target).created, changes(before, target)) == (5, {})
    assert changes(before, loaded(make_adapter(TYPES, RECORDS))) == {}

    changed = {**X1, "u_height": 2, "airflow": None, "weight": None, "weight_unit": None, "part_number": None}
    after = source(TYPES, manufacturer=[ACME], device_type=[changed])
    result = synced(after, target)
    assert (result.updated, result.deleted, result.rejects) == (1, 3, [])
    again = loaded(make_adapter(TYPES, RECORDS))
    assert changes(after, again) == {}
    assert again.get("device_type", X1).airflow is None


@pytest.mark.parametrize("page", [1, 3, 4, 100])
def test_pages_have_each_record_once(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox, page: int
) -> None:
    made = api.post("dcim/manufacturers/", json=[{"name": f"M{n}", "slug": f"m{n}"} for n in range(12)]).json()
    api.request("DELETE", "dcim/manufacturers/", json=[{"id": record["id"]} for record in made[2:9:2]])
    adapter = loaded(make_adapter(TYPES, RECORDS, paging={"size": page}))
    assert [record.name for record in adapter.get_all("manufacturer")] == [
        name for name in (f"M{n}" for n in range(12)) if name not in {"M2", "M4", "M6", "M8"}
    ]
    assert adapter.store.record().state is StoreState.COMPLETE


def test_only_the_fields_of_the_mapping_are_requested(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    api.post("dcim/manufacturers/", json=[{"name": "Acme", "slug": "acme"}])
    adapter = make_adapter(TYPES, RECORDS)
    [record] = adapter.read(adapter.mappers["manufacturer"])
    assert set(record) == {"$id", "id", "name", "description"}


def test_the_bad_records_of_a_list_are_refused_and_the_others_are_created(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    api.post("dcim/manufacturers/", json=[{"name": "Acme", "slug": "acme"}])
    good = [{"manufacturer": "Acme", "model": f"G{n}"} for n in range(20)]
    bad = [{"manufacturer": "Acme", "model": f"B{n}", "airflow": "sideways"} for n in range(4)]
    target = loaded(make_adapter(TYPES, RECORDS))
    result = synced(source(TYPES, manufacturer=[ACME], device_type=[*good, *bad]), target)
    assert (result.created, len(result.rejects)) == (20, 4)
    assert all("airflow: sideways is not a valid choice" in reject.reason for reject in result.rejects)


def test_a_bad_record_of_a_changed_list_is_found(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    target = loaded(make_adapter(TYPES, RECORDS))
    types = [{"manufacturer": "Acme", "model": f"G{n}"} for n in range(9)]
    synced(source(TYPES, manufacturer=[ACME], device_type=types), target)
    after: list[dict[str, Any]] = [{**found, "airflow": "passive"} for found in types]
    after[4]["airflow"] = "sideways"
    result = synced(source(TYPES, manufacturer=[ACME], device_type=after), target)
    assert (result.updated, [reject.unique_id for reject in result.rejects]) == (8, ["Acme__G4"])


def test_a_record_that_others_need_is_not_deleted(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    api.post("dcim/manufacturers/", json=[{"name": "Acme", "slug": "acme"}, {"name": "Empty", "slug": "empty"}])
    api.post("dcim/device-types/", json={"manufacturer": {"name": "Acme"}, "model": "X1", "slug": "x1"})
    models = {"manufacturer": TYPES["manufacturer"]}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}))
    result = synced(source(models, manufacturer=[]), target)
    assert result.deleted == 1
    assert [(reject.unique_id, "1 dependent objects" in reject.reason) for reject in result.rejects] == [("Acme", True)]


def test_records_that_vanished_meanwhile(netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox) -> None:
    made = api.post("dcim/manufacturers/", json=[{"name": f"M{n}", "slug": f"m{n}"} for n in range(4)]).json()
    models = {"manufacturer": TYPES["manufacturer"]}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}))
    api.request("DELETE", "dcim/manufacturers/", json=[{"id": made[0]["id"]}, {"id": made[2]["id"]}])
    kept = [{"name": f"M{n}", "description": "x"} for n in range(2)]
    result = synced(source(models, manufacturer=kept), target)
    assert (result.updated, result.deleted) == (1, 2), "a record that is gone counts as deleted"
    assert [(reject.unique_id, "is gone" in reject.reason) for reject in result.rejects] == [("M0", True)]


# Slugs


def test_slugs_are_made_and_do_not_collide(netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox) -> None:
    api.post("dcim/manufacturers/", json={"name": "Taken", "slug": "middle-atlantic"})
    names = ["Taken", "Middle Atlantic", "Middle-Atlantic", "middle atlantic", "中文", "日本"]
    models = {"manufacturer": TYPES["manufacturer"]}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}))
    wanted = source(models, manufacturer=[{"name": name} for name in names])
    assert (synced(wanted, target).rejects, changes(wanted, target)) == ([], {})
    slugs = {found["name"]: found["slug"] for found in api.get("dcim/manufacturers/").json()["results"]}
    assert slugs["Middle Atlantic"].startswith("middle-atlantic-")
    assert len(set(slugs.values())) == len(names)


# Filters


def test_a_filter_that_netbox_does_not_know_is_an_error(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    api.post("dcim/manufacturers/", json={"name": "Acme", "slug": "acme"})
    models = {"manufacturer": TYPES["manufacturer"]}
    records = {"manufacturer": {"from": "dcim/manufacturers", "params": {"tga": "managed"}}}
    with pytest.raises(UnknownFilter, match="no filter 'tga' for 'dcim/manufacturers/'"):
        loaded(make_adapter(models, records))


def test_records_are_scoped_by_a_tag_that_new_ones_get(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    api.post("extras/tags/", json=[{"name": "Managed", "slug": "managed"}, {"name": "Other", "slug": "other"}])
    api.post("dcim/manufacturers/", json={"name": "By hand", "slug": "by-hand"})
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"tags": "list[str]"}}}
    records = {"manufacturer": {"from": "dcim/manufacturers", "params": {"tag": "managed"}}}
    wanted = source(models, manufacturer=[{"name": "Acme", "tags": ["managed", "other"]}])
    target = loaded(make_adapter(models, records))
    assert synced(wanted, target).created == 1
    fewer = source(models, manufacturer=[{"name": "Acme", "tags": ["managed"]}])
    assert synced(fewer, target).updated == 1
    assert changes(fewer, loaded(make_adapter(models, records))) == {}
    left = {
        found["name"]: [tag["slug"] for tag in found["tags"]]
        for found in api.get("dcim/manufacturers/").json()["results"]
    }
    assert left == {"By hand": [], "Acme": ["managed"]}


def test_a_tag_that_does_not_exist_is_named(netbox: NetBoxServer, make_adapter: MakeNetBox) -> None:
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"tags": "list[str]"}}}
    wanted = source(models, manufacturer=[{"name": "Acme", "tags": ["nope"]}])
    result = synced(wanted, loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]})))
    [reject] = result.rejects
    assert "tags" in reject.reason
    assert "nope" in reject.reason


# Forms of values


def test_custom_fields_are_merged(netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox) -> None:
    for name in ("owner_code", "other"):
        body = {"name": name, "type": "text", "object_types": ["dcim.manufacturer"]}
        assert api.post("extras/custom-fields/", json=body).status_code == 201
    values = {"owner_code": "a", "other": "kept"}
    api.post("dcim/manufacturers/", json={"name": "Acme", "slug": "acme", "custom_fields": values})
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"owner": "str?"}}}
    records = {"manufacturer": {"from": "dcim/manufacturers", "fields": {"owner": "custom_fields.owner_code"}}}
    target = loaded(make_adapter(models, records))
    wanted = source(models, manufacturer=[{"name": "Acme", "owner": "b"}, {"name": "New", "owner": None}])
    synced(wanted, target)
    assert changes(wanted, loaded(make_adapter(models, records))) == {}
    found = {one["name"]: one["custom_fields"] for one in api.get("dcim/manufacturers/").json()["results"]}
    assert found["Acme"] == {"owner_code": "b", "other": "kept"}


def test_a_choice_is_read_and_written_by_its_value(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    models: dict[str, Any] = {
        "site": {
            "identifiers": {"name": "str"},
            "attributes": {"status": "str", "label": {"type": "str?", "compare": "never"}},
        }
    }
    records = {"site": {"from": "dcim/sites", "fields": {"status": "status.value", "label": "status.label"}}}
    target = loaded(make_adapter(models, records))
    synced(source(models, site=[{"name": "Oslo", "status": "planned"}]), target)
    again = loaded(make_adapter(models, records))
    assert (again.get("site", "Oslo").status, again.get("site", "Oslo").label) == ("planned", "Planned")


def test_a_front_port_has_its_rear_port_and_position(netbox: NetBoxServer, make_adapter: MakeNetBox) -> None:
    port: dict[str, Any] = {
        "identifiers": {"manufacturer": "str", "model": "str", "name": "str"},
        "references": {"device_type": "device_type"},
    }
    models = TYPES | {
        "rear_port": {**port, "attributes": {"type": "str", "positions": {"type": "int", "default": 1}}},
        "front_port": {
            **port,
            "attributes": {"type": "str", "label": EMPTY, "rear_port": "str", "rear_port_position": "int"},
            "references": {
                "device_type": "device_type",
                "rear_port": {"model": "rear_port", "fields": {"name": "rear_port"}},
            },
        },
    }
    of_type = {"manufacturer": "device_type.manufacturer.name", "model": "device_type.model"}
    records = RECORDS | {
        "rear_port": {"from": "dcim/rear-port-templates", "fields": of_type},
        "front_port": {"from": "dcim/front-port-templates", "fields": {**of_type, "rear_port": "rear_port.name"}},
    }
    rear = [{**X1, "name": name, "type": "lc", "positions": 4} for name in ("R1", "R2")]

    def wanted(**port: Any) -> MappedAdapter:
        front = {**X1, "name": "F1", "type": "lc", "rear_port": "R1", "rear_port_position": 2, **port}
        return source(models, manufacturer=[ACME], device_type=[X1], rear_port=rear, front_port=[front])

    synced(wanted(), loaded(make_adapter(models, records)))
    for changed in (
        {"label": "x"},
        {"rear_port_position": 3},
        {"rear_port": "R2", "rear_port_position": 3},
        {"rear_port": "R1", "rear_port_position": 3},
    ):
        target = loaded(make_adapter(models, records))
        assert (
            synced(wanted(**changed), target).updated,
            changes(wanted(**changed), loaded(make_adapter(models, records))),
        ) == (1, {})


# Rights, versions and secrets


def test_a_missing_right_is_named(netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox) -> None:
    token = user_with(api, view=["dcim.manufacturer"])
    models = {"manufacturer": TYPES["manufacturer"]}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}, token=token))
    result = synced(source(models, manufacturer=[{"name": f"M{n}"} for n in range(5)]), target)
    assert len(result.rejects) == 5
    assert all("needs the permission `dcim.add_manufacturer`" in reject.reason for reject in result.rejects)
    with pytest.raises(HttpError, match="needs the permission `dcim\\.view_devicetype`"):
        loaded(make_adapter(TYPES, RECORDS, token=token))


def test_a_wrong_token_is_named_and_not_shown(netbox: NetBoxServer, make_adapter: MakeNetBox) -> None:
    with pytest.raises(HttpError, match="does not accept the token") as error:
        loaded(make_adapter(TYPES, RECORDS, token="wrong-token-4711"))
    assert "4711" not in str(error.value)


def test_a_path_that_does_not_exist_is_named(netbox: NetBoxServer, make_adapter: MakeNetBox) -> None:
    with pytest.raises(HttpError, match="no list at 'dcim/manufacturer/'"):
        loaded(make_adapter(TYPES, {"manufacturer": {"from": "dcim/manufacturer"}}))


def test_changes_carry_the_message(netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox) -> None:
    models = {"manufacturer": TYPES["manufacturer"]}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}, changelog_message="nightly sync"))
    synced(source(models, manufacturer=[{"name": "A"}, {"name": "B"}]), target)
    synced(source(models, manufacturer=[{"name": "A", "description": "x"}]), target)
    messages = [found["message"] for found in api.get("core/object-changes/").json()["results"]]
    assert messages == ["nightly sync"] * 4


def test_if_match_refuses_what_was_changed_meanwhile(
    netbox: NetBoxServer, api: httpx.Client, make_adapter: MakeNetBox
) -> None:
    made = api.post("dcim/manufacturers/", json={"name": "Acme", "slug": "acme"}).json()
    models = {"manufacturer": TYPES["manufacturer"]}
    records = {"manufacturer": RECORDS["manufacturer"]}
    target = loaded(make_adapter(models, records, writing={"if_match": True}))
    api.patch(f"dcim/manufacturers/{made['id']}/", json={"description": "by hand"})
    result = synced(source(models, manufacturer=[{"name": "Acme", "description": "x"}]), target)
    [reject] = result.rejects
    assert "changed since it was loaded: description" in reject.reason
    again = loaded(make_adapter(models, records, writing={"if_match": True}))
    assert synced(source(models, manufacturer=[{"name": "Acme", "description": "x"}]), again).updated == 1


def test_records_of_the_same_slug_in_one_list_do_not_stop_the_others(
    netbox: NetBoxServer, make_adapter: MakeNetBox
) -> None:
    """NetBox answers 500 where the database finds the duplicate."""
    models = {"manufacturer": {"identifiers": {"name": "str"}, "attributes": {"slug": "str"}}}
    target = loaded(make_adapter(models, {"manufacturer": RECORDS["manufacturer"]}))
    given = [{"name": f"M{n}", "slug": "same" if n in {3, 7} else f"m{n}"} for n in range(10)]
    result = synced(source(models, manufacturer=given), target)
    assert (result.created, len(result.rejects)) == (9, 1)
    assert "slug" in result.rejects[0].reason


# Shards


def test_sites_are_shards_with_what_is_in_them(api: httpx.Client, make_adapter: MakeNetBox) -> None:
    sites = [{"name": name, "slug": name.lower()} for name in ("Ams", "Ber", "Nyc")]
    made = api.post("dcim/sites/", json=sites).raise_for_status().json()
    racks = [{"site": site["id"], "name": f"r{number}"} for site in made for number in range(3)]
    api.post("dcim/racks/", json=racks).raise_for_status()
    vlans = [{"vid": number, "name": f"v{number}", "site": made[0]["id"] if number == 1 else None} for number in (1, 2)]
    api.post("ipam/vlans/", json=vlans).raise_for_status()
    models: dict[str, Any] = {
        "site": {"identifiers": {"slug": "str"}, "attributes": {"name": "str"}},
        "rack": {"identifiers": {"site": "str", "name": "str"}},
        "vlan": {"identifiers": {"vid": "int"}, "attributes": {"site": "str?"}},
    }
    records: dict[str, Any] = {
        "site": {"from": "dcim/sites", "shard": "slug"},
        "rack": {"from": "dcim/racks", "fields": {"site": "site.slug"}, "shard": "site"},
        "vlan": {"from": "ipam/vlans", "fields": {"site": "site.slug"}, "shard": "site"},
    }

    def make(shards: Any, **cut: Any) -> Any:
        return lambda: make_adapter(models, {**records, **cut}, shards, paging={"size": 2})

    found = require_same_as_whole(make({"a": ["ams", "ber"], "b": ["nyc", None]}), ["a", "b"])
    assert [len(shard) for shard in found.values()] == [9, 5]
    by_site = {name: found for name, found in records.items() if name != "site"}
    auto = require_same_as_whole(lambda: make_adapter(models, by_site, "auto"))
    assert {name: len(shard) for name, shard in auto.items()} == {"null": 1, "ams": 4, "ber": 3, "nyc": 3}
    only, *_ = loaded_shards(make(["ams"]), ["ams"]).values()
    assert gaps(only) == {
        "site": "By 'slug', 2 records are in none of the shards ams. Add them to a shard.",
        "rack": "By 'site', 6 records are in none of the shards ams. Add them to a shard.",
        "vlan": "By 'site', 1 record is in none of the shards ams. Add it to a shard.",
    }
    with pytest.raises(ValueError, match="NetBox has no filter 'sight' for 'dcim/racks/'"):
        loaded_shards(lambda: make_adapter(models, {"rack": {**records["rack"], "shard": "sight"}}, ["x"]), ["x"])
