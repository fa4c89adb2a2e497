"""The suite with a Redis."""

import pytest

from diffsync_store.testing import AdapterConformance
from tests.conftest import SharedServers


class OnRedis(AdapterConformance):
    """The cases of stores in Redis use the Valkey of the session."""

    @pytest.fixture
    def redis_url(self, shared_servers: SharedServers) -> str:
        return shared_servers.redis("valkey").url
