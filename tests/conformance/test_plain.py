"""Plain adapters, whose models write single records or many."""

import pytest

from tests.conformance.memory import SAMPLES, BulkInventory, Inventory, MemoryUnderTest
from tests.conformance.redis import OnRedis


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
