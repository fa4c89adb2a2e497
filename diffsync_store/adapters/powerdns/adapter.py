"""PowerDnsAdapter: maps zones and record sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from diffsync_store.adapters.mapped import Answer, Change, MappedModel
from diffsync_store.adapters.powerdns.contents import Contents
from diffsync_store.adapters.powerdns.names import absolute, canonical, relative, without_dot
from diffsync_store.adapters.powerdns.record_sets import Edit, Key, Raw, RecordSets, ZoneMissing
from diffsync_store.adapters.powerdns.rehearsal import ZonesNow
from diffsync_store.adapters.powerdns.settings import PowerDnsSettings
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.adapters.secrets import secret_keys
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotDeleted, ObjectNotUpdated
from diffsync_store.mapping.paths import Record
from diffsync_store.mapping.records import Mapper, RecordMapping

_REFUSED = {"create": ObjectNotCreated, "update": ObjectNotUpdated, "delete": ObjectNotDeleted}
ZONES, RECORD_SETS = "zones", "rrsets"
_LONGEST_TTL = 2**31 - 1
"""PowerDNS stores the lowest bits of a larger one, without an error."""


class PowerDnsAdapter(RestAdapter):
    """Reads and writes zones and record sets. One thread loads; several may write."""

    Settings = PowerDnsSettings
    settings: PowerDnsSettings
    shard_is = ""
    _zones_now: ZonesNow | None = None
    """The zones as they would be at this point of the rehearsal that goes on."""

    def make_mapper(self, model: type[MappedModel], mapping: RecordMapping) -> Mapper:
        if mapping.source.strip("/") not in {ZONES, RECORD_SETS}:
            raise ValueError(
                f"`from: {mapping.source}` of {model._modelname!r}: PowerDNS has `{ZONES}` and `{RECORD_SETS}`."
            )
        return super().make_mapper(model, mapping)

    def path_of(self, mapper: Mapper) -> str:
        """Return the path of the zones: below a server, which `url` may name already."""
        return f"{self._root}{ZONES}"

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        zones = [zone for zone in self.client.get_json(self.path_of(mapper)) if self._has_zone(zone["name"])]
        if _is_zones(mapper):
            yield from (self.record_of(mapper, zone) for zone in zones)
            return
        self._note_missing(mapper, {zone["name"] for zone in zones})
        for zone in zones:
            try:
                yield from self._read_zone(zone["name"])
            except ZoneMissing:
                self.incomplete(mapper.model, f"The zone {zone['name']} was deleted during the load.")

    def _note_missing(self, mapper: Mapper, present: set[str]) -> None:
        """Make the load partial if zones of the settings are not there, unless a sync may create them."""
        missing = sorted(set(self.settings.zones) - present)
        if missing and not any(map(_is_zones, self.mappers.values())):
            self.incomplete(mapper.model, f"Correct `zones`: PowerDNS has no zone {', '.join(missing)}")

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

    def reads_whole_list(self, mapper: Mapper) -> bool:
        return _is_zones(mapper)

    def read_some(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Iterable[Record]:
        if _is_zones(mapper):
            yield from self.read(mapper)
            return
        for ids in identifiers:
            key = self._key_in(mapper.payload_of(ids))
            found = self._set_now(key)
            if found is not None and _enabled(found):
                yield self._record(key.zone, found)

    def _set_now(self, key: Key) -> Raw | None:
        """Return one record set; in a rehearsal, as it would be now."""
        if self._zones_now is None:
            return self._record_sets.get(key)
        try:
            return self._zones_now.get(key)
        except ZoneMissing:
            return None

    # Rehearsing

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        with super().rehearsing():
            self._zones_now = ZonesNow(self._record_sets)
            try:
                yield
            finally:
                self._zones_now = None

    def check_payloads(self, mapper: Mapper, action: str, payloads: Sequence[Any]) -> list[Exception | None]:
        """Return why PowerDNS would refuse each payload, as far as its zones and the forms of names and contents say it."""
        zones = self._zones_now or ZonesNow(self._record_sets)
        if _is_zones(mapper):
            return [self._check_zone(zones, payload) if action == "create" else None for payload in payloads]
        makers: dict[str, Callable[[Any], Edit]] = {
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }
        shows = "records" not in secret_keys(mapper)
        return [
            self._check_set(zones, partial(makers[action], payload), _REFUSED[action], shows_contents=shows)
            for payload in payloads
        ]

    def _check_zone(self, zones: ZonesNow, payload: Mapping[str, Any]) -> Exception | None:
        refused = self._refusal_of_zone(payload)
        if refused is None:
            zones.note_new_zone(canonical(str(payload["name"])))
        return refused

    def _check_set(
        self, zones: ZonesNow, make: Callable[[], Edit], refused: type[Exception], *, shows_contents: bool
    ) -> Exception | None:
        try:
            zones.apply(make(), shows_contents=shows_contents)
        except ValueError as error:
            return refused(str(error))
        except ZoneMissing as error:  # what was in a zone that is gone is gone
            return None if refused is ObjectNotDeleted else refused(str(error))
        return None

    # Writing zones

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        if _is_zones(mapper):
            refused = [self._refusal_of_zone(payload) for payload in payloads]
            zones = [self._new_zone(payload) for payload, why in zip(payloads, refused, strict=True) if why is None]
            made = iter(super().send_creates(mapper, zones))
            return [next(made) if why is None else why for why in refused]
        keys, answers = self._write([partial(self._create, payload) for payload in payloads], ObjectNotCreated)
        return [key if answer is None else answer for key, answer in zip(keys, answers, strict=True)]

    def _refusal_of_zone(self, payload: Mapping[str, Any]) -> ObjectNotCreated | None:
        name = str(payload.get("name", ""))
        try:
            self._require_read_form("name", name, canonical(name))
        except ValueError as error:
            return ObjectNotCreated(str(error))
        return None

    def _new_zone(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {"kind": self.settings.kind, "nameservers": list(self.settings.nameservers)}
        wanted = {**defaults, **{key: value for key, value in payload.items() if value is not None}}
        nameservers = [canonical(name) for name in wanted["nameservers"]]
        return {**wanted, "name": canonical(str(payload.get("name", ""))), "nameservers": nameservers}

    # Writing record sets

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if _is_zones(mapper):
            return super().send_updates(mapper, changes)
        return self._write([partial(self._update, change) for change in changes], ObjectNotUpdated)[1]

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        if _is_zones(mapper):
            return super().send_deletes(mapper, changes)
        return self._write([partial(self._delete, change) for change in changes], ObjectNotDeleted)[1]

    def _write(self, edits: Sequence[Callable[[], Edit]], refused: type[Exception]) -> tuple[list[Any], list[Answer]]:
        """Write record sets; their keys, and None or an exception for each."""
        keys: list[Any] = [None] * len(edits)
        answers: list[Answer] = [None] * len(edits)
        made: dict[int, Edit] = {}
        for number, make in enumerate(edits):
            try:
                made[number] = make()
            except ValueError as error:
                answers[number] = refused(str(error))
            else:
                keys[number] = list(made[number].key)
        for number, answer in zip(made, self._record_sets.write(list(made.values()), refused), strict=True):
            answers[number] = answer
        return keys, answers

    def _create(self, payload: Mapping[str, Any]) -> Edit:
        key = self._own(self._key_in(payload))
        for field, name in (("zone", key.zone), ("name", key.name)):
            if payload.get(field):
                self._require_read_form(field, str(payload[field]), name)
        return Edit(key, "create", self._values(key, {"ttl": None, "records": (), **payload}))

    def _update(self, change: Change) -> Edit:
        key = self._own(_key_of(change))
        return Edit(key, "update", self._values(key, change.payload))

    def _delete(self, change: Change) -> Edit:
        return Edit(self._own(_key_of(change)), "delete", {})

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

    def _require_read_form(self, field: str, given: str, name: str) -> None:
        """Refuse a name that is read in another form: the next sync would create it again, and delete the one that is read."""
        if given != self._name(name):
            raise ValueError(
                f"The {field} {given!r} is {self._name(name)!r} in PowerDNS. Write it so at the source, for example with the "
                "transform `lower` or the setting `trailing_dots: false`."
            )

    def _own(self, key: Key) -> Key:
        """Refuse what this adapter does not read: it would replace what it cannot see."""
        if not self._has_zone(key.zone):
            raise ValueError(f"The zone {key.zone} is not in `zones`.")
        if not self._has_type(key.type, key.name, key.zone):
            raise ValueError(
                f"The record set {key.name} {key.type} is left to the server. List {key.type} in `types` to write it."
            )
        return key

    def _values(self, key: Key, payload: Mapping[str, Any]) -> Raw:
        """Return the values that are written, in PowerDNS's form."""
        values: Raw = {}
        if "ttl" in payload:
            ttl = self.settings.default_ttl if payload["ttl"] is None else payload["ttl"]
            if not 0 <= ttl <= _LONGEST_TTL:
                raise ValueError(f"The record set {key.name} {key.type} has the TTL {ttl}. Use 0 to {_LONGEST_TTL}.")
            values["ttl"] = ttl
        if "records" in payload:
            contents = [self._contents.write(key.type, str(content)) for content in payload["records"] or ()]
            if not contents:
                raise ValueError(f"The record set {key.name} {key.type} has no records.")
            values["records"] = [{"content": content} for content in contents]
        if payload.get("comments") is not None:
            values["comments"] = [{"content": str(text), "account": ""} for text in payload["comments"]]
        return values

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


def _key_of(change: Change) -> Key:
    return Key(*change.key)  # type: ignore[misc]  # a list of three


def _enabled(found: Mapping[str, Any]) -> list[str]:
    return [record["content"] for record in found["records"] if not record.get("disabled")]
