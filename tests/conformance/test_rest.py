"""The adapter of JSON APIs: an API that takes single records, and one that takes lists."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from diffsync_store.testing import HttpProxy
from tests.conformance.api import ApiUnderTest, InventoryApi
from tests.conformance.mapped import DEVICE, FULL, SITE
from tests.conformance.redis import OnRedis

pytestmark = pytest.mark.slow
SAMPLES = (replace(SITE, refused={"region": FULL}), replace(DEVICE, refused={"role": FULL}))


@pytest.fixture(scope="module")
def single() -> Iterator[tuple[InventoryApi, HttpProxy]]:
    with InventoryApi(bulk=False, paging="link") as api, HttpProxy(f"{api.url}/") as proxy:
        yield api, proxy


@pytest.fixture(scope="module")
def bulk() -> Iterator[tuple[InventoryApi, HttpProxy]]:
    with InventoryApi(bulk=True, paging="offset") as api, HttpProxy(f"{api.url}/") as proxy:
        yield api, proxy


class TestRestWithSingleRecords(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, single: tuple[InventoryApi, HttpProxy]) -> ApiUnderTest:
        api, proxy = single
        return ApiUnderTest(proxy, api)


class TestRestWithLists(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, bulk: tuple[InventoryApi, HttpProxy]) -> ApiUnderTest:
        api, proxy = bulk
        return ApiUnderTest(proxy, api)
