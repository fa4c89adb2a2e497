"""A real NetBox with an empty database, its PostgreSQL and its Valkey.

NetBox is in no package registry. The environment variable NETBOX_SOURCE names a folder with its source; without it, the tests are
skipped. It also works outside of pytest::

    with NetBoxServer() as netbox:
        print(netbox.url, netbox.token)
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers import MissingPart
from tests.targets.web_server import TOKEN, WebServer

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv-netbox"
RELEASE = "4.6.8"
DUMP = HERE / "netbox-empty.pgc"
"""An empty, migrated database of RELEASE: user and password `admin`, and TOKEN."""
DATABASE = "netbox"
HOW_TO_GET = (
    f"git clone --depth 1 --branch v{RELEASE} https://github.com/netbox-community/netbox; "
    "export NETBOX_SOURCE=$PWD/netbox; make netbox"
)


class NetBoxServer(WebServer):
    """NetBox, and the servers that it needs. Tests that change its records begin with `reset`."""

    stop_signal = signal.SIGINT

    def __init__(self) -> None:
        super().__init__()
        self.source = Path(os.environ.get("NETBOX_SOURCE", "/nonexistent"))
        if not (self.source / "netbox" / "manage.py").exists() or not (ENVIRONMENT / ".ready").exists():
            raise MissingPart("NetBox", HOW_TO_GET)

    @property
    def working_directory(self) -> Path:
        return self.source / "netbox"

    def prepare(self) -> None:
        self.postgres.restore(DATABASE, DUMP)
        with self._database() as connection:
            self._own = _tables_with_rows(connection)

    def reset(self) -> None:
        """Empty the tables that the tests before have filled; a copy of the whole database would take seconds."""
        with self._database() as connection:
            filled = _tables_with_rows(connection) - self._own
            if filled:
                names = sql.SQL(", ").join(map(sql.Identifier, sorted(filled)))
                connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))
            connection.execute("DELETE FROM users_token WHERE plaintext IS DISTINCT FROM %s", [TOKEN])
            connection.execute(
                "DELETE FROM users_userconfig USING users_user u WHERE u.id = user_id AND u.username <> 'admin'"
            )
            connection.execute("DELETE FROM users_user WHERE username <> 'admin'")
        with self.redis.client() as client:
            client.flushall()

    def run_sql(self, *statements: str) -> None:
        """Change what the API does not change."""
        self.postgres.run_sql(DATABASE, *statements)

    def _database(self) -> psycopg.Connection:
        return psycopg.connect(host="127.0.0.1", port=self.postgres.port, user="postgres", dbname=DATABASE)

    def command(self) -> Sequence[str | Path]:
        options = [
            "--bind",
            f"127.0.0.1:{self.port}",
            "--preload",
            "--workers",
            "2",
            "--threads",
            "4",
            "--timeout",
            "300",
        ]
        return [ENVIRONMENT / "bin" / "gunicorn", *options, "netbox.wsgi"]

    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NETBOX_CONFIGURATION": "configuration_of_tests",
            "NETBOX_TEST_POSTGRES_PORT": str(self.postgres.port),
            "NETBOX_TEST_REDIS_PORT": str(self.redis.port),
            "NETBOX_TEST_FILES": str(self.directory),
        }


def _tables_with_rows(connection: psycopg.Connection) -> set[str]:
    names = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(name), sql.Identifier(name)) for name in names
    )
    return {name for (name,) in connection.execute(query)}
