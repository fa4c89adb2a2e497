"""The file of the page about the adapter, against a real NetBox."""

import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.mapped import MappedAdapter
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.server import NetBoxServer
from tests.targets.netbox.test_adapter import changes, loaded, synced

PAGE = Path(__file__).parents[3] / "docs" / "adapters" / "netbox.md"
SHEETS = Path(__file__).parent / "sheets"


def declared() -> dict[str, Any]:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


@pytest.fixture
def make_target(api: httpx.Client, make_adapter: MakeNetBox) -> Any:
    tags = [{"name": "Core", "slug": "core"}, {"name": "Edge", "slug": "edge"}]
    assert api.post("extras/tags/", json=tags).status_code == 201
    field = {"name": "contract", "type": "text", "object_types": ["dcim.rack"]}
    assert api.post("extras/custom-fields/", json=field).status_code == 201
    project = declared()
    return lambda: loaded(make_adapter(project["models"], project["adapters"]["netbox"]["records"]))


def sheets(folder: Path) -> MappedAdapter:
    project = declared()
    records = project["adapters"]["sheets"]["records"]
    adapter: MappedAdapter = loaded(FilesAdapter({"folder": folder}, project["models"], records, name="sheets"))
    return adapter


def test_the_file_of_the_page(netbox: NetBoxServer, api: httpx.Client, make_target: Any, tmp_path: Path) -> None:
    shutil.copytree(SHEETS / "before", tmp_path / "before")
    before, target = sheets(tmp_path / "before"), make_target()
    result = synced(before, target)
    assert (result.created, result.rejects) == (28, [])
    assert changes(before, make_target()) == {}, "the second run has nothing to do"
    [device] = api.get("dcim/devices/", params={"name": "sw1", "site": "oslo"}).json()["results"]
    assert device["primary_ip4"]["address"] == "192.0.2.1/24"
    [prefix] = api.get("ipam/prefixes/", params={"prefix": "192.0.2.0/24"}).json()["results"]
    assert (prefix["scope_type"], prefix["scope"]["name"]) == ("dcim.site", "Oslo")


def test_addresses_move_with_the_run_after_the_primary_ones(make_target: Any) -> None:
    synced(sheets(SHEETS / "before"), make_target())
    after = sheets(SHEETS / "after")
    first = synced(after, make_target())
    assert {reject.unique_id for reject in first.rejects} == {"192.0.2.1/24", "192.0.2.5/24"}
    assert all("primary IP" in reject.reason for reject in first.rejects)
    assert synced(after, make_target()).rejects == []
    assert changes(after, make_target()) == {}


def test_the_site_of_an_interface_is_read_from_its_device(make_target: Any, make_adapter: MakeNetBox) -> None:
    """NetBox nests a device without its site."""
    synced(sheets(SHEETS / "before"), make_target())
    project = declared()
    not_loaded = make_adapter(project["models"], project["adapters"]["netbox"]["records"])
    wanted = {"site": "Bergen", "device": "sw1", "name": "Eth1/1"}
    [found] = not_loaded.look_up_records(not_loaded.models["interface"], [wanted])
    assert found["type"] == "virtual"
    [missing] = not_loaded.look_up_records(not_loaded.models["interface"], [{**wanted, "site": "Oslo", "name": "Eth9"}])
    assert missing is None
