import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis
import sqlalchemy
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import MariaDbServer, PostgresServer, RedisServer, is_gone, wait_until


def test_redis_server_answers(redis_server: RedisServer) -> None:
    assert redis_server.client().ping()


def test_each_kind_of_server_is_the_named_product(redis_kind: str, redis_server: RedisServer) -> None:
    server = redis_server.client().info("server")
    assert ("valkey_version" in server) == (redis_kind == "valkey")
    assert (server["redis_version"].startswith("6.2.")) == (redis_kind == "redis-6.2")


def test_a_killed_server_starts_again_on_its_port(own_redis: RedisServer) -> None:
    port = own_redis.port
    own_redis.kill()
    with pytest.raises(redis.ConnectionError):
        own_redis.client().ping()
    own_redis.start()
    assert own_redis.port == port
    assert own_redis.client().ping()


@pytest.mark.slow
def test_a_paused_server_times_out_and_comes_back(own_redis: RedisServer) -> None:
    client = own_redis.client(socket_timeout=2, retry=Retry(NoBackoff(), 0))
    assert client.ping()
    own_redis.pause()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    own_redis.resume()
    assert client.ping()


def test_the_end_of_the_block_stops_the_server_and_removes_its_directory() -> None:
    with RedisServer() as server:
        process = psutil.Process(server.pid)
    assert not process.is_running()
    assert not server.directory.exists()


def test_a_server_ends_with_the_process_that_started_it() -> None:
    program = "import time; from tests.servers import RedisServer; s = RedisServer().__enter__(); print(s.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        server = psutil.Process(int(child.stdout.readline()))
        child.kill()
    wait_until(lambda: is_gone(server))


SESSION = """
import os
from pathlib import Path

import pytest

from airports.demo.prefect_stack import PrefectStack
from tests.conftest import pytest_configure  # noqa: F401
from tests.servers import RedisServer, wait_until


def test_started(tmp_path):
    pytest_configure()
    stack = PrefectStack(tmp_path, {})
    with RedisServer() as redis, stack.start_server() as prefect:
        prefect.wait_until(lambda: stack.answers("/health"), 60)
        Path("pids").write_text(f"{redis.pid} {prefect.pid}")
        wait_until(lambda: False, 100)
"""


@pytest.mark.slow
@pytest.mark.prefect
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_a_terminated_test_run(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "test_session.py").write_text(SESSION, "utf-8")
    pids = tmp_path / "pids"
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:valkey", "-p", "no:cacheprovider"]
    with subprocess.Popen([*command, "test_session.py"], cwd=tmp_path, stdout=subprocess.DEVNULL) as session:
        wait_until(lambda: pids.exists() and pids.read_text(), 60)
        servers = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
        everything = [*servers, *(child for server in servers for child in server.children(recursive=True))]
        session.send_signal(number)
    wait_until(lambda: all(map(is_gone, everything)), 60)


def test_a_server_with_a_password_refuses_clients_without_it() -> None:
    with RedisServer(password="let me in") as server:
        assert server.client().ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)).ping()


def test_postgres_gives_each_test_an_empty_database(postgres_server: PostgresServer, postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    assert postgres_server.new_database() != postgres_url
    engine.dispose()


def test_mariadb_gives_each_test_an_empty_database(mariadb_server: MariaDbServer, mariadb_url: str) -> None:
    engine = sqlalchemy.create_engine(mariadb_url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    assert mariadb_server.new_database() != mariadb_url
    engine.dispose()


def test_the_error_of_wait_until_names_the_condition() -> None:
    started = time.monotonic()
    with pytest.raises(AssertionError, match="the moon is full"):
        wait_until(lambda: False, timeout=0.05, message="the moon is full")
    assert time.monotonic() - started < 5
