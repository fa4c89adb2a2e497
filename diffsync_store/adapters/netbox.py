"""NetBoxAdapter: NetBox 4 over its REST API."""

from __future__ import annotations

from typing import Any

from diffsync_store.adapters.inventory_api import InventoryApiAdapter, InventoryApiSettings
from diffsync_store.mapping.records import Mapper


class NetBoxSettings(InventoryApiSettings):
    """How a NetBox is reached: `url` is its address with `/api/`, `token` one of its tokens."""


class NetBoxAdapter(InventoryApiAdapter):
    """Reads and writes a NetBox. One thread loads; several may write."""

    Settings = NetBoxSettings
    settings: NetBoxSettings

    def params_of(self, mapper: Mapper) -> dict[str, Any]:
        return {"ordering": "id", **super().params_of(mapper)}  # pages of another order shift while records come and go
