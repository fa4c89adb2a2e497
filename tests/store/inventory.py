"""Models and adapters for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffsync_store import Adapter, BaseStore, DiffSyncModel, LocalStore


class Device(DiffSyncModel):
    """Has no mutable fields."""

    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role", "site")

    name: str
    role: str = "leaf"
    site: str = ""


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region", "tags", "facts")
    _children = {"device": "devices"}

    name: str
    region: str | None = None
    tags: list[str] = []
    facts: dict[str, Any] = {}
    devices: list[str] = []


class Inventory(Adapter):
    site = Site
    device = Device
    top_level = ["site"]


class Flat(Adapter):
    device = Device
    top_level = ["device"]


def open_store(url: str, store_id: str, **options: Any) -> BaseStore:
    """Open an existing or new store in Redis."""
    from diffsync_store.store.redis import RedisStore

    return RedisStore(url=url, store_id=store_id, **options)


def sites(store: BaseStore | type[BaseStore] = LocalStore) -> Inventory:
    return Inventory(internal_storage_engine=store)


def flat(store: BaseStore | type[BaseStore] = LocalStore) -> Flat:
    return Flat(internal_storage_engine=store)


def content(adapter: Adapter) -> dict[str, list[dict[str, Any]]]:
    """Return everything in the adapter's store, in order."""
    return {name: [_fields(obj) for obj in adapter.get_all(name)] for name in sorted(adapter.get_all_model_names())}


def read_sites(url: str, store_id: str) -> Mapping[str, list[dict[str, Any]]]:
    """Return everything in the store, as a new adapter reads it; to run in another process."""
    with open_store(url, store_id) as store:
        return content(sites(store))


def read_flat(url: str, store_id: str) -> dict[str, str]:
    """Return the role of each device, in order; to run in another process too."""
    with open_store(url, store_id) as store:
        return {device.name: device.role for device in flat(store).get_all(Device)}


def _fields(obj: DiffSyncModel) -> dict[str, Any]:
    return obj.model_dump(mode="json", exclude={"model_flags"})
