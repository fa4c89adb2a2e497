"""benchmarks/targets.py at its smallest size, on the Nautobot of the other tests."""

from pathlib import Path

import pytest

from benchmarks.targets import measure, of_vendors
from tests.targets.nautobot_server import NautobotServer


@pytest.mark.slow
def test_syncs_are_measured_beside_the_bare_requests(nautobot_server: NautobotServer, tmp_path: Path) -> None:
    first, second = measure("nautobot", nautobot_server, of_vendors(tmp_path, ["Testing", "A10"]))
    assert first.counts["created"] > 50
    assert (first.counts["updated"], first.counts["deleted"]) == (0, 0)
    assert second.counts["updated"] > 0
    for result in (first, second):
        assert 0 < result.in_requests < result.seconds
        assert result.bare > 0
        assert result.call_ratio <= 1.2, result
