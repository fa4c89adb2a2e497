"""NetBoxWriter: writes the records of one model, in the form that NetBox takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.netbox import parts, slugs
from diffsync_store.adapters.netbox.client import NetBoxClient
from diffsync_store.adapters.netbox.object_types import FRONT_PORTS
from diffsync_store.adapters.rest.writing import Writer

_PORT = ("rear_port", "rear_port_position")
PORTS_IN_A_LIST = (4, 5)
"""From this version on, a front port has a list of rear ports."""


class NetBoxWriter(Writer):
    """Writes the records of one model. Threads may share it."""

    def create(self, payloads: Sequence[dict[str, Any]]) -> list[Answer]:
        return super().create([self._formed(self._in_scope(payload)) for payload in payloads])

    def update(self, changes: Sequence[Change]) -> list[Answer]:
        return super().update([self._changed(change) for change in changes])

    def blame(self, error: HttpError, number: int) -> dict[int, str]:
        if error.response.status_code == 403 and not self._may(error.response.request.method):
            return dict.fromkeys(range(number), str(error))
        return super().blame(error, number)

    def body_of(self, payload: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
        """Return a record in NetBox's form, without what depends on records of the target."""
        if not is_new:
            return {key: value for key, value in self._formed(dict(payload)).items() if key != parts.KEY}
        bodies = [
            {key: value for key, value in self._formed(self._in_scope(dict(payload))).items() if value is not None}
        ]
        slugs.add_slugs(bodies, self.path)
        return bodies[0]

    def _changed(self, change: Change) -> Change:
        change = self._with_whole_port(change)
        payload = self._in_scope(change.payload) if "tags" in change.payload else change.payload
        return change._replace(payload=self._formed(payload))

    def _in_scope(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return a payload with the tags of the model's filter. Without them, the next load would not find the record."""
        wanted = self.reader.params_of(self.mapper).get("tag")
        if not wanted:
            return payload
        tags = [wanted] if isinstance(wanted, str) else list(wanted)
        return {**payload, "tags": list(dict.fromkeys([*(payload.get("tags") or ()), *tags]))}

    def _formed(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return a payload in NetBox's form: tags as records, the rear port of a front port in a list of one."""
        formed = dict(payload)
        if "tags" in formed:
            formed["tags"] = [{"slug": tag} if isinstance(tag, str) else tag for tag in formed["tags"] or ()]
        if "rear_port" in formed and self._has_ports_in_a_list():
            rear, position = formed.pop("rear_port"), formed.pop("rear_port_position", 1)
            ports = [{"position": 1, "rear_port": rear, "rear_port_position": position}]
            formed["rear_ports"] = ports if rear is not None else []
        return formed

    def _with_whole_port(self, change: Change) -> Change:
        """Return a change of a front port with both the rear port and its position. NetBox accepts them only together."""
        keys = change.payload.keys() & set(_PORT)
        obj = self.reader.get_or_none(self.mapper.model, change.identifiers) if len(keys) == 1 else None
        if obj is None or not self._has_ports_in_a_list():
            return change
        values = obj.get_identifiers() | obj.get_attrs()
        whole = self.mapper.payload_of(values)
        for label, target in self.mapper.written_references.items():
            if target in _PORT:
                whole[target] = self.reader._resolve(self.mapper.model._references[label], values)
        return change._replace(payload={**{key: whole[key] for key in _PORT if key in whole}, **change.payload})

    def _has_ports_in_a_list(self) -> bool:
        return self.path.strip("/") in FRONT_PORTS and self._client.version >= PORTS_IN_A_LIST

    def _may(self, method: str) -> bool:
        """Whether the user of the token may create records, or change and delete any."""
        if method != "POST":
            return True
        return "POST" in (self._client.json_of(self._client.send("OPTIONS", self.path)).get("actions") or ())

    @property
    def _client(self) -> NetBoxClient:
        client = self.reader.client
        assert isinstance(client, NetBoxClient)  # noqa: S101  # for the type checker
        return client
