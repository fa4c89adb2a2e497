"""A server over a project of CSV files and a SQLite database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from diffsync_store.project import Project, ServeSettings, SyncContext
from diffsync_store.serve.app import create_app
from diffsync_store.serve.identity.tokens import add_token
from diffsync_store.serve.pages import page_routes
from tests.cli.conftest import CommandLine, make_project
from tests.redis_servers import RedisClusterServers
from tests.serve.small_app import ORIGIN
from tests.servers import RedisServer, is_gone, wait_until

PEOPLE = {"alice": "leads", "bob": "network", "carol": "others"}
IDENTITY = {
    "proxy": {"header": "X-Forwarded-User", "groups_header": "X-Forwarded-Groups", "trusted": ["127.0.0.1/32"]},
    "tokens": {"file": "tokens.toml"},
    "roles": {"read": ["others"], "start": ["network"], "approve": ["leads"]},
}


@dataclass
class Served:
    """An application, its project, and people and pipelines that use it."""

    app: Any
    client: TestClient
    context: SyncContext[Project]
    project: CommandLine
    tokens: dict[str, str]

    def api(self, method: str, path: str, role: str = "read", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    def get(self, path: str, role: str = "read", **query: Any) -> Any:
        answer = self.api("GET", path, role, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, role: str, body: Any, status: int = 200) -> Any:
        answer = self.api("POST", path, role, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def wait_for(self, run: dict[str, Any]) -> dict[str, Any]:
        def ended() -> bool:
            return self.get(f"/runs/{run['run_id']}")["state"] in {"done", "failed", "stopped"}

        wait_until(ended, 120)
        found: dict[str, Any] = self.get(f"/runs/{run['run_id']}")
        return found

    def new_diff(self) -> dict[str, Any]:
        """Load both sides and return their diff."""
        run = self.wait_for(self.post("/syncs/inventory/runs", "start", {"kind": "plan"}, 202))
        assert run["state"] == "done", run
        found: dict[str, Any] = self.get(f"/diffs/{run['diff_id']}")
        return found

    def person(self, name: str) -> dict[str, str]:
        """Return the headers of a person's browser behind the proxy."""
        headers = {"X-Forwarded-User": name, "X-Forwarded-Groups": PEOPLE[name], "Origin": ORIGIN}
        token = self.client.get("/api/v1/me", headers=headers).json().get("csrf_token", "")
        return headers | {"X-CSRF-Token": token}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CommandLine]:
    """A project without a store: an embedded server keeps it beside the file."""
    made = make_project(tmp_path)
    yield made
    wait_until(lambda: all(map(is_gone, made.servers())), 120, "no server is left behind")


@pytest.fixture
def served(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer | RedisClusterServers
) -> Iterator[Served]:
    """A server; a test may give the keys of its sync as the parameter of this fixture."""
    project, keys = make_project(tmp_path), getattr(request, "param", "approval: always")
    file = tmp_path / "syncs.yaml"
    text = file.read_text("utf-8").replace("target: database}", f"target: database, {keys}}}")
    file.write_text(f"project: p{uuid4().hex[:8]}\n{text}", "utf-8")
    roles = ("read", "start", "approve")
    tokens = {role: add_token(tmp_path / "tokens.toml", f"ci-{role}", (role,)) for role in roles}  # type: ignore[arg-type]
    with SyncContext(Project(file, {}), redis_server.url) as context:
        app = create_app(context, ServeSettings.model_validate({"identity": IDENTITY}), pages=page_routes())
        client = TestClient(
            app,
            base_url=ORIGIN,
            client=("127.0.0.1", 50000),
            raise_server_exceptions=False,
            follow_redirects=False,
        )
        with client:
            yield Served(app, client, context, project, tokens)
