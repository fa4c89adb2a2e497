import pytest

from tests.conftest import demand
from tests.hosts.network import Network


@pytest.fixture
def network() -> Network:
    """One to enter, where this machine lets us make any."""

    def try_it() -> Network:
        with Network():
            return Network()

    return demand(try_it)
