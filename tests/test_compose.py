"""The services of docker/compose.yaml as processes on this machine, with its order, commands and health checks.

The tests have no Docker engine, so they do not cover the image and the network.
"""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from airports.demo.ports import free_port
from tests.conftest import demand
from tests.servers import PostgresServer, RedisServer, Server, wait_until

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker/compose.yaml").read_text("utf-8"))["services"]
SECRETS = {
    "POSTGRES_PASSWORD": "postgres-secret",
    "MESSAGES_PASSWORD": "messages-secret",
    "STORES_PASSWORD": "stores-secret",
    "PREFECT_AUTH": "people:api-secret",
}
POOLS = ("diffsync-load", "diffsync-diff", "diffsync-sync", "diffsync-reconcile")
SECONDS = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.prefect, pytest.mark.timeout(400)]


class Addresses:
    """The addresses on this machine of the hosts and ports in the file."""

    def __init__(self, postgres: PostgresServer, messages: RedisServer, stores: RedisServer) -> None:
        self.api_port = free_port()
        self.ports: dict[str, int] = {}
        database = postgres.new_database().partition("://")[2]
        self._moved = {
            f"prefect:{SECRETS['POSTGRES_PASSWORD']}@postgres:5432/prefect": database,
            "@messages:6379": f"@127.0.0.1:{messages.port}",
            "@stores:6379": f"@127.0.0.1:{stores.port}",
            "/etc/diffsync": str(ROOT / "deployments"),
            "prefect-server:4200": f"127.0.0.1:{self.api_port}",
            "0.0.0.0": "127.0.0.1",
            "4200": str(self.api_port),
        }

    def here(self, text: str) -> str:
        text = re.sub(r"\$\{(\w+):\?\}", lambda match: SECRETS[match[1]], text).replace("$$", "$")
        for there, here in self._moved.items():
            text = text.replace(there, here)
        return text

    def get(self, path: str, data: dict[str, Any] | None = None, auth: str = SECRETS["PREFECT_AUTH"]) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.api_port}/api{path}")
        request.add_header("Authorization", f"Basic {base64.b64encode(auth.encode()).decode()}")
        if data is not None:
            request.data = json.dumps(data).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


class Service(Server):
    start_seconds = SECONDS

    def __init__(self, name: str, place: Addresses) -> None:
        super().__init__()
        self._name = name
        self._description = SERVICES[name]
        self._place = place

    @property
    def working_directory(self) -> Path:
        return ROOT

    def _here(self, text: str) -> str:
        return self._place.here(text).replace("8080", str(self.port))

    def command(self) -> Sequence[str | Path]:
        return [self._here(part) for part in self._description["command"]]

    def environment(self) -> Mapping[str, str]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return {
            **outside,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOSTNAME": f"host-{self.port}",
            "PREFECT_HOME": str(self.directory),
            "DO_NOT_TRACK": "1",
            **{name: self._here(value) for name, value in self._description["environment"].items()},
        }

    def is_ready(self) -> bool:
        if "test" not in self._description["healthcheck"]:
            return True
        check = [self._here(part) for part in self._description["healthcheck"]["test"][1:]]
        done = subprocess.run(check, env=self.environment(), capture_output=True, check=False, timeout=SECONDS)
        return done.returncode == 0

    def run_to_the_end(self) -> None:
        done = subprocess.run(
            self.command(),
            env=self.environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{self._name}: {done.stdout} {done.stderr}"


def is_one_shot(name: str) -> bool:
    return bool(SERVICES[name]["restart"] == "on-failure")


def sort_by_dependency(names: Sequence[str]) -> list[str]:
    ordered: list[str] = []

    def visit(name: str) -> None:
        for other in SERVICES[name].get("depends_on", {}):
            visit(other)
        if name in names and name not in ordered:
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


@pytest.fixture(scope="module")
def place(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with ExitStack() as stack:
        messages = stack.enter_context(demand(lambda: RedisServer("redis", password=SECRETS["MESSAGES_PASSWORD"])))
        stores = stack.enter_context(RedisServer("valkey", password=SECRETS["STORES_PASSWORD"]))
        place = Addresses(postgres_server, messages, stores)
        for name in sort_by_dependency([name for name in SERVICES if "build" in SERVICES[name]]):
            service = Service(name, place)
            if is_one_shot(name):
                service.directory = tmp_path_factory.mktemp(name)
                service.run_to_the_end()
            else:
                stack.enter_context(service)
                place.ports[name] = service.port
        yield place


@pytest.mark.parametrize("pool", POOLS)
def test_every_pool_has_a_worker(place: Addresses, pool: str) -> None:
    def states() -> list[str]:
        return [worker["status"] for worker in place.get(f"/work_pools/{pool}/workers/filter", {})]

    wait_until(lambda: states() == ["ONLINE"], SECONDS)


def test_the_deployments_exist_and_their_pools_are_ready(place: Addresses) -> None:
    def deployments() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = place.get("/deployments/filter", {})
        return found

    assert {deployment["work_pool_name"] for deployment in deployments()} <= set(POOLS)
    wait_until(lambda: {deployment["status"] for deployment in deployments()} == {"READY"}, SECONDS)


def test_a_request_without_the_password_is_refused(place: Addresses) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        place.get("/deployments/filter", {}, auth="people:guess")


def test_the_review_page_answers_and_believes_no_header_from_elsewhere(place: Addresses) -> None:
    def ask(path: str, **headers: str) -> int:
        try:
            url = f"http://127.0.0.1:{place.ports['review']}{path}"
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert ask("/healthz") == 200
    assert ask("/api/v1/me") == 401
    assert ask("/api/v1/me", **{"X-Forwarded-User": "alice"}) == 403
