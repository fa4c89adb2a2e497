"""The adapter of PowerDNS, against a real server."""

from collections.abc import Iterator

import pytest

from diffsync_store.testing import HttpProxy
from tests.conformance.powerdns import RECORD_SET, ZONE, PowerDnsUnderTest
from tests.conformance.redis import OnRedis
from tests.powerdns_server import PowerDnsServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proxy(powerdns_server: PowerDnsServer) -> Iterator[HttpProxy]:
    with HttpProxy(f"{powerdns_server.url}/") as proxy:
        yield proxy


class TestPowerDns(OnRedis):
    samples = (ZONE, RECORD_SET)

    @pytest.fixture
    def system(self, powerdns: PowerDnsServer, proxy: HttpProxy) -> PowerDnsUnderTest:
        return PowerDnsUnderTest(proxy, powerdns)
