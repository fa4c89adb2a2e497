"""Plain adapters, whose models write single records or many."""

import pytest

from diffsync_store.testing import AdapterConformance
from tests.conformance.memory import SAMPLES, BulkInventory, Inventory, MemoryUnderTest
from tests.conftest import SharedServers


class OnRedis(AdapterConformance):
    """The suite with a Redis of the session."""

    @pytest.fixture
    def redis_url(self, shared_servers: SharedServers) -> str:
        return shared_servers.redis("valkey").url


class TestPlainAdapter(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self) -> MemoryUnderTest:
        return MemoryUnderTest(Inventory)


class TestBulkAdapter(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self) -> MemoryUnderTest:
        return MemoryUnderTest(BulkInventory)
