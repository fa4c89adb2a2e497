"""A Prefect server, the deployments, and a process worker for each work pool; all on 127.0.0.1."""

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
from diffsync_flows.config.config import environment

ROOT = Path(__file__).parents[3]
POOLS = ("load", "diff", "sync", "reconcile")
START_SECONDS = 120.0
DEPLOY_SECONDS = 300.0
PREFECT = (sys.executable, "-m", "prefect")
KEEP_ALIVE = httpx.Limits(keepalive_expiry=2)
"""Seconds; the server closes a connection after five, and would do so while something is on its way."""
IN_MEMORY = "sqlite+aiosqlite:///file::memory:?cache=shared&uri=true&check_same_thread=false"
"""Prefect opens one connection to such a database. With several to a file the server can stand still for a minute: the garbage
collector, in the event loop, waits for a connection that waits for a lock, whose holder waits for the event loop.
"""


class PrefectStack:
    """Where the server listens, and its processes."""

    def __init__(self, folder: Path, variables: Mapping[str, Mapping[str, str]], database: str = IN_MEMORY) -> None:
        self.folder = folder
        self.database = database
        self.port = free_port()
        self.variables = variables
        self.workers: dict[str, Child] = {}
        self.api = httpx.Client(base_url=f"{self.address}/api", timeout=60, limits=KEEP_ALIVE)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the user's own Prefect profile, and no call to anybody outside."""
        kept = {name: value for name, value in environment().items() if not name.startswith("PREFECT_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a run starts four seconds later without bytecode files
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
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        return self._start("server", command, {})

    def start_worker(self, pool: str) -> Child:
        """Start the pool's worker; it makes the pool where there is none."""
        command = ["worker", "start", "--pool", f"diffsync-{pool}", "--type", "process", "--name", f"{pool}-worker"]
        self.workers[pool] = self._start(pool, command, self.variables.get(pool, {}))
        return self.workers[pool]

    def stop_workers(self) -> None:
        with ExitStack() as stopped:  # also the others when one of them makes trouble
            for worker in self.workers.values():
                stopped.callback(worker.stop)

    def deploy(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "diffsync_flows", "deploy", "--yes"],
            cwd=ROOT,
            env=self.environment | dict(self.variables["reconcile"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=DEPLOY_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"deploying ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def start_resuming(self) -> Child:
        """Have runs go on of which somebody has decided outside of Prefect."""
        command = [sys.executable, "-m", "diffsync_flows", "resume", "--every", "5"]
        variables = self.environment | dict(self.variables["reconcile"])
        return Child("resume", command, log=self.folder / "resume.log", environment=variables, cwd=ROOT)

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
        log = self.folder / f"{name}.log"
        return Child(name, [*PREFECT, *command], log=log, environment=self.environment | dict(variables), cwd=ROOT)


@contextmanager
def prefect_stack(
    folder: Path, variables: Mapping[str, Mapping[str, str]], database: str = IN_MEMORY
) -> Iterator[PrefectStack]:
    """Everything up and deployed; all of it is stopped at the end, workers first.

    Args:
        folder: for logs.
        variables: the environment of each pool's worker, and of nobody else.
        database: SQLAlchemy URL of a database for the server; without one it has what it is told until it is stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        stack = PrefectStack(folder, variables, database)
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
