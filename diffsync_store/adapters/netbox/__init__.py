"""NetBoxAdapter: NetBox 4 over its REST API."""

from diffsync_store.adapters.netbox.adapter import NetBoxAdapter
from diffsync_store.adapters.netbox.settings import NetBoxRecords, NetBoxSettings

__all__ = ["NetBoxAdapter", "NetBoxRecords", "NetBoxSettings"]
