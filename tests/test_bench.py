from typing import Any

import pytest

from tests.bench.__main__ import Run
from tests.bench.table import MEASURES, OURS, THEIRS, cell, disagreements

OBJECTS = 2000
CHANGES = {"create": 2, "update": 16, "delete": 2}


@pytest.mark.parametrize("store", ["local", "redis"])
def test_every_step_is_measured_and_finds_the_changes_that_were_made(store: str) -> None:
    found = {result["step"]: result for result in Run(OURS, store, timeout=60).results(OBJECTS, "valkey")}
    assert set(found) == {"load", "diff", "sync"}
    assert found["load"]["objects"] == OBJECTS
    assert found["diff"]["summary"].items() >= CHANGES.items()
    assert all(result["seconds"] > 0 and result["peak_rss"] > 2**20 for result in found.values())
    assert all((result.get("commands", 0) > 0) == (store == "redis") for result in found.values())


def diffed(library: str, **more: Any) -> dict[str, Any]:
    return {"library": library, "objects": 100, "changed": 1, "store": "local", "step": "diff", **more}


def test_a_cell_says_how_many_times_less_it_was() -> None:
    assert cell(MEASURES[0], {"seconds": 0.5}, {"seconds": 2.0}) == "0.50 / 2.00 (4.0x)"


def test_a_cell_bears_what_was_not_measured() -> None:
    assert cell(MEASURES[0], {"seconds": 0.5}, {}) == "0.50 / -"
    assert cell(MEASURES[0], {}, {}) == ""


def test_two_libraries_that_found_different_changes_are_named() -> None:
    results = [diffed(OURS, summary={"create": 1}), diffed(THEIRS, summary={"create": 2})]
    assert len(disagreements(results)) == 1
    assert disagreements([results[0], diffed(THEIRS, summary={"create": 1})]) == []
