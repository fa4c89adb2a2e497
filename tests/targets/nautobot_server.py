"""A real Nautobot with an empty database, its PostgreSQL and its Valkey.

It also works outside of pytest::

    with NautobotServer() as nautobot:
        print(nautobot.url, nautobot.token)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import MissingPart
from tests.targets.web_server import WebServer

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv-nautobot"
DUMP = HERE / "nautobot-empty.pgc"
"""An empty, migrated database of the release in `nautobot.in`: user and password `admin`, and TOKEN."""
DATABASE = "nautobot"
_EMPTY = "nautobot_empty"

UWSGI = """[uwsgi]
http-socket = 127.0.0.1:{port}
module = nautobot.core.wsgi
enable-threads = true
single-interpreter = true
master = true
no-orphans = true
lazy-apps = true
processes = 1
threads = 4
listen = 128
die-on-term = true
disable-logging = true
buffer-size = 65535
add-header = Connection: close
"""
CONFIG = """from nautobot.core.settings import *
from nautobot.core.settings import DATABASES

SECRET_KEY = "only for tests " * 5
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLATION_METRICS_ENABLED = False
# A test may put a new database in the place of the one that a connection is open to.
DATABASES["default"]["CONN_MAX_AGE"] = 0
"""


class NautobotServer(WebServer):
    """Nautobot, and the servers that it needs. Tests that change its records begin with `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.program = ENVIRONMENT / "bin" / "nautobot-server"
        if not (ENVIRONMENT / ".ready").exists():
            raise MissingPart("Nautobot", "make nautobot")

    def prepare(self) -> None:
        self.postgres.restore(_EMPTY, DUMP)
        self.postgres.replace_database(DATABASE, template=_EMPTY)
        (self.directory / "nautobot_config.py").write_text(CONFIG)
        (self.directory / "uwsgi.ini").write_text(UWSGI.format(port=self.port))

    def reset(self) -> None:
        """Put an empty database in the place of the one that the tests before have changed."""
        self.postgres.replace_database(DATABASE, template=_EMPTY)
        with self.redis.client() as client:
            client.flushall()

    def run_sql(self, *statements: str) -> None:
        """Change what the API does not change."""
        self.postgres.run_sql(DATABASE, *statements)

    def command(self) -> Sequence[str | Path]:
        return [self.program, "start", "--ini", self.directory / "uwsgi.ini"]

    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "NAUTOBOT_ROOT": str(self.directory),
            "NAUTOBOT_DB_HOST": "127.0.0.1",
            "NAUTOBOT_DB_PORT": str(self.postgres.port),
            "NAUTOBOT_DB_NAME": DATABASE,
            "NAUTOBOT_DB_USER": "postgres",
            "NAUTOBOT_REDIS_HOST": "127.0.0.1",
            "NAUTOBOT_REDIS_PORT": str(self.redis.port),
        }
