"""The work of a rehearsed edit does not grow with the zone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from diffsync_store.adapters.powerdns.record_sets import Edit, Key
from diffsync_store.adapters.powerdns.rehearsal import ZonesNow

ZONE = "example.org."


class Counted(str):
    """A text that counts how often it is compared."""

    __slots__ = ()
    compared: Counter[str] = Counter()

    def __eq__(self, other: object) -> bool:
        Counted.compared["=="] += 1
        return str(self) == other

    def __hash__(self) -> int:
        return str.__hash__(self)


class Zone:
    """Record sets of one zone, in place of a server."""

    def __init__(self, size: int) -> None:
        self.size = size

    def of_zone(self, zone: str) -> list[dict[str, Any]]:
        return [record_set(Counted(f"n{number}.{zone}"), "A", "192.0.2.1") for number in range(self.size)]


def record_set(name: str, kind: str, *contents: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "ttl": 60, "records": [{"content": each} for each in contents]}


def edit(number: int, kind: str, *contents: str) -> Edit:
    return Edit(Key(ZONE, f"n{number}.{ZONE}", kind), "create", record_set("", kind, *contents))


def comparisons(size: int) -> int:
    zones = ZonesNow(Zone(size))  # type: ignore[arg-type]
    zones.get(Key(ZONE, ZONE, "SOA"))  # reads the zone
    Counted.compared.clear()
    for number in range(10):
        zones.apply(edit(number, "TXT", '"x"'))
    with pytest.raises(ValueError, match="the name has A, TXT already"):
        zones.apply(edit(0, "CNAME", f"n1.{ZONE}"))
    return Counted.compared["=="]


def test_an_edit_looks_only_at_its_name() -> None:
    assert comparisons(2000) <= comparisons(20) + 20  # a few hashes collide


def test_many_records_of_one_set_are_compared_once() -> None:
    zones, contents = ZonesNow(Zone(1)), [Counted(f'0 issue "{number}.example"') for number in range(500)]  # type: ignore[arg-type]
    zones.get(Key(ZONE, ZONE, "SOA"))
    Counted.compared.clear()
    zones.apply(edit(0, "CAA", *contents))
    assert Counted.compared["=="] <= 5000
    with pytest.raises(ValueError, match="is there 2 times"):
        zones.apply(edit(1, "CAA", *contents, contents[0]))


def test_a_zone_is_as_the_edits_left_it() -> None:
    zones = ZonesNow(Zone(1))  # type: ignore[arg-type]
    key = Key(ZONE, f"n0.{ZONE}", "A")
    zones.apply(Edit(key, "delete", {}))
    assert zones.get(key) is None
    zones.apply(edit(0, "CNAME", f"n1.{ZONE}"))
    with pytest.raises(ValueError, match="the name has CNAME already"):
        zones.apply(edit(0, "A", "192.0.2.1"))
