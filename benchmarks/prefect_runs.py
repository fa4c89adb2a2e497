"""Start a Prefect server with workers for a YAML file, and run deployments to their end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airports.demo.prefect_stack import POOLS, PrefectStack, prefect_stack
from airports.demo.runs import SECONDS, Run, finish, start_run
from tests.servers import RedisServer


@contextmanager
def running_stack(config: str) -> Iterator[tuple[PrefectStack, Path]]:
    """Start the stack for the text of a YAML file; yield it and its folder, which the file can use as `${FOLDER}`."""
    with tempfile.TemporaryDirectory() as name, RedisServer("valkey") as redis:
        folder = Path(name)
        file = folder / "syncs.yaml"
        file.write_text(config, "utf-8")
        variables = {"DIFFSYNC_CONFIG": str(file), "REDIS_URL": redis.url, "FOLDER": name}
        with prefect_stack(folder / "prefect", dict.fromkeys(POOLS, variables)) as stack:
            yield stack, folder


def run_to_completion(stack: PrefectStack, deployment: str, seconds: float = SECONDS, **parameters: Any) -> Run:
    """Run a deployment to its end.

    Raises:
        RuntimeError: The run did not end as Completed.
    """
    run = finish(stack, start_run(stack, deployment, **parameters), seconds)
    if run.state != "Completed":
        raise RuntimeError(f"{run.name} ended {run.state}: {run.message}")
    return run
