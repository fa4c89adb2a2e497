"""The example of device types against a real Nautobot, by commands: files → Nautobot without own code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.device_types import EXAMPLE, declared, library, unpack
from tests.rehearsing import rehearsed
from tests.servers import wait_until
from tests.targets.conftest import MakeNautobot
from tests.targets.given import count_requests, loaded, synced
from tests.targets.nautobot_server import NautobotServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

VENDORS = ("A10", "Middle Atlantic", "Middle-Atlantic", "Smartoptics", "Testing", "Supermicro")
"""Some of the vendors of the test data: enough for each model, update and delete."""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries of both years with these vendors only."""
    folder = unpack(tmp_path_factory.mktemp("libraries"))
    for vendor in folder.glob("*/device-types/*"):
        if vendor.name not in VENDORS:
            shutil.rmtree(vendor)
    return folder


@pytest.fixture
def commands(nautobot: NautobotServer, libraries: Path, tmp_path: Path) -> CommandLine:
    shutil.copy(EXAMPLE, tmp_path / "syncs.yaml")
    variables = {"NAUTOBOT_URL": nautobot.url, "NAUTOBOT_TOKEN": nautobot.token, "LIBRARY": str(libraries / "2024")}
    return CommandLine(tmp_path, variables | {"NETBOX_URL": "http://127.0.0.1:1", "NETBOX_TOKEN": "none"})


def of_year(commands: CommandLine, libraries: Path, year: str) -> CommandLine:
    return CommandLine(commands.folder, {**commands.variables, "LIBRARY": str(libraries / year)})


def number_of(nautobot: NautobotServer, path: str) -> int:
    with nautobot.client() as client:
        count: int = client.get(path, params={"limit": 1}).json()["count"]
        return count


def test_a_library_is_applied_then_its_next_state_and_second_runs_are_empty(
    commands: CommandLine, nautobot: NautobotServer, libraries: Path
) -> None:
    done: dict[str, Any] = {}
    for year in ("2024", "2025"):
        project = of_year(commands, libraries, year)
        done = json.loads(project.run("apply", "nautobot", "--yes", "--json").stdout)
        assert done["status"] == "applied", done
        assert done["counts"]["created"] > 100
        assert "No changes" in project.run("plan", "nautobot").stdout
    assert done["counts"]["updated"] > 0
    assert done["counts"]["deleted"] > 0
    assert number_of(nautobot, "dcim/device-types/") == loaded(library(libraries / "2025")).count("device_type")


def test_a_killed_apply_is_resumed_without_duplicates_and_losses(
    commands: CommandLine, nautobot: NautobotServer, libraries: Path
) -> None:
    diff_id = commands.run("plan", "nautobot", "--out").stdout.splitlines()[-1].removeprefix("diff_id: ")
    killed = commands.start("apply", diff_id, "--yes")
    wait_until(lambda: number_of(nautobot, "dcim/console-port-templates/") > 0, 120, "something was created")
    killed.kill()
    killed.communicate()
    resumed = json.loads(commands.run("apply", diff_id, "--yes", "--json").stdout)
    assert resumed["status"] == "applied", resumed
    assert "No changes" in commands.run("plan", "nautobot").stdout
    source = loaded(library(libraries / "2024"))
    assert number_of(nautobot, "dcim/interface-templates/") == source.count("interface")


def test_no_more_requests_than_records_need(
    nautobot: NautobotServer, libraries: Path, make_adapter: MakeNautobot
) -> None:
    project = declared()
    source = loaded(library(libraries / "2024"))
    target = loaded(make_adapter(project["models"], project["adapters"]["nautobot"]["records"]))
    requests = count_requests(target)
    assert not rehearsed(source, target).result.rejects
    assert (requests["OPTIONS"], requests["PATCH"], requests["DELETE"]) == (len(source.models), 0, 0)
    requests.clear()
    result = synced(source, target, batch_size=30)
    assert (result.created, result.failed) == (sum(map(source.count, source.models)), 0)
    fewest = sum(-(-source.count(model) // 30) for model in source.models)
    assert requests["POST"] <= 1.2 * fewest
    assert requests.total() == requests["POST"]
