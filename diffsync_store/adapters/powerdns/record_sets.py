"""RecordSets: the record sets of zones, as the API gives and takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote

from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.mapped import Answer
from diffsync_store.adapters.powerdns.names import zone_id
from diffsync_store.adapters.rest.bulk import Bulk, in_parts

Raw = dict[str, Any]
_BLAMED = re.compile(r"(?:Record|RRset) (?P<name>\S+?)(?:/| IN )(?P<type>[A-Z0-9]+)\b")
"""How the API's one reason for a refused request names a record set."""
_NOT_FOUND = 404


class Key(NamedTuple):
    """A record set: canonical names."""

    zone: str
    name: str
    type: str


class ZoneMissing(LookupError):
    """The server has no such zone."""


@contextmanager
def _zone(name: str) -> Iterator[None]:
    try:
        yield
    except HttpError as error:
        if error.response.status_code == _NOT_FOUND:
            raise ZoneMissing(f"PowerDNS has no zone {name}.") from error
        raise


class RecordSets:
    """Reads and writes record sets. Threads may share it.

    Args:
        client: the client of the API.
        path: the path of the zones.
    """

    def __init__(self, client: Callable[[], HttpClient], path: str) -> None:
        self._client = client
        self._path = path
        self._disabled: dict[str, dict[tuple[str, str], list[Raw]]] = {}
        self._lock = Lock()

    def of_zone(self, zone: str) -> Iterator[Raw]:
        """All record sets of a zone.

        Raises:
            ZoneMissing: the server has no such zone.
        """
        with _zone(zone):
            found = self._client().get_json(self._zone_path(zone))["rrsets"]
        disabled = {(each["name"], each["type"]): kept for each in found if (kept := _disabled(each))}
        with self._lock:
            self._disabled[zone] = disabled
        yield from found

    def get(self, key: Key) -> Raw | None:
        """One record set; None if there is none."""
        params = {"rrset_name": key.name, "rrset_type": key.type}
        try:
            with _zone(key.zone):
                found = self._client().get_json(self._zone_path(key.zone), params)["rrsets"]
        except ZoneMissing:
            return None
        # An old PowerDNS does not know these parameters, and gives all.
        return next((each for each in found if (each["name"], each["type"]) == (key.name, key.type)), None)

    def write(self, sets: Sequence[tuple[Key, Raw | None]], refused: type[Exception]) -> list[Answer]:
        """Write record sets, those of each zone in one request; None or an exception for each.

        Args:
            sets: what the sets have afterwards; None deletes a set. Disabled records stay.
            refused: the class of the answers for sets that the API refuses.
        """
        zones: dict[str, list[int]] = {}
        for number, (key, _) in enumerate(sets):
            zones.setdefault(key.zone, []).append(number)

        def write_zone(part: Sequence[tuple[str, list[int]]]) -> list[Answer]:
            [(zone, numbers)] = part
            return [self._write_zone(zone, [sets[number] for number in numbers], refused)]

        answers: list[Answer] = [None] * len(sets)
        found = in_parts(list(zones.items()), 1, write_zone)
        for numbers, of_zone in zip(zones.values(), found, strict=True):
            for place, number in enumerate(numbers):
                answers[number] = of_zone if isinstance(of_zone, Exception) else of_zone[place]
        return answers

    def _write_zone(self, zone: str, sets: Sequence[tuple[Key, Raw | None]], refused: type[Exception]) -> list[Answer]:
        sent: list[Raw] = []

        def send(bodies: Sequence[Raw]) -> list[Answer]:
            sent[:] = bodies
            with _zone(zone):
                self._client().send("PATCH", self._zone_path(zone), body={"rrsets": sent})
            return [None] * len(bodies)

        try:
            disabled = self._disabled_of(zone)
            bodies = [_body(key, body, disabled.get((key.name, key.type), [])) for key, body in sets]
            return Bulk(send, refused, lambda error, _: _blamed(error, sent))(bodies)
        except ZoneMissing as error:
            reason = refused(str(error))
            return [None if body is None else reason for _, body in sets]  # what was in a zone that is gone is gone

    def _disabled_of(self, zone: str) -> dict[tuple[str, str], list[Raw]]:
        """The disabled records of a zone: they are not data of the models, and a request that replaces a set has to repeat them."""
        with self._lock:
            known = self._disabled.get(zone)
        if known is None:
            for _ in self.of_zone(zone):
                pass
            known = self._disabled[zone]
        return known

    def _zone_path(self, zone: str) -> str:
        return f"{self._path}/{quote(zone_id(zone), safe='')}"


def _body(key: Key, wanted: Raw | None, disabled: list[Raw]) -> Raw:
    named = {"name": key.name, "type": key.type}
    if wanted is None and not disabled:
        return {**named, "changetype": "DELETE"}
    if wanted is None:
        wanted = {"ttl": disabled[0]["ttl"], "records": []}
    contents = {record["content"] for record in wanted["records"]}
    kept = [{"content": each["content"], "disabled": True} for each in disabled if each["content"] not in contents]
    return {**named, "changetype": "REPLACE", **wanted, "records": [*wanted["records"], *kept]}


def _disabled(found: Mapping[str, Any]) -> list[Raw]:
    return [{**record, "ttl": found["ttl"]} for record in found["records"] if record.get("disabled")]


def _blamed(error: HttpError, sent: Sequence[Raw]) -> dict[int, str]:
    """The places of the sets that the reason of a refused request names."""
    reason = error.details.get("error", "") if isinstance(error.details, dict) else ""
    named = _BLAMED.search(reason)
    if named is None:
        return {}
    wanted = named["name"].lower(), named["type"]
    return {place: str(error) for place, body in enumerate(sent) if (body["name"], body["type"]) == wanted}
