"""Starting the measured processes."""

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
    """A process to start: `name` is a method of the driver, the stores are known by their ids."""

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
    """How everything is measured: on which server, the best of how many rounds, with how many seconds for a step."""

    redis: str = "valkey"
    rounds: int = 3
    timeout: float = 3600

    def measure(self, step: Step, url: str = "", other_url: str = "") -> Result:
        """Run a step once.

        Raises:
            subprocess.CalledProcessError, subprocess.TimeoutExpired: it failed, or took too long.
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
        """The best round; there is no further one after one that took more than `enough` seconds."""
        results = [measure()]
        while len(results) < self.rounds and results[-1]["seconds"] <= enough:
            results.append(measure())
        return best(results)

    def best_load(self, step: Step, server: RedisServer, enough: float = float("inf")) -> Result:
        """The best round of filling an empty server; the last one's store stays. Adds redis_memory, in bytes."""

        def measure() -> Result:
            empty(server)
            before = used_memory(server)
            result = self.measure(step, server.url)
            return {**result, "redis_memory": used_memory(server) - before}

        return self.best(measure, enough)


def empty(server: RedisServer) -> None:
    """Valkey would give the memory back later, while the next step is measured."""
    with server.client() as client:
        run: Callable[..., object] = client.execute_command
        run("FLUSHALL", "SYNC")


def used_memory(server: RedisServer) -> int:
    """Bytes."""
    with server.client() as client:
        used: int = client.info("memory")["used_memory"]
        return used
