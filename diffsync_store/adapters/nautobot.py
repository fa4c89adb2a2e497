"""NautobotAdapter: Nautobot 2 and 3 over its REST API.

As the NetBox adapter, with these differences: records are asked for with `depth=1`, so that `manufacturer.name` and `status.name` are
there; a nested record is written as `{name: …}`, or by its id where it is a reference. Fields that Nautobot leaves out without an error
are noticed by comparing its answer.
"""

from __future__ import annotations

from typing import Any

from diffsync_store.adapters.inventory_api import InventoryApiAdapter, InventoryApiSettings
from diffsync_store.adapters.rest import Paging
from diffsync_store.mapping.records import Mapper


class NautobotSettings(InventoryApiSettings):
    """How a Nautobot is reached: `url` is its address with `/api/`, `token` one of its tokens."""

    paging: Paging = Paging(kind="offset", size=500, total="count")


class NautobotAdapter(InventoryApiAdapter):
    """Reads and writes a Nautobot. One thread loads; several may write."""

    Settings = NautobotSettings
    settings: NautobotSettings

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        return {"sort": "id", "depth": 1, **super().params_of(mapper)}

    def filter_of_reference(self, target: str) -> str:
        return target
