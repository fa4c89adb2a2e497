"""Names of rear ports: NetBox 4.5 and newer give a front port's rear ports by their ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffsync_store.adapters.netbox.client import NetBoxClient
from diffsync_store.adapters.netbox.object_types import FRONT_PORTS
from diffsync_store.adapters.netbox.paging import RecordList
from diffsync_store.adapters.netbox.queries import queries

_SIZE = 500


class RearPorts:
    """Puts names to the rear ports of front ports. One thread reads."""

    def __init__(self) -> None:
        self._names: dict[str, dict[int, str]] = {}

    def note(self, path: str, records: Sequence[dict[str, Any]]) -> None:
        """Keep the names of rear ports that are read."""
        if path.strip("/") in FRONT_PORTS.values():
            names = self._names.setdefault(path.strip("/"), {})
            names.update((record["id"], record["name"]) for record in records if "name" in record)

    def put_names(self, client: NetBoxClient, path: str, records: Sequence[dict[str, Any]]) -> None:
        """Give the rear ports of front ports as records with a name."""
        rear = FRONT_PORTS.get(path.strip("/"))
        if rear is None:
            return
        entries = [entry for record in records for entry in record.get("rear_ports") or ()]
        names = self._names.setdefault(rear, {})
        self._look_up(client, rear, sorted({entry["rear_port"] for entry in entries} - names.keys()))
        for entry in entries:
            entry["rear_port"] = {"id": entry["rear_port"], "name": names.get(entry["rear_port"])}

    def _look_up(self, client: NetBoxClient, path: str, ids: Sequence[int]) -> None:
        for query in queries({"id": str(found)} for found in ids):
            self.note(path, list(RecordList(client, path, {**query, "fields": "id,name"}, size=_SIZE)))
