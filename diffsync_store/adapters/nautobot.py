"""NautobotAdapter: Nautobot 2 and 3 over its REST API.

As the NetBox adapter, with these differences: records are asked for with `depth=1`, so that `manufacturer.name` and `status.name` are
there; a nested record is written as `{name: …}`, or by its id where it is a reference. Fields that Nautobot leaves out without an error
are noticed by comparing its answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

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

    def _ids_in_order(self, bodies: list[dict[str, Any]], response: Any) -> list[Any]:
        for body, record in zip(bodies, response.json(), strict=False):
            _warn_of_dropped(body, record)
        return super()._ids_in_order(bodies, response)


def _warn_of_dropped(body: dict[str, Any], record: Any) -> None:
    dropped = [key for key in body if isinstance(record, dict) and key not in record]
    if dropped:
        structlog.get_logger().warning("The API has left out fields that it does not know", fields=dropped)


__all__: Sequence[str] = ["NautobotAdapter", "NautobotSettings"]
