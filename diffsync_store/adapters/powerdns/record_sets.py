"""RecordSets: the record sets of zones, as the API gives and takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from diffsync_store.adapters.http import HttpClient, HttpError
from diffsync_store.adapters.mapped import Answer
from diffsync_store.adapters.powerdns.names import zone_id
from diffsync_store.adapters.rest.bulk import Bulk, in_parts

Raw = dict[str, Any]
_BLAMED = re.compile(r"(?:Record|RRset) (?P<name>\S+?)(?:/| IN )(?P<type>[A-Z0-9]+)\b")
"""How the API's one reason for a refused request names a record set."""
_NOT_FOUND = 404
_SETS_OF_A_REQUEST = 50
"""Record sets that a server sends in about the time that one more request takes."""


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


class Edit(NamedTuple):
    """What is done to a record set."""

    key: Key
    action: Literal["create", "update", "delete"]
    values: Raw
    """`ttl`, `records` and `comments` in PowerDNS's form; an update has those that change."""


class RecordSets:
    """Reads and writes record sets. Threads may share it.

    Args:
        client: the client of the API.
        path: the path of the zones.
    """

    def __init__(self, client: Callable[[], HttpClient], path: str) -> None:
        self._client = client
        self._path = path
        self._sizes: dict[str, int] = {}
        """The number of record sets of each zone, as it was last read."""

    def of_zone(self, zone: str) -> list[Raw]:
        """Return all record sets of a zone.

        Raises:
            ZoneMissing: the server has no such zone.
        """
        with _zone(zone):
            found: list[Raw] = self._client().get_json(self._zone_path(zone))["rrsets"]
        self._sizes[zone] = len(found)
        return found

    def get(self, key: Key) -> Raw | None:
        """Return one record set; None if there is none."""
        params = {"rrset_name": key.name, "rrset_type": key.type}
        try:
            with _zone(key.zone):
                found = self._client().get_json(self._zone_path(key.zone), params)["rrsets"]
        except ZoneMissing:
            return None
        # An old PowerDNS does not know these parameters, and gives all.
        return next((each for each in found if (each["name"], each["type"]) == (key.name, key.type)), None)

    def write(self, edits: Sequence[Edit], refused: type[Exception]) -> list[Answer]:
        """Write record sets, those of each zone in one request; None or an exception for each."""
        zones: dict[str, list[int]] = {}
        for number, edit in enumerate(edits):
            zones.setdefault(edit.key.zone, []).append(number)

        def write_zone(part: Sequence[tuple[str, list[int]]]) -> list[Answer]:
            [(zone, numbers)] = part
            return [self._write_zone(zone, [edits[number] for number in numbers], refused)]

        answers: list[Answer] = [None] * len(edits)
        found = in_parts(list(zones.items()), 1, write_zone)
        for numbers, of_zone in zip(zones.values(), found, strict=True):
            for place, number in enumerate(numbers):
                answers[number] = of_zone if isinstance(of_zone, Exception) else of_zone[place]
        return answers

    def _write_zone(self, zone: str, edits: Sequence[Edit], refused: type[Exception]) -> list[Answer]:
        answers: list[Answer] = [None] * len(edits)
        bodies: dict[int, Raw] = {}
        try:
            present = self._present(zone, [edit.key for edit in edits])
            for number, edit in enumerate(edits):
                try:
                    body = body_of(edit, present.get((edit.key.name, edit.key.type)))
                except ValueError as error:
                    answers[number] = refused(str(error))
                else:
                    if body is not None:
                        bodies[number] = body
            for number, answer in zip(bodies, self._patch(zone, list(bodies.values()), refused), strict=True):
                answers[number] = answer
        except ZoneMissing as error:  # what was in a zone that is gone is gone
            return [None if edit.action == "delete" else refused(str(error)) for edit in edits]
        return answers

    def _present(self, zone: str, keys: Sequence[Key]) -> dict[tuple[str, str], Raw]:
        """Return the current record sets: one request for each if the zone is much larger, otherwise one request for the zone."""
        if len(keys) * _SETS_OF_A_REQUEST <= self._sizes.get(zone, 10 * _SETS_OF_A_REQUEST):
            found = [each for each in map(self.get, keys) if each is not None]
        else:
            found = self.of_zone(zone)
        return {(each["name"], each["type"]): each for each in found}

    def _patch(self, zone: str, bodies: Sequence[Raw], refused: type[Exception]) -> list[Answer]:
        sent: list[Raw] = []

        def send(some: Sequence[Raw]) -> list[Answer]:
            sent[:] = some
            with _zone(zone):
                self._client().send("PATCH", self._zone_path(zone), body={"rrsets": sent})
            return [None] * len(some)

        return Bulk(send, refused, lambda error, _: _blamed(error, sent))(bodies)

    def _zone_path(self, zone: str) -> str:
        return f"{self._path}/{quote(zone_id(zone), safe='')}"


def body_of(edit: Edit, present: Raw | None) -> Raw | None:
    """Return the body for a record set, with its disabled records; None if nothing changes.

    Raises:
        ValueError: it exists, and is to be created; or it is gone, and is to be changed.
    """
    records = present["records"] if present is not None else []
    disabled = [record for record in records if record.get("disabled")]
    is_there = len(disabled) < len(records)
    named = {"name": edit.key.name, "type": edit.key.type}
    if edit.action == "delete":
        if not is_there:
            return None
        return {**named, **_replaced(present or {}, [], disabled)} if disabled else {**named, "changetype": "DELETE"}
    if is_there is (edit.action == "create"):
        state = "exists already" if is_there else "is gone"
        raise ValueError(f"The record set {edit.key.name} {edit.key.type} {state}.")
    enabled = [record for record in records if not record.get("disabled")]
    values = {"ttl": present["ttl"] if present is not None else None, "records": enabled, **edit.values}
    return {**named, **_replaced(values, values["records"], disabled)}


def _replaced(values: Raw, records: list[Raw], disabled: list[Raw]) -> Raw:
    contents = {record["content"] for record in records}
    kept = [{"content": each["content"], "disabled": True} for each in disabled if each["content"] not in contents]
    own = [{"content": each["content"], "disabled": False} for each in records]
    comments = {"comments": values["comments"]} if "comments" in values else {}
    return {"changetype": "REPLACE", "ttl": values["ttl"], "records": own + kept, **comments}


def _blamed(error: HttpError, sent: Sequence[Raw]) -> dict[int, str]:
    """Return the positions of the record sets that the reason of a refused request names."""
    reason = error.details.get("error", "") if isinstance(error.details, dict) else ""
    named = _BLAMED.search(reason)
    if named is None:
        return {}
    wanted = named["name"].lower(), named["type"]
    return {place: str(error) for place, body in enumerate(sent) if (body["name"], body["type"]) == wanted}
