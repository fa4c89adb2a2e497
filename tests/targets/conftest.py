from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from diffsync_store.adapters.nautobot import NautobotAdapter
from tests.conftest import SharedServers
from tests.targets.nautobot_server import NautobotServer

MakeNautobot = Callable[..., NautobotAdapter]


@pytest.fixture(scope="session")
def nautobot_server(shared_servers: SharedServers) -> NautobotServer:
    """One Nautobot for all tests of a session; its records are those of the test before."""
    return shared_servers.get("nautobot", NautobotServer)


@pytest.fixture
def nautobot(nautobot_server: NautobotServer) -> NautobotServer:
    """The Nautobot without records."""
    nautobot_server.reset()
    return nautobot_server


@pytest.fixture
def make_adapter(nautobot_server: NautobotServer) -> Iterator[MakeNautobot]:
    """Makes adapters of the Nautobot from models, records and settings; they are closed at the end."""
    made: list[NautobotAdapter] = []

    def make(
        models: Mapping[str, Any], records: Mapping[str, Any], shards: Any = (), **settings: Any
    ) -> NautobotAdapter:
        given = {"url": nautobot_server.url, "token": nautobot_server.token, **settings}
        made.append(NautobotAdapter(given, models, records, name="nautobot", shards=shards))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


@pytest.fixture
def reader_token(nautobot: NautobotServer) -> str:
    """The token of a user who may only view, and change manufacturers but not add any."""
    token = "a" * 40
    with nautobot.client() as client:
        user = client.post(
            "users/users/", json={"username": "reader", "password": "reader-Passw0rd!", "is_active": True}
        )
        assert user.is_success, user.text
        for name, actions, types in (
            ("view", ["view"], ["dcim.manufacturer", "dcim.devicetype", "dcim.interfacetemplate"]),
            ("change", ["change"], ["dcim.manufacturer"]),
        ):
            right = {"name": name, "actions": actions, "object_types": types, "users": [user.json()["id"]]}
            answer = client.post("users/permissions/", json=right)
            assert answer.is_success, answer.text
        assert client.post("users/tokens/", json={"key": token}).is_success
    nautobot.run_sql(f"UPDATE users_token SET user_id = '{user.json()['id']}' WHERE key = '{token}'")
    return token
