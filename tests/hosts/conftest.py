import pytest

from tests.conftest import demand, missing
from tests.hosts.network import Network, NotAllowed


@pytest.fixture
def network() -> Network:
    """A network, if this machine allows network namespaces."""

    def try_it() -> Network:
        with Network():
            return Network()

    try:
        return demand(try_it)
    except NotAllowed as error:
        missing["the right to make network namespaces"] = "run the tests as root"
        pytest.skip(str(error))
