"""Assign tests to processes in a parallel run.

xdist's own `--dist loadgroup` finds no group: it writes the group into a node id, which pytest 9.2 does not allow.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "tests/flows/test_flows.py": "history",
    "tests/flows/reporting/test_pages.py": "history",
    "tests/targets/test_benchmark.py": "nautobot",
    "tests/targets/test_nautobot.py": "nautobot",
    "tests/targets/test_nautobot_awkward.py": "nautobot",
    "tests/targets/test_nautobot_conformance.py": "nautobot",
    "tests/targets/test_nautobot_device_types.py": "nautobot",
    "tests/targets/test_nautobot_flows.py": "nautobot",
    "tests/targets/test_nautobot_page.py": "nautobot",
    "tests/targets/netbox/test_adapter.py": "netbox",
    "tests/targets/netbox/test_awkward.py": "netbox",
    "tests/targets/netbox/test_conformance.py": "netbox",
    "tests/targets/netbox/test_device_types.py": "netbox",
    "tests/targets/netbox/test_docs_page.py": "netbox",
    "tests/targets/netbox/test_flows.py": "netbox",
    "tests/wheel/test_flows.py": "wheel",
    "tests/wheel/test_library.py": "wheel",
}
"""Modules whose tests run in one process, because their shared fixtures, such as `history`, take minutes."""


class Scheduling(LoadScopeScheduling):
    """Gives each test to a free process, but runs all modules with shared fixtures first, in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARED.get(nodeid.partition("::")[0], nodeid)


def slow_first(items: list[pytest.Item]) -> None:
    """Put slow tests first, so that none of them runs alone at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
