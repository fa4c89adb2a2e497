"""The adapter of NetBox in the conformance suite, against a real one."""

from collections.abc import Iterator

import pytest

from diffsync_store.testing import HttpProxy
from tests.conformance.redis import OnRedis
from tests.targets.netbox.server import NetBoxServer
from tests.targets.netbox.under_test import DEVICE_TYPE, MANUFACTURER, NetBoxUnderTest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proxy(netbox_server: NetBoxServer) -> Iterator[HttpProxy]:
    netbox_server.reset()
    with HttpProxy(netbox_server.url) as proxy:
        yield proxy


class TestNetBox(OnRedis):
    samples = (MANUFACTURER, DEVICE_TYPE)

    @pytest.fixture
    def system(self, netbox_server: NetBoxServer, proxy: HttpProxy) -> Iterator[NetBoxUnderTest]:
        netbox_server.run_sql("DELETE FROM dcim_devicetype", "DELETE FROM dcim_manufacturer")
        with netbox_server.client() as client:
            yield NetBoxUnderTest(proxy, client)
