"""A reconcile on a Prefect server and workers that have only the wheel, in a folder of a user."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airports.demo.prefect_stack import POOLS, PrefectStack, prefect_stack
from airports.demo.runs import finish, start_run
from tests.conftest import demand
from tests.servers import RedisServer
from tests.wheel.conftest import Environment

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(900)]

USER_FLOWS = "raise ImportError('the flows of the user are not ours')\n"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("flows") / "venv", wheel, "[flows]")


@pytest.fixture(scope="module")
def folder(installed: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project from `init`, next to flows of the user."""
    folder = tmp_path_factory.mktemp("user") / "vlans"
    done = installed.run("diffsync-flows", "init", str(folder), cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    for name in ("flows/__init__.py", "flows/load.py", "load.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(USER_FLOWS, "utf-8")
    return folder


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with demand(lambda: RedisServer("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def variables(folder: Path, redis: RedisServer) -> dict[str, str]:
    return {
        "DIFFSYNC_CONFIG": str(folder / "syncs.yaml"),
        "PYTHONPATH": str(folder),
        "REDIS_URL": redis.url,
        "VLANS": str(folder),
    }


@pytest.fixture(scope="module")
def stack(
    installed: Environment, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrefectStack]:
    """A stack that was deployed from an empty folder, in which server and workers run too."""
    empty = tmp_path_factory.mktemp("prefect")
    with prefect_stack(empty, dict.fromkeys(POOLS, variables), python=installed.python) as running:
        yield running


def test_check_accepts_the_new_project(installed: Environment, folder: Path, variables: dict[str, str]) -> None:
    done = installed.run("diffsync-flows", "check", "-f", "syncs.yaml", cwd=folder, **variables)
    assert (done.returncode, done.stdout) == (0, "syncs.yaml: OK (2 adapters, 1 sync)\n"), done.stderr
    module = installed.run("python", "-m", "diffsync_flows", "--version", cwd=folder)
    assert module.stdout.startswith("diffsync-flows "), module.stderr


def test_a_reconcile_runs_on_workers_that_have_only_the_wheel(stack: PrefectStack, folder: Path) -> None:
    run = finish(stack, start_run(stack, "reconcile/vlans"), seconds=300)
    assert run.state == "Completed", run.message
    assert json.loads((folder / "switch.json").read_text("utf-8")) == {"10": "users", "20": "voice"}


def test_the_block_type_is_registered_automatically(stack: PrefectStack) -> None:
    assert stack.get("/block_types/slug/diffsync-store")["name"] == "DiffSync store"


def test_a_relative_file_of_deploy_is_not_the_path_of_a_worker(
    stack: PrefectStack, installed: Environment, folder: Path, variables: dict[str, str]
) -> None:
    relative = variables | {"DIFFSYNC_CONFIG": "syncs.yaml", "PREFECT_API_URL": f"{stack.address}/api"}
    done = installed.run("diffsync-flows", "deploy", cwd=folder, **relative)
    assert (done.returncode, done.stdout.splitlines()[-1][:10]) == (0, "0 changed,"), done.stderr
    deployment = stack.get("/deployments/name/load/inventory")
    assert (deployment["path"], deployment["pull_steps"]) == (None, [])
    assert "syncs.yaml" not in json.dumps(deployment)


def test_a_worker_without_the_variable_says_how_to_set_it(stack: PrefectStack) -> None:
    found = stack.get("/deployments/name/load/inventory")
    run = stack.post(
        f"/deployments/{found['id']}/create_flow_run",
        parameters={"adapter": "inventory"},
        state={"type": "SCHEDULED"},
        job_variables={"env": {"DIFFSYNC_CONFIG": "syncs.yaml"}},
    )
    ended = finish(stack, run["id"], seconds=300)
    assert ended.state == "Failed"
    assert ended.message.startswith(
        "DIFFSYNC_CONFIG=syncs.yaml is not an absolute path, and there is no syncs.yaml in "
    )
