"""Which process runs which test where tests run side by side.

xdist's own `--dist loadgroup` finds no group: it writes the group into a node id, which pytest 9.2 does not allow.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "tests/flows/test_flows.py": "history",
    "tests/flows/reporting/test_pages.py": "history",
    "tests/wheel/test_flows.py": "wheel",
    "tests/wheel/test_library.py": "wheel",
}
"""Modules whose tests run in one process, for what they share takes minutes to make, such as the fixture `history`."""


class Scheduling(LoadScopeScheduling):
    """Each test goes to the process that is free, but modules that share something to one process, as the first."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARED.get(nodeid.partition("::")[0], nodeid)


def slow_first(items: list[pytest.Item]) -> None:
    """Put slow tests before the others, so that no process is left with one when the others have ended."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
