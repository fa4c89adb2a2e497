"""Start the processes to measure."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.results import OURS, THEIRS, Result, best
from tests.servers import RedisServer

ROOT = Path(__file__).parents[1]
PYTHONS = {OURS: Path(sys.executable), THEIRS: ROOT / ".venv-bench/bin/python"}


@dataclass(frozen=True)
class Step:
    """A process to start. `name` is a method of the driver; `source` and `target` are store ids."""

    part: str
    name: str
    objects: int
    changed: int = 0
    library: str = OURS
    store: str = "redis"
    shape: str = "tree"
    source: str = "source"
    target: str = "target"
    condition: str = ""


@dataclass(frozen=True)
class Bench:
    """How to measure: the kind of server, the number of rounds, and the timeout of a step in seconds."""

    redis: str = "valkey"
    rounds: int = 3
    timeout: float = 3600

    def measure(self, step: Step, url: str = "", other_url: str = "") -> Result:
        """Run a step once.

        Raises:
            subprocess.CalledProcessError: The step failed.
            subprocess.TimeoutExpired: The step took too long.
        """
        command: list[str | Path] = [
            *(PYTHONS[step.library], "-m", "benchmarks.driver", step.name, f"--store={step.store}"),
            *(f"--shape={step.shape}", f"--objects={step.objects}", f"--changed={step.changed}"),
            *(f"--url={url}", f"--other-url={other_url}", f"--source={step.source}", f"--target={step.target}"),
        ]
        environment = {**os.environ, "BENCH_LIBRARY": step.library}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=self.timeout
        )
        names = asdict(step)
        return {"step": names.pop("name"), **names, **json.loads(done.stdout.splitlines()[-1])}

    def best(self, measure: Callable[[], Result], enough: float = float("inf")) -> Result:
        """Return the best round. After a round that takes more than `enough` seconds, there is no other."""
        results = [measure()]
        while len(results) < self.rounds and results[-1]["seconds"] <= enough:
            results.append(measure())
        return best(results)

    def best_load(self, step: Step, server: RedisServer, enough: float = float("inf")) -> Result:
        """Return the best load into an empty server, with `redis_memory` in bytes; the store of the last round stays."""

        def measure() -> Result:
            empty(server)
            before = used_memory(server)
            result = self.measure(step, server.url)
            return {**result, "redis_memory": used_memory(server) - before}

        return self.best(measure, enough)


def empty(server: RedisServer) -> None:
    """Delete all keys synchronously, so that the server does not free memory during the next step."""
    with server.client() as client:
        run: Callable[..., object] = client.execute_command
        run("FLUSHALL", "SYNC")


def used_memory(server: RedisServer) -> int:
    """Return the memory that the server uses, in bytes."""
    with server.client() as client:
        used: int = client.info("memory")["used_memory"]
        return used
