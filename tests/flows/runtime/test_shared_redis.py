"""Two Prefect servers with one project in one Redis: each warns of the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from diffsync_flows.cli import app
from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.shared_redis import other_servers, server_id
from diffsync_store.store.redis.keys import users_of
from tests.flows.conftest import Project
from tests.servers import RedisServer


def config(redis: RedisServer, folder: Path, project: str) -> Config:
    file = folder / f"{project}.yaml"
    file.write_text(f"project: {project}\nstore: {{url: '{redis.url}'}}\n")
    return Config(file)


def warnings(config: Config, server: str) -> list[str]:
    with SyncContext(config) as context:
        return list(other_servers(context, server))


def test_each_of_two_servers_with_one_project_gets_a_warning(own_redis: RedisServer, tmp_path: Path) -> None:
    ours, theirs = (config(own_redis, tmp_path, project) for project in ("diffsync", "branches"))
    assert [warnings(each, "a") for each in (ours, ours, theirs)] == [[], [], []]
    with temporary_settings({PREFECT_API_URL: "http://ann:s3cret@prefect-b/api"}):
        assert warnings(theirs, "a") == []
        [warning] = warnings(ours, "b")
    assert "with the same project 'diffsync'. Each server takes the other's newest stores and leases" in warning
    [warning] = warnings(ours, "a")
    assert "http://ann:***@prefect-b/api" in warning
    assert "Give each file its own `project`" in warning
    with own_redis.client() as client:
        client.hset(users_of(""), "b", "1000.000 long ago")
    assert warnings(ours, "a") == []


@pytest.fixture
def other_server(project: Project) -> Iterator[None]:
    """Register another server in the project's Redis."""
    with project.redis.client() as client:
        client.hset(users_of(""), "other", "99999999999999.000 http://other/api")
        yield
        client.hdel(users_of(""), "other")


@pytest.mark.prefect
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("other_server")
def test_the_check_command_and_each_run_warn_of_another_server(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = project.run("load/five")
    assert run.state == "Completed"
    warning = "Another Prefect server (http://other/api) used redis://"
    project.expect_log(run, warning)
    file = config(project.redis, tmp_path, "diffsync").path
    monkeypatch.setenv("DIFFSYNC_CONFIG", str(file))
    with temporary_settings({PREFECT_API_URL: f"{project.stack.address}/api"}):
        assert len({server_id(), server_id()}) == 1
        checked = CliRunner().invoke(app, ["check"])
    assert warning in checked.stderr
    assert checked.exit_code == 1
