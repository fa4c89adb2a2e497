"""A PowerDNS is recognized by its answer."""

import pytest

from diffsync_store.adapters.discovery import discovery_of, recognize
from diffsync_store.adapters.discovery.powerdns import PowerDnsDiscovery
from tests.powerdns_server import PowerDnsServer

pytestmark = pytest.mark.server


def test_a_powerdns_by_its_address_or_that_of_its_api(powerdns: PowerDnsServer) -> None:
    for text in (powerdns.url, f"{powerdns.url}/api/v1/servers/localhost/"):
        address = recognize(text)
        assert address.type == "powerdns"
        assert address.settings == {"url": f"{powerdns.url}/"}
        assert discovery_of(address).names() == ["zones", "rrsets"]


def test_only_what_identifies_a_zone_is_required() -> None:
    zones = PowerDnsDiscovery({}).describe("zones")
    assert [field.name for field in zones.fields if field.is_required] == ["name"]
