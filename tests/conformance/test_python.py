"""The adapter of functions, which only reads."""

from pathlib import Path

import pytest

from tests.conformance.functions import FunctionsUnderTest
from tests.conformance.mapped import DEVICE, SITE
from tests.conformance.redis import OnRedis


class TestFunctions(OnRedis):
    samples = (SITE, DEVICE)

    @pytest.fixture
    def system(self, tmp_path: Path) -> FunctionsUnderTest:
        return FunctionsUnderTest(tmp_path)
