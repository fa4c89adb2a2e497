"""From a system to what looks into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffsync_store.adapters.discovery.collection import Discovery
from diffsync_store.adapters.discovery.recognition import Address
from diffsync_store.adapters.registry import adapter_class


def discovery_of(address: Address, token: str = "") -> Discovery:
    """Return what looks into a system.

    Args:
        address: the system.
        token: its API token.

    Raises:
        ImportError: the packages of its adapter are missing; the message says what to install.
        Exception: it cannot be reached, or refuses the token.
    """
    ready = adapter_class(address.type)
    if address.type == "files":
        from diffsync_store.adapters.discovery.files import FilesDiscovery

        return FilesDiscovery(Path(address.location).expanduser())
    if address.type == "sql":
        from diffsync_store.adapters.discovery.sql import SqlDiscovery

        return SqlDiscovery(address.settings["url"])
    if address.type == "powerdns":
        from diffsync_store.adapters.discovery.powerdns import PowerDnsDiscovery

        return PowerDnsDiscovery(address.settings)
    if address.type in {"netbox", "nautobot"}:
        from diffsync_store.adapters.discovery.api import ApiDiscovery

        given = {**address.settings, **({"token": token} if token else {})}
        connection: Any = ready.Settings.model_validate(given)
        return ApiDiscovery(address.settings, connection)
    if address.type == "python":
        from diffsync_store.adapters.discovery.functions import FunctionDiscovery

        return FunctionDiscovery(address.settings, address.location.partition(":")[2])
    from diffsync_store.adapters.discovery.rest import RestDiscovery

    return RestDiscovery(address.location, token)
