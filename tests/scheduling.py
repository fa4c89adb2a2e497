"""Assign tests to processes in a parallel run.

xdist's own `--dist loadgroup` finds no group: it writes the group into a node id, which pytest 9.2 does not allow.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "tests/targets/test_benchmark.py": "nautobot",
    "tests/targets/test_nautobot.py": "nautobot",
    "tests/targets/test_nautobot_awkward.py": "nautobot",
    "tests/targets/test_nautobot_conformance.py": "nautobot",
    "tests/targets/test_nautobot_device_types.py": "nautobot",
    "tests/targets/test_nautobot_flows.py": "nautobot",
    "tests/targets/test_nautobot_page.py": "nautobot",
    "tests/wheel/test_flows.py": "wheel",
    "tests/wheel/test_library.py": "wheel",
    "tests/targets/netbox/test_adapter.py": "netbox",
    "tests/targets/netbox/test_awkward.py": "netbox",
    "tests/targets/netbox/test_conformance.py": "netbox",
    "tests/targets/netbox/test_device_types.py": "netbox",
    "tests/targets/netbox/test_docs_page.py": "netbox",
    "tests/targets/netbox/test_flows.py": "netbox",
    "tests/flows/reporting/test_pages.py": "history",
    "tests/flows/steps/test_together.py": "history",
    "tests/flows/test_flows.py": "history",
}
"""Modules whose tests run in one process, because their shared fixtures, such as `history`, take minutes.

The groups run in this order. The last one needs the stack of Prefect that other tests use after it.
"""
WITH_PREFECT = "tests/flows/"
"""Where tests share a stack of Prefect: it uses a third of the machine, also without a run, until these tests have ended."""


class Scheduling(LoadScopeScheduling):
    """Gives each test to a free process, in their order, but all modules of a shared fixture to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARED.get(nodeid.partition("::")[0], nodeid)


def sort(items: list[pytest.Item]) -> None:
    """Put modules with shared fixtures first, then slow tests with Prefect, then other slow tests.

    No slow test runs alone at the end, and Prefect is stopped early.
    """
    groups = list(dict.fromkeys(SHARED.values()))

    def rank(item: pytest.Item) -> tuple[int, bool, bool]:
        group = SHARED.get(item.nodeid.partition("::")[0])
        is_fast = item.get_closest_marker("slow") is None
        uses_prefect = not is_fast and item.nodeid.startswith(WITH_PREFECT)
        return groups.index(group) if group else len(groups), not uses_prefect, is_fast

    items.sort(key=rank)
