"""PowerDnsAdapter: zones and record sets of a PowerDNS authoritative server, over its API.

`from` of a model is `zones` or `rrsets`. A zone has `name` and `kind`; a record set has `zone`, `name`, `type`, `ttl` and
`records`, the list of contents. All changes of a zone are one request.

    models:
      rrset: {identifiers: {zone: str, name: str, type: str}, attributes: {ttl: int, records: {type: "list[str]", compare: unordered}}}
    adapters:
      dns: {type: powerdns, settings: {url: "http://127.0.0.1:8081/api/v1/servers/localhost/", token: "${PDNS_KEY}"}, records: {rrset: {from: rrsets}}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.mapped import Answer, Change
from diffsync_store.adapters.rest import RestAdapter, RestSettings
from diffsync_store.adapters.rest.bulk import one_by_one
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper

_ZONE_KEYS = ("name", "kind", "dnssec", "api_rectify", "soa_edit_api", "masters")


class PowerDnsSettings(RestSettings):
    """How a PowerDNS is reached: `url` ends in `/servers/localhost/`, `token` is its `api-key`."""

    token_header: str = "X-API-Key"  # noqa: S105  # the name of a header
    id: str = "id"
    zones: tuple[str, ...] = ()
    """The zones whose record sets are read and written; all by default."""
    skip_types: tuple[str, ...] = ("SOA",)
    """Types of record sets that the server keeps by itself."""


class PowerDnsAdapter(RestAdapter):
    """Reads and writes zones and record sets. One thread loads; several may write."""

    Settings = PowerDnsSettings
    settings: PowerDnsSettings

    def read(self, mapper: Mapper) -> Iterable[Record]:
        zones = [
            zone
            for zone in self.client.get("zones").json()
            if not self.settings.zones or zone["name"] in self.settings.zones
        ]
        if self.path_of(mapper) == "zones":
            yield from (self.record_of(mapper, zone) for zone in zones)
            return
        for zone in zones:
            yield from self._record_sets(zone["id"])

    def _record_sets(self, zone_id: str) -> Iterable[Record]:
        zone = self.client.get(f"zones/{zone_id}").json()
        for found in zone["rrsets"]:
            if found["type"] not in self.settings.skip_types:
                contents = [record["content"] for record in found["records"] if not record.get("disabled")]
                key = [zone_id, found["name"], found["type"]]
                yield {**found, "zone": zone["name"], "records": contents, self.id_key: key}

    def path_of(self, mapper: Mapper) -> str:
        path = super().path_of(mapper).strip("/")
        if path not in {"zones", "rrsets"}:
            raise ValueError(f"`from: {path}` of {mapper.model._modelname!r}: PowerDNS has `zones` and `rrsets`.")
        return path

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        if self.path_of(mapper) == "zones":
            return self.read(mapper)
        zones = dict.fromkeys(ids["zone"] for ids in identifiers)
        return (record for zone in zones for record in self._record_sets(zone))

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        if self.path_of(mapper) == "zones":
            return one_by_one(payloads, self._make_zone, ObjectNotCreated)
        keys = [[payload.get("zone"), payload.get("name"), payload.get("type")] for payload in payloads]
        refused = self._patch([(key, payload) for key, payload in zip(keys, payloads, strict=True)], ObjectNotCreated)
        return [key if answer is None else answer for key, answer in zip(keys, refused, strict=True)]

    def _make_zone(self, payload: Mapping[str, Any]) -> Any:
        body = {"kind": "Native", "nameservers": [], **{key: payload[key] for key in _ZONE_KEYS if key in payload}}
        return self.client.send("POST", "zones", body=body).json()["id"]

    def _update_zone(self, change: Change) -> None:
        self.client.send("PUT", f"zones/{change.key}", body=change.payload)

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if self.path_of(mapper) == "zones":
            return one_by_one(changes, self._update_zone, ObjectNotUpdated)
        present = {
            tuple(record[self.id_key]): record
            for record in self.read_some(mapper, [change.identifiers for change in changes])
        }
        whole = [(change.key, {**present.get(_key(change), {}), **change.payload}) for change in changes]
        return self._patch(whole, ObjectNotUpdated)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if self.path_of(mapper) == "zones":
            return super().send_deletes(mapper, changes)
        return self._patch([(change.key, None) for change in changes], ObjectNotDeleted)

    def _patch(self, sets: Sequence[tuple[Any, Mapping[str, Any] | None]], refused: type[Exception]) -> list[Answer]:
        """Write record sets, those of each zone in one request; a set without content is deleted."""
        answers: list[Answer] = [None] * len(sets)
        zones: dict[str, list[int]] = {}
        for number, (key, _) in enumerate(sets):
            zones.setdefault(key[0], []).append(number)
        for zone, numbers in zones.items():
            self._patch_zone(zone, numbers, [_record_set(*sets[number]) for number in numbers], answers, refused)
        return answers

    def _patch_zone(
        self, zone: str, numbers: list[int], bodies: list[Any], answers: list[Answer], refused: type[Exception]
    ) -> None:
        """Halve where the server refuses: it says one reason for a whole request, of which it has done nothing."""
        try:
            self.client.send("PATCH", f"zones/{zone}", body={"rrsets": bodies})
        except HttpError as error:
            if error.response.status_code not in {400, 404, 409, 422}:
                raise
            if len(numbers) == 1:
                answers[numbers[0]] = refused(str(error))
                return
            half = len(numbers) // 2
            self._patch_zone(zone, numbers[:half], bodies[:half], answers, refused)
            self._patch_zone(zone, numbers[half:], bodies[half:], answers, refused)


def _key(change: Change) -> tuple[Any, ...]:
    return tuple(change.key) if isinstance(change.key, list) else ()


def _record_set(key: Any, payload: Mapping[str, Any] | None) -> dict[str, Any]:
    _, name, kind = key
    if payload is None:
        return {"name": name, "type": kind, "changetype": "DELETE"}
    records = [{"content": content, "disabled": False} for content in payload.get("records") or ()]
    return {"name": name, "type": kind, "ttl": payload.get("ttl", 3600), "changetype": "REPLACE", "records": records}
