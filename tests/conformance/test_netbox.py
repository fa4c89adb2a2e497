"""The adapter of NetBox in the conformance suite, against the part of NetBox's API that `tests/netbox_api.py` has.

`tests/targets/netbox/test_conformance.py` runs the same cases against a real NetBox.
"""

from collections.abc import Iterator

import pytest

from diffsync_store.testing import HttpProxy
from tests.conformance.redis import OnRedis
from tests.netbox_api import NetBoxApi
from tests.targets.netbox.under_test import DEVICE_TYPE, MANUFACTURER, NetBoxUnderTest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Iterator[NetBoxApi]:
    with NetBoxApi() as api:
        yield api


@pytest.fixture(scope="module")
def proxy(api: NetBoxApi) -> Iterator[HttpProxy]:
    with HttpProxy(api.url) as proxy:
        yield proxy


class TestNetBox(OnRedis):
    samples = (MANUFACTURER, DEVICE_TYPE)

    @pytest.fixture
    def system(self, api: NetBoxApi, proxy: HttpProxy) -> Iterator[NetBoxUnderTest]:
        api.reset()
        with api.client() as client:
            yield NetBoxUnderTest(proxy, client)
