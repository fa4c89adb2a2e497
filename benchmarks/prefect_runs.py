"""What the benchmarks of Prefect's part share: a server with its workers over a YAML file, and runs that end well."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airports.demo.prefect_stack import POOLS, PrefectStack, prefect_stack
from airports.demo.runs import SECONDS, Run, finish, start_run
from tests.servers import RedisServer


@contextmanager
def stack_over(config: str) -> Iterator[tuple[PrefectStack, Path]]:
    """Everything up over the content of a YAML file, and a folder of its own, which the file has as `${FOLDER}`."""
    with tempfile.TemporaryDirectory() as name, RedisServer("valkey") as redis:
        folder = Path(name)
        file = folder / "syncs.yaml"
        file.write_text(config, "utf-8")
        variables = {"DIFFSYNC_CONFIG": str(file), "REDIS_URL": redis.url, "FOLDER": name}
        with prefect_stack(folder / "prefect", dict.fromkeys(POOLS, variables)) as stack:
            yield stack, folder


def finished(stack: PrefectStack, deployment: str, seconds: float = SECONDS, **parameters: Any) -> Run:
    """A run that ended well."""
    run = finish(stack, start_run(stack, deployment, **parameters), seconds)
    if run.state != "Completed":
        raise RuntimeError(f"{run.name} ended {run.state}: {run.message}")
    return run
