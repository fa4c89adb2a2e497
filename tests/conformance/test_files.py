"""The adapter of files."""

from pathlib import Path

import pytest

from tests.conformance.files import CsvUnderTest, JsonUnderTest, YamlUnderTest
from tests.conformance.mapped import DEVICE, SITE
from tests.conformance.redis import OnRedis


class TestCsv(OnRedis):
    samples = (SITE, DEVICE)

    @pytest.fixture
    def system(self, tmp_path: Path) -> CsvUnderTest:
        return CsvUnderTest(tmp_path)


@pytest.mark.slow
class TestJson(OnRedis):
    samples = (SITE, DEVICE)

    @pytest.fixture
    def system(self, tmp_path: Path) -> JsonUnderTest:
        return JsonUnderTest(tmp_path)


class TestYaml(OnRedis):
    samples = (SITE, DEVICE)

    @pytest.fixture
    def system(self, tmp_path: Path) -> YamlUnderTest:
        return YamlUnderTest(tmp_path)
