"""What a rehearsal of a real PowerDNS names is what the write refuses, and nothing is written."""

from typing import Any

import pytest

from tests.adapters.powerdns.test_powerdns import ZONE, Make, adapter_of, loaded, record_set, source_of, sync
from tests.powerdns_server import PowerDnsServer
from tests.rehearsing import reasons, rehearsed
from tests.targets.given import count_requests

__all__ = ["adapter_of"]

LONG = "x" * 64
PRESENT = [
    record_set(f"a.{ZONE}", "A", "192.0.2.1"),
    record_set(f"c.{ZONE}", "CNAME", f"a.{ZONE}"),
    record_set(f"gone.{ZONE}", "A", "192.0.2.1"),
]
POISON = {
    "a CNAME beside another type": (record_set(f"a.{ZONE}", "CNAME", f"b.{ZONE}"), "a CNAME stands alone"),
    "another type beside a CNAME": (record_set(f"c.{ZONE}", "TXT", "x"), "a CNAME stands alone"),
    "two records of a CNAME": (record_set(f"d.{ZONE}", "CNAME", f"a.{ZONE}", f"b.{ZONE}"), "may have one"),
    "a name of another zone": (record_set("d.example.net.", "A", "192.0.2.1"), f"the name is not in the zone {ZONE}"),
    "a record twice": (record_set(f"e.{ZONE}", "A", "192.0.2.1", "192.0.2.1"), "is there 2 times"),
    "no address": (record_set(f"f.{ZONE}", "A", "nope"), "'nope' is no content of this type"),
    "an address with a zero": (record_set(f"g.{ZONE}", "A", "192.0.2.01"), "is no content of this type"),
    "the other family": (record_set(f"h.{ZONE}", "AAAA", "192.0.2.1"), "is no content of this type"),
    "a host without its dot": (record_set(f"i.{ZONE}", "CNAME", "b.example.org"), "is no content of this type"),
    "no preference": (record_set(f"j.{ZONE}", "MX", f"a.{ZONE}"), "is no content of this type"),
    "a large preference": (record_set(f"k.{ZONE}", "MX", f"70000 a.{ZONE}"), "is no content of this type"),
    "a short SRV": (record_set(f"l.{ZONE}", "SRV", f"0 5 a.{ZONE}"), "is no content of this type"),
    "a long label": (record_set(f"{LONG}.{ZONE}", "A", "192.0.2.1"), "this is no name of the DNS"),
    "an empty label": (record_set(f"m..{ZONE}", "A", "192.0.2.1"), "this is no name of the DNS"),
    "a blank": (record_set(f"n n.{ZONE}", "A", "192.0.2.1"), "this is no name of the DNS"),
    "no records": (record_set(f"o.{ZONE}", "A"), "has no records"),
    "a long TTL": (record_set(f"p.{ZONE}", "A", "192.0.2.1", ttl=2**31), "Use 0 to"),
    "no zone": (record_set("a.nowhere.", "A", "192.0.2.1", zone="nowhere."), "has no zone nowhere."),
}


@pytest.fixture
def filled(powerdns: PowerDnsServer, adapter_of: Make) -> Make:
    sync(source_of(*PRESENT), loaded(adapter_of()))
    return adapter_of


def key(fields: dict[str, Any]) -> str:
    return "__".join(fields[name] for name in ("zone", "name", "type"))


def test_what_the_zones_say_is_named_and_refused_by_the_write(powerdns: PowerDnsServer, filled: Make) -> None:
    good = [
        record_set(f"q.{ZONE}", "SRV", f"0 5 5060 a.{ZONE}"),
        record_set(f"r.{ZONE}", "MX", f"10 a.{ZONE}", f"20 b.{ZONE}"),
        record_set(f"*.{ZONE}", "AAAA", "2001:DB8::1"),
        record_set(f"_s._tcp.{ZONE}", "TXT", 'with "quotes"'),
        record_set(f"a.{ZONE}", "CAA", '0 issue "ca.example.net"'),
    ]
    poison = [fields for fields, _ in POISON.values()]
    source, target = source_of(*PRESENT, *good, *poison), filled()
    loaded(target)
    before = powerdns.api("GET", f"zones/{ZONE}")
    counted = count_requests(target)
    found = rehearsed(source, target, batch_size=5)
    assert {method for method, number in counted.items() if number} == {"GET"}
    assert counted["GET"] <= 3  # the zone, and the one that is not there
    assert powerdns.api("GET", f"zones/{ZONE}") == before
    named = reasons(found)
    assert named.keys() == {key(fields) for fields, _ in POISON.values()}
    for fields, reason in POISON.values():
        assert reason in named[key(fields)]
    result = sync(source, loaded(filled()))
    assert {each.unique_id for each in result.rejects} == named.keys()


def test_a_zone_of_the_same_diff_and_a_name_that_becomes_free(filled: Make) -> None:
    new = record_set("a.new.", "A", "192.0.2.1", zone="new.")
    twice = record_set("a.new.", "CNAME", "b.new.", zone="new.")
    source, target = source_of(*PRESENT, new, twice, zones=(ZONE, "new.")), loaded(filled())
    assert list(reasons(rehearsed(source, target))) == [key(twice)]


def test_what_is_gone_since_the_load(powerdns: PowerDnsServer, filled: Make) -> None:
    target, changed = loaded(filled()), [PRESENT[0], PRESENT[1], {**PRESENT[2], "ttl": 60}]
    sync(source_of(*PRESENT[:2]), loaded(filled()))
    [reason] = reasons(rehearsed(source_of(*changed), target)).values()
    assert "is gone from the system" in reason
    assert not rehearsed(source_of(*PRESENT[:2]), target).result.rejects  # a delete of what is gone is done
