"""Tests that the fast run skips: `pytest --fast`, which `make test-fast` runs."""

from collections import Counter
from collections.abc import Iterable

import pytest

REASONS = {
    "slow": "slower than half a second",
    "prefect": "starts Prefect",
    "browser": "needs a browser",
    "cluster": "starts a cluster of Redis",
    "server": "needs a server or a right of the system",
}
"""By marker."""
MARKER_OF_FIXTURE = {
    "chromium": "browser",
    "postgres_server": "server",
    "nautobot_server": "server",
    "netbox_server": "server",
    "mariadb_server": "server",
    "powerdns_server": "server",
    "certificates": "server",
    "network": "server",
}
"""Markers that tests get from their fixtures."""
LEFT_OUT = pytest.StashKey[dict[str, int]]()


def mark_by_fixtures(item: pytest.Item) -> None:
    for fixture, marker in MARKER_OF_FIXTURE.items():
        if fixture in getattr(item, "fixturenames", ()):
            item.add_marker(marker)


def reasons(item: pytest.Item) -> list[str]:
    return [reason for marker, reason in REASONS.items() if item.get_closest_marker(marker)]


def count(items: Iterable[pytest.Item]) -> dict[str, int]:
    """Count the skipped tests by their first reason."""
    return dict(Counter(reasons(item)[0] for item in items))
