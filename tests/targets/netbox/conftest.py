import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from diffsync_store.adapters.netbox import NetBoxAdapter
from tests.conftest import SharedServers, missing
from tests.targets.netbox.server import HOW_TO_GET, NetBoxServer

MakeNetBox = Callable[..., NetBoxAdapter]


@pytest.fixture(scope="session")
def netbox_server(shared_servers: SharedServers) -> NetBoxServer:
    """One NetBox for all tests of a session; its records are those of the test before.

    Its source cannot be installed from a package registry, so that also CI goes on without it.
    """
    if "NETBOX_SOURCE" not in os.environ:
        missing["NetBox"] = HOW_TO_GET
        pytest.skip(f"NetBox is not installed: {HOW_TO_GET}")
    return shared_servers.get("netbox", NetBoxServer)


@pytest.fixture
def netbox(netbox_server: NetBoxServer) -> NetBoxServer:
    """The NetBox without records."""
    netbox_server.reset()
    return netbox_server


@pytest.fixture
def api(netbox: NetBoxServer) -> Iterator[httpx.Client]:
    """A client of the NetBox without records, to prepare and to look."""
    with netbox.client() as client:
        yield client


@pytest.fixture
def make_adapter(netbox_server: NetBoxServer) -> Iterator[MakeNetBox]:
    """Makes adapters of the NetBox from models, records and settings; they are closed at the end."""
    made: list[NetBoxAdapter] = []

    def make(models: Mapping[str, Any], records: Mapping[str, Any], shards: Any = (), **settings: Any) -> NetBoxAdapter:
        given = {"url": netbox_server.url, "token": netbox_server.token, **settings}
        made.append(NetBoxAdapter(given, models, records, name="netbox", shards=shards))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()
