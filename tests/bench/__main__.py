"""Measure this library and diffsync side by side: `make bench`, or `make bench SIZES=1000000 ARGS="--stores redis"`.

Each step runs in a process of its own, on a Redis server that nobody else uses.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.table import OURS, THEIRS, Result, disagreements, table
from tests.servers import RedisServer

ROOT = Path(__file__).parents[2]
PYTHONS = {OURS: Path(sys.executable), THEIRS: ROOT / ".venv-bench/bin/python"}
FEW_CHANGES = 100


@dataclass(frozen=True)
class Step:
    """A process to start; what is only there to load a store for a later step is not reported."""

    name: str
    objects: int
    changed: int
    store_id: str
    reported: bool = True


def steps(objects: int, store: str) -> Iterator[Step]:
    percent = objects // 100
    yield Step("load", objects, 0, "source")
    if store == "redis":
        yield Step("load", objects, percent, "target", reported=False)
        yield Step("load", objects, FEW_CHANGES, "near-target", reported=False)
    yield Step("diff", objects, percent, "target")
    yield Step("sync", objects, FEW_CHANGES, "near-target")


class Run:
    """One library on one store at one size."""

    def __init__(self, library: str, store: str, timeout: float) -> None:
        self.library = library
        self.store = store
        self.timeout = timeout

    def results(self, objects: int, kind: str) -> Iterator[Result]:
        with RedisServer(kind) if self.store == "redis" else nullcontext() as server:
            for step in steps(objects, self.store):
                result = self._measure(step, server)
                if step.reported:
                    yield result

    def _measure(self, step: Step, server: RedisServer | None) -> Result:
        before = redis_counts(server)
        result = {
            "library": self.library,
            "store": self.store,
            "step": step.name,
            "changed": step.changed,
            **self._start(step, server.url if server else ""),
        }
        after = redis_counts(server)
        spent = {key: after[key] - before[key] for key in after if key != "redis_memory" or step.name == "load"}
        return {**result, "objects": step.objects, **spent}

    def _start(self, step: Step, url: str) -> dict[str, Any]:
        command: list[str | Path] = [
            *(PYTHONS[self.library], "-m", "tests.bench.driver", step.name, f"--store={self.store}", f"--url={url}"),
            *(f"--objects={step.objects}", f"--changed={step.changed}"),
            *("--source=source", f"--target={step.store_id}"),
        ]
        environment = {**os.environ, "BENCH_LIBRARY": self.library}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=self.timeout
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def redis_counts(server: RedisServer | None) -> dict[str, int]:
    if server is None:
        return {}
    with server.client() as client:
        info: dict[str, int] = client.info()
    return {
        "commands": info["total_commands_processed"],
        "network_bytes": info["total_net_input_bytes"] + info["total_net_output_bytes"],
        "redis_memory": info["used_memory"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[10_000, 100_000], help="objects on each side")
    parser.add_argument("--libraries", nargs="+", choices=tuple(PYTHONS), default=list(PYTHONS))
    parser.add_argument("--stores", nargs="+", choices=("local", "redis"), default=["local", "redis"])
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="the server to measure on")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for one step")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results", help="folder of the JSON lines")
    arguments = parser.parse_args()

    console = Console(width=None if sys.stdout.isatty() else 160)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    results = []
    for objects in arguments.sizes:
        for store in arguments.stores:
            for library in arguments.libraries:
                for result in Run(library, store, arguments.timeout).results(objects, arguments.redis):
                    results.append(result)
                    with path.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(result) + "\n")
                    console.print(f"{objects:,} {store} {library} {result['step']}: {result['seconds']} s")
    console.print(table(results))
    console.print(f"{path}")
    sys.exit("\n".join(disagreements(results)) or None)


if __name__ == "__main__":
    main()
