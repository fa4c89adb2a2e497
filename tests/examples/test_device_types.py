from pathlib import Path

import pytest

from tests.device_types import library, unpack

RECORDS = {"2024": 1719, "2025": 3033}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("libraries"))


@pytest.mark.parametrize("year", RECORDS)
def test_the_files_are_read_whole(libraries: Path, year: str) -> None:
    adapter = library(libraries / year)
    with adapter.store.loading():
        adapter.load()
    assert sum(map(adapter.count, adapter.models)) == RECORDS[year]
    numbers = {outlet.name for outlet in adapter.get_all("power_outlet") if outlet.name.isdigit()}
    assert numbers, "a name that YAML reads as a number is text"
    assert not adapter.store.record().gaps


def test_a_manufacturer_of_many_files_is_one_record(libraries: Path) -> None:
    adapter = library(libraries / "2024")
    with adapter.store.loading():
        adapter.load()
    assert {str(found) for found in adapter.get_all("manufacturer")} == {
        *("A10", "Eaton", "Generic", "Middle Atlantic", "Nokia", "QTECH", "Supermicro", "Tripp Lite")
    }


def test_creates_go_in_the_order_of_the_references(libraries: Path) -> None:
    order = library(libraries / "2024").top_level
    assert order.index("manufacturer") < order.index("device_type") < order.index("power_port")
    assert order.index("power_port") < order.index("power_outlet")
    assert order.index("rear_port") < order.index("front_port")
