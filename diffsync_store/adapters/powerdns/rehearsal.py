"""ZonesNow: the record sets that zones would have after a part of a rehearsal, and what PowerDNS would refuse then."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from diffsync_store.adapters.powerdns.record_sets import Edit, Key, Raw, RecordSets, body_of

Sets = dict[str, dict[str, Raw]]
"""The record sets of a zone by name and type: a check looks only at those of one name."""
_ALONE = frozenset({"CNAME"})
"""Types beside which a name has no other type."""
_SINGLE = frozenset({"CNAME", "DNAME"})
"""Types of which a name has one record."""
_NAME = re.compile(r"(?:[\w*/@-]{1,63}\.)+", re.ASCII)
_LONGEST_NAME = 254
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*', re.DOTALL)
_NUMBERS_BEFORE_HOST = {
    **dict.fromkeys(("CNAME", "DNAME", "NS", "PTR", "ALIAS"), 0),
    **dict.fromkeys(("MX", "AFDB", "KX"), 1),
    "SRV": 3,
}
_ADDRESSES: Mapping[str, Callable[[str], Any]] = {"A": IPv4Address, "AAAA": IPv6Address}
_LARGEST_NUMBER = 65535


class ZonesNow:
    """Each zone is read once, when a record set of it is rehearsed. One thread uses it."""

    def __init__(self, record_sets: RecordSets) -> None:
        self._record_sets = record_sets
        self._zones: dict[str, Sets] = {}

    def note_new_zone(self, zone: str) -> None:
        """Take a zone for created."""
        self._zones[zone] = {}

    def get(self, key: Key) -> Raw | None:
        """Return a record set as it is now; None if there is none.

        Raises:
            ZoneMissing: the server has no such zone.
        """
        return self._of_zone(key.zone).get(key.name, {}).get(key.type)

    def apply(self, edit: Edit, *, shows_contents: bool = True) -> None:
        """Take a change for done.

        Args:
            edit: the change.
            shows_contents: whether an error may name the content of a record: PowerDNS's form of a secret is not that of the field.

        Raises:
            ValueError: PowerDNS would refuse it.
            ZoneMissing: the server has no such zone.
        """
        of_name = self._of_zone(edit.key.zone).setdefault(edit.key.name, {})
        body = body_of(edit, of_name.get(edit.key.type))
        if body is None:
            return
        if body["changetype"] == "DELETE":
            of_name.pop(edit.key.type, None)
            return
        problem = next(_problems(edit.key, body, of_name, shows_contents), "")
        if problem:
            raise ValueError(f"The record set {edit.key.name} {edit.key.type}: {problem}")
        of_name[edit.key.type] = body

    def _of_zone(self, zone: str) -> Sets:
        if zone not in self._zones:
            sets: Sets = {}
            for each in self._record_sets.of_zone(zone):
                sets.setdefault(each["name"], {})[each["type"]] = each
            self._zones[zone] = sets
        return self._zones[zone]


def _problems(key: Key, body: Raw, of_name: Mapping[str, Raw], shows_contents: bool) -> Iterator[str]:
    """Yield what is wrong with a record set whose name has these record sets by type."""
    if not _is_name(key.name):
        yield "this is no name of the DNS."
    if key.name != key.zone and not key.name.endswith(f".{key.zone.lstrip('.')}"):
        yield f"the name is not in the zone {key.zone}."
    others = [kind for kind in of_name if kind != key.type]
    if others and (key.type in _ALONE or not _ALONE.isdisjoint(others)):
        yield f"the name has {', '.join(sorted(others))} already, and a CNAME stands alone."
    contents = [record["content"] for record in body["records"]]
    if key.type in _SINGLE and len(contents) > 1:
        yield f"it has {len(contents)} records, and may have one."
    for content, number in Counter(contents).items():
        shown = repr(content) if shows_contents else "with a secret content"
        if number > 1:
            yield f"the record {shown} is there {number} times."
        if not _is_content(key.type, content):
            yield f"{shown if shows_contents else 'the value'} is no content of this type."


def _is_name(name: str) -> bool:
    return name == "." or (len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None)


def _is_content(kind: str, content: str) -> bool:
    """Whether a content has the form of its type; true for types whose form is not known here."""
    if kind in _ADDRESSES:
        return _is_address(_ADDRESSES[kind], content)
    if kind in {"TXT", "SPF"}:
        return _TEXT.fullmatch(content) is not None
    if kind not in _NUMBERS_BEFORE_HOST:
        return True
    *numbers, host = content.split(" ")
    are_numbers = all(text.isascii() and text.isdigit() and int(text) <= _LARGEST_NUMBER for text in numbers)
    return len(numbers) == _NUMBERS_BEFORE_HOST[kind] and are_numbers and host.endswith(".")


def _is_address(parse: Callable[[str], Any], content: str) -> bool:
    try:
        parse(content)
    except ValueError:
        return False
    return "%" not in content
