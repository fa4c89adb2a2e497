"""The library of device types → NetBox, by the file of the example."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from diffsync_store.adapters.netbox import NetBoxAdapter
from diffsync_store.adapters.netbox.client import NetBoxClient
from tests.device_types import declared, library, unpack
from tests.rehearsing import rehearsed
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.server import NetBoxServer
from tests.targets.netbox.test_adapter import changes, loaded, synced

BATCH = 200
SEND = NetBoxClient.send


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("libraries"))


@pytest.fixture
def make_target(make_adapter: MakeNetBox) -> Any:
    def make() -> NetBoxAdapter:
        project = declared()
        adapter: NetBoxAdapter = loaded(make_adapter(project["models"], project["adapters"]["netbox"]["records"]))
        return adapter

    return make


def fewest_calls(diff: Any) -> int:
    """Bulk calls if each has records of one model and action."""
    numbers = Counter((element.type, element.action) for element in diff.get_children() if element.action)
    return sum(-(-number // BATCH) for number in numbers.values())


def test_two_years_of_the_library(
    netbox: NetBoxServer, libraries: Path, make_target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year, expected in {"2024": (1719, 0, 0), "2025": (1381, 29, 67)}.items():
        source, target = loaded(library(libraries / year)), make_target()
        rehearsal = rehearsed(source, target).result
        assert ((rehearsal.created, rehearsal.updated, rehearsal.deleted), rehearsal.rejects) == (expected, [])
        calls: list[str] = []

        def counted(self: NetBoxClient, method: str, path: str, *, calls: list[str] = calls, **options: Any) -> Any:
            calls.append(method)
            return SEND(self, method, path, **options)

        monkeypatch.setattr(NetBoxClient, "send", counted)
        fewest = fewest_calls(target.diff_from(source))
        result = synced(source, target)
        monkeypatch.undo()
        assert ((result.created, result.updated, result.deleted), result.rejects) == (expected, [])
        assert sum(method != "GET" for method in calls) <= 1.2 * fewest
        assert changes(source, target) == {}
        assert changes(source, make_target()) == {}, "the second run has nothing to do"
