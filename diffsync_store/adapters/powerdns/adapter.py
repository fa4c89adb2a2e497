"""PowerDnsAdapter: maps zones and record sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.powerdns.contents import Contents
from diffsync_store.adapters.powerdns.names import absolute, canonical, relative, without_dot
from diffsync_store.adapters.powerdns.record_sets import Key, Raw, RecordSets, ZoneMissing
from diffsync_store.adapters.powerdns.settings import PowerDnsSettings
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping

ZONES, RECORD_SETS = "zones", "rrsets"
_LONGEST_TTL = 2**31 - 1
"""PowerDNS stores the lowest bits of a larger one, without an error."""


class PowerDnsAdapter(RestAdapter):
    """Reads and writes zones and record sets. One thread loads; several may write."""

    Settings = PowerDnsSettings
    settings: PowerDnsSettings

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        if mapping.source.strip("/") not in {ZONES, RECORD_SETS}:
            raise ValueError(
                f"`from: {mapping.source}` of {model._modelname!r}: PowerDNS has `{ZONES}` and `{RECORD_SETS}`."
            )
        return super().make_mapper(model, mapping)

    def path_of(self, mapper: Mapper) -> str:
        """The path of the zones: below a server, which `url` may name already."""
        return f"{self._root}{ZONES}"

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        zones = [zone for zone in self.client.get_json(self.path_of(mapper)) if self._has_zone(zone["name"])]
        if _is_zones(mapper):
            yield from (self.record_of(mapper, zone) for zone in zones)
            return
        for zone in zones:
            try:
                yield from self._read_zone(zone["name"])
            except ZoneMissing:
                self.incomplete(mapper.model, f"The zone {zone['name']} was deleted during the load.")

    def _read_zone(self, zone: str) -> Iterator[Record]:
        for found in self._record_sets.of_zone(zone):
            if self._has_type(found["type"], found["name"], zone) and _enabled(found):
                yield self._record(zone, found)

    def _record(self, zone: str, found: Mapping[str, Any]) -> Record:
        name, kind = found["name"], found["type"]
        return {
            "zone": self._name(zone),
            "name": self._name(name),
            "relative": relative(name, zone),
            "type": kind,
            "ttl": found["ttl"],
            "records": sorted(
                self._contents.read(kind, content) for content in _enabled(found)
            ),  # the server has no order
            "comments": [comment["content"] for comment in found.get("comments", ())],
            self.id_key: [zone, name, kind],
        }

    def record_of(self, mapper: Mapper, record: Any) -> Record:
        return super().record_of(mapper, {**record, "name": self._name(record["name"])})

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        if _is_zones(mapper):
            yield from self.read(mapper)
            return
        for ids in identifiers:
            key = self._key_in(mapper.payload_of(ids))
            found = self._record_sets.get(key)
            if found is not None and _enabled(found):
                yield self._record(key.zone, found)

    # Writing zones

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        if _is_zones(mapper):
            return super().send_creates(mapper, [self._new_zone(payload) for payload in payloads])
        return self._write(mapper, [(payload, None) for payload in payloads], ObjectNotCreated)

    def _new_zone(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {"kind": self.settings.kind, "nameservers": list(self.settings.nameservers)}
        wanted = {**defaults, **{key: value for key, value in payload.items() if value is not None}}
        nameservers = [canonical(name) for name in wanted["nameservers"]]
        return {**wanted, "name": canonical(str(payload.get("name", ""))), "nameservers": nameservers}

    # Writing record sets

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if _is_zones(mapper):
            return super().send_updates(mapper, changes)
        return self._write(mapper, [(change.payload, change) for change in changes], ObjectNotUpdated)

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if _is_zones(mapper):
            return super().send_deletes(mapper, changes)
        return self._write(mapper, [(None, change) for change in changes], ObjectNotDeleted)

    def _write(
        self, mapper: Mapper, wanted: Sequence[tuple[Mapping[str, Any] | None, Change | None]], refused: type[Exception]
    ) -> list[Answer]:
        """Write record sets; the key of a created one, None, or an exception for each."""
        answers: list[Answer] = [None] * len(wanted)
        sets: list[tuple[Key, Raw | None]] = []
        numbers = []
        for number, (payload, change) in enumerate(wanted):
            try:
                key = self._key_in(payload or {}) if change is None else Key(*change.key)  # type: ignore[misc]  # a list of three
                self._require_own(key)
                sets.append((key, None if payload is None else self._whole(key, payload, mapper, change)))
            except ValueError as error:
                answers[number] = refused(str(error))
            else:
                numbers.append(number)
        written = self._record_sets.write(sets, refused)
        for number, (key, _), answer in zip(numbers, sets, written, strict=True):
            answers[number] = list(key) if answer is None and wanted[number][1] is None else answer
        return answers

    def _key_in(self, payload: Mapping[str, Any]) -> Key:
        if not payload.get("zone") or not payload.get("type"):
            raise ValueError("A record set needs `zone`, `name` and `type`.")
        zone = canonical(str(payload["zone"]))
        if payload.get("name"):
            name = canonical(str(payload["name"]))
        elif "relative" in payload:
            name = absolute(str(payload["relative"] or ""), zone)
        else:
            raise ValueError("A record set needs its `name`, or a name `relative` to the zone.")
        return Key(zone, name, str(payload["type"]).upper())

    def _require_own(self, key: Key) -> None:
        """Refuse what this adapter does not read: it would replace what it cannot see."""
        if not self._has_zone(key.zone):
            raise ValueError(f"The zone {key.zone} is not in `zones`.")
        if not self._has_type(key.type, key.name, key.zone):
            raise ValueError(
                f"The record set {key.name} {key.type} is left to the server. List {key.type} in `types` to write it."
            )

    def _whole(self, key: Key, payload: Mapping[str, Any], mapper: Mapper, change: Change | None) -> Raw:
        """A record set as PowerDNS takes it: with all that it has, not only what changes."""
        values = dict(payload)
        if change is not None and not {"ttl", "records"} <= values.keys():
            present = self._record_sets.get(key)
            if present is None:
                raise ValueError(f"The record set {key.name} {key.type} is gone.")
            values = {**self._record(key.zone, present), "comments": None, **values}
        ttl = self.settings.default_ttl if values.get("ttl") is None else values["ttl"]
        if not 0 <= ttl <= _LONGEST_TTL:
            raise ValueError(f"The record set {key.name} {key.type} has the TTL {ttl}. Use 0 to {_LONGEST_TTL}.")
        contents = [self._contents.write(key.type, str(content)) for content in values.get("records") or ()]
        if not contents:
            raise ValueError(f"The record set {key.name} {key.type} has no records.")
        body: Raw = {
            "ttl": ttl,
            "records": [{"content": content, "disabled": False} for content in contents],
        }
        if values.get("comments") is not None:
            body["comments"] = [{"content": str(text), "account": ""} for text in values["comments"]]
        return body

    # What the settings say

    def _has_zone(self, zone: str) -> bool:
        return not self.settings.zones or zone in self.settings.zones

    def _has_type(self, kind: str, name: str, zone: str) -> bool:
        if self.settings.types:
            return kind in self.settings.types
        return kind != "SOA" and not (kind == "NS" and name == zone)

    def _name(self, name: str) -> str:
        return name if self.settings.trailing_dots else without_dot(name)

    @cached_property
    def _contents(self) -> Contents:
        return Contents(plain_text=self.settings.text == "plain", trailing_dots=self.settings.trailing_dots)

    @cached_property
    def _root(self) -> str:
        return "" if "/servers/" in (self.settings.url.path or "") else f"api/v1/servers/{self.settings.server}/"

    @cached_property
    def _record_sets(self) -> RecordSets:
        return RecordSets(lambda: self.client, f"{self._root}{ZONES}")


def _is_zones(mapper: Mapper) -> bool:
    return mapper.mapping.source.strip("/") == ZONES


def _enabled(found: Mapping[str, Any]) -> list[str]:
    return [record["content"] for record in found["records"] if not record.get("disabled")]
