"""The example of device types with Prefect: a reconcile of flows, each in a process of its own worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airports.demo.prefect_stack import PrefectStack, prefect_stack
from airports.demo.runs import finish, start_run
from tests.conftest import SharedServers
from tests.device_types import EXAMPLE, declared, library, unpack
from tests.targets.conftest import MakeNautobot
from tests.targets.given import changes, loaded
from tests.targets.nautobot_server import NautobotServer

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]
VENDORS = ("A10", "Testing")


@pytest.fixture
def library_folder(tmp_path: Path) -> Path:
    folder = unpack(tmp_path / "libraries") / "2024"
    for vendor in (folder / "device-types").iterdir():
        if vendor.name not in VENDORS:
            shutil.rmtree(vendor)
    return folder


@pytest.fixture
def stack(
    tmp_path: Path, library_folder: Path, nautobot: NautobotServer, shared_servers: SharedServers
) -> Iterator[PrefectStack]:
    config = tmp_path / "syncs.yaml"
    config.write_text(f"store: {{url: '${{REDIS_URL}}'}}\n{EXAMPLE.read_text('utf-8')}", "utf-8")
    common = {"DIFFSYNC_CONFIG": str(config), "REDIS_URL": shared_servers.redis("valkey").url}
    systems = {"LIBRARY": str(library_folder), "NAUTOBOT_URL": nautobot.url, "NAUTOBOT_TOKEN": nautobot.token}
    others = {"NETBOX_URL": "http://127.0.0.1:9/", "NETBOX_TOKEN": "none"}
    everything = common | systems | others
    variables = {"load": everything, "diff": common, "sync": everything, "reconcile": common}
    with prefect_stack(tmp_path / "prefect", variables) as stack:
        yield stack


def test_a_reconcile_brings_the_library_into_nautobot(
    stack: PrefectStack, library_folder: Path, make_adapter: MakeNautobot
) -> None:
    run = finish(stack, start_run(stack, "reconcile/nautobot"), seconds=400)
    assert run.state == "Completed", run
    project = declared()
    target = loaded(make_adapter(project["models"], project["adapters"]["nautobot"]["records"]))
    source = loaded(library(library_folder))
    assert sum(map(target.count, target.models)) == sum(map(source.count, source.models)) > 80
    assert changes(source, target) == {}
