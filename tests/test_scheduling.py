from tests.scheduling import SHARED
from tests.test_docs import ROOT


def test_the_modules_with_shared_fixtures_exist() -> None:
    assert {module for module in SHARED if not (ROOT / module).exists()} == set()
