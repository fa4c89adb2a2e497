"""A Prefect server on 127.0.0.1, the deployments, and a process worker for each work pool."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from airports.demo.child import Child
from airports.demo.ports import free_port

ROOT = Path(__file__).parents[3]
POOLS = ("load", "diff", "sync", "reconcile")
START_SECONDS = 120.0
DEPLOY_SECONDS = 300.0
KEEP_ALIVE = httpx.Limits(keepalive_expiry=2)
"""The server closes an idle connection after five seconds. The client closes it earlier, so that no request is lost."""
IN_MEMORY = "sqlite+aiosqlite:///file::memory:?cache=shared&uri=true&check_same_thread=false"
"""Prefect opens one connection to this database. With several connections to a file the server can hang for a minute: the garbage
collector blocks the event loop on a connection that waits for a lock, and the lock's holder waits for the event loop.
"""


class PrefectStack:
    """The server's address and the processes.

    Args:
        folder: Folder for logs and Prefect's home; also the working directory of every process.
        variables: Environment variables of each pool's worker, which other workers do not have.
        database: SQLAlchemy URL of the server's database.
        python: Interpreter of the environment that has `diffsync_flows`.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, Mapping[str, str]],
        database: str = IN_MEMORY,
        python: str | Path = sys.executable,
    ) -> None:
        self.folder = folder
        self.database = database
        self.python = python
        self.port = free_port()
        self.variables = variables
        self.workers: dict[str, Child] = {}
        self.api = httpx.Client(base_url=f"{self.address}/api", timeout=60, limits=KEEP_ALIVE)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment without the user's Prefect settings, and without telemetry."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode files a run starts four seconds later
        return kept | {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database,
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": f"{self.address}/api",
            "PREFECT_UI_URL": f"{self.address}/v2",
            "PREFECT_SERVER_UI_API_URL": "/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
        }

    def start_server(self) -> Child:
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        return self._start("server", command, {})

    def start_worker(self, pool: str, name: str = "") -> Child:
        """Start a worker; it creates its pool if needed. A pool with several workers needs a name for each."""
        name = name or pool
        command = [
            "prefect",
            "worker",
            "start",
            "--pool",
            f"diffsync-{pool}",
            "--type",
            "process",
            "--name",
            f"{name}-worker",
        ]
        self.workers[name] = self._start(name, command, self.variables.get(pool, {}))
        return self.workers[name]

    def stop_workers(self) -> None:
        with ExitStack() as stopping:  # if one cannot be stopped, the others still are
            for worker in self.workers.values():
                stopping.callback(worker.stop)

    def deploy(self) -> None:
        done = subprocess.run(
            [self.python, "-m", "diffsync_flows", "deploy", "--yes"],
            cwd=self.folder,
            env=self.environment | dict(self.variables["reconcile"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEPLOY_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"deploying ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def start_resuming(self) -> Child:
        """Start the command that resumes syncs whose diffs were decided outside of Prefect."""
        return self._start("resume", ["diffsync_flows", "resume", "--every", "5"], self.variables["reconcile"])

    def answers(self, path: str) -> bool:
        try:
            return self.api.get(path, timeout=5).is_success
        except httpx.TransportError:
            return False

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def post(self, path: str, /, **content: Any) -> Any:
        return self._ask("POST", path, content)

    def _ask(self, method: str, path: str, content: dict[str, Any] | None) -> Any:
        return self.api.request(method, path, json=content).raise_for_status().json()

    def _start(self, name: str, command: list[str], variables: Mapping[str, str]) -> Child:
        log, environment = self.folder / f"{name}.log", self.environment | dict(variables)
        return Child(name, [self.python, "-m", *command], log=log, environment=environment, cwd=self.folder)


@contextmanager
def prefect_stack(
    folder: Path,
    variables: Mapping[str, Mapping[str, str]],
    database: str = IN_MEMORY,
    python: str | Path = sys.executable,
) -> Iterator[PrefectStack]:
    """Start everything and deploy; stop everything at the end, workers first. See `PrefectStack` for the arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        stack = PrefectStack(folder, variables, database, python)
        running.callback(stack.api.close)
        server = running.enter_context(stack.start_server())
        server.wait_until(lambda: stack.answers("/health"), START_SECONDS)
        running.callback(stack.stop_workers)
        for pool in POOLS:
            stack.start_worker(pool)
        for pool, worker in stack.workers.items():
            worker.wait_until(partial(stack.answers, f"/work_pools/diffsync-{pool}"), START_SECONDS)
        stack.deploy()
        running.enter_context(stack.start_resuming())
        yield stack
