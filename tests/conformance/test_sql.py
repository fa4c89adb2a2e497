"""The adapter of databases: SQLite, and PostgreSQL and MariaDB behind a proxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diffsync_store.testing import TcpProxy
from tests.conformance.redis import OnRedis
from tests.conformance.sql import SAMPLES, MariaDbUnderTest, PostgresUnderTest, SqliteUnderTest
from tests.servers import MariaDbServer, PostgresServer

pytestmark = pytest.mark.slow


class TestSqlite(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, tmp_path: Path) -> SqliteUnderTest:
        return SqliteUnderTest(f"sqlite:///{tmp_path / 'inventory.db'}")


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Iterator[tuple[TcpProxy, str]]:
    with TcpProxy(postgres_server.port) as proxy:
        yield proxy, postgres_server.new_database()


class TestPostgres(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, postgres: tuple[TcpProxy, str]) -> PostgresUnderTest:
        return PostgresUnderTest(*postgres)


@pytest.fixture(scope="module")
def mariadb(mariadb_server: MariaDbServer) -> Iterator[tuple[TcpProxy, str]]:
    with TcpProxy(mariadb_server.port) as proxy:
        yield proxy, mariadb_server.new_database()


class TestMariaDb(OnRedis):
    samples = SAMPLES

    @pytest.fixture
    def system(self, mariadb: tuple[TcpProxy, str]) -> MariaDbUnderTest:
        return MariaDbUnderTest(*mariadb)
