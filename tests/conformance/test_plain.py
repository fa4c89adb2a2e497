"""Plain adapters, whose models write single records or many."""

import pytest

from diffsync_store.testing import AdapterConformance
from tests.conformance.memory import SAMPLES, BulkInventory, Inventory, MemoryUnderTest


class TestPlainAdapter(AdapterConformance):
    samples = SAMPLES

    @pytest.fixture
    def system(self) -> MemoryUnderTest:
        return MemoryUnderTest(Inventory)


class TestBulkAdapter(AdapterConformance):
    samples = SAMPLES

    @pytest.fixture
    def system(self) -> MemoryUnderTest:
        return MemoryUnderTest(BulkInventory)
