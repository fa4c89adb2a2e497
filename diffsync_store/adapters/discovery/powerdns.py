"""The collections of a PowerDNS: its zones and record sets have the same fields everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.adapters.discovery.collection import Collection, DiscoveredField

_COLLECTIONS = {
    "zones": Collection(
        "zones",
        "zones",
        (DiscoveredField("name", is_required=True), DiscoveredField("kind")),
        (("name",),),
    ),
    "rrsets": Collection(
        "rrsets",
        "rrsets",
        (
            DiscoveredField("zone", is_required=True),
            DiscoveredField("name", is_required=True),
            DiscoveredField("type", is_required=True),
            DiscoveredField("ttl", "int"),
            DiscoveredField("records", "list[str]", is_required=True),
        ),
        (("zone", "name", "type"),),
    ),
}


class PowerDnsDiscovery:
    """Knows what every PowerDNS has."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def names(self) -> Sequence[str]:
        """Return `zones` and `rrsets`."""
        return list(_COLLECTIONS)

    def describe(self, name: str) -> Collection:
        """Return one of them."""
        return _COLLECTIONS[name]

    def close(self) -> None:
        """Nothing is open."""
