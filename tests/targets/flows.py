"""Flows that bring a library of device types into a system, in processes of their own workers."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airports.demo.prefect_stack import PrefectStack, prefect_stack
from airports.demo.runs import Run, finish, start_run
from tests.device_types import EXAMPLE, unpack
from tests.servers import wait_until

VENDORS = ("A10", "Testing")
SECONDS = 400.0
NOWHERE = "http://127.0.0.1:9/"
"""The address of the system that a test does not use."""


def small_library(folder: Path) -> Path:
    """Unpack the library of 2024 with few vendors."""
    library = unpack(folder) / "2024"
    for vendor in (library / "device-types").iterdir():
        if vendor.name not in VENDORS:
            shutil.rmtree(vendor)
    return library


@contextmanager
def flows_of_the_example(folder: Path, redis_url: str, **systems: str) -> Iterator[PrefectStack]:
    """Start Prefect with the flows of the example. Its syncs write few records in one call, so that a test may come between.

    Args:
        folder: a folder for the files.
        redis_url: the Redis of the stores.
        systems: the variables of the example's file.
    """
    config = folder / "syncs.yaml"
    text = EXAMPLE.read_text("utf-8").replace("source: library,", "apply: {batch_size: 3}, source: library,")
    config.write_text(f"store: {{url: '${{REDIS_URL}}'}}\n{text}", "utf-8")
    common = {"DIFFSYNC_CONFIG": str(config), "REDIS_URL": redis_url}
    others = {f"{name}_{kind}": NOWHERE for name in ("NETBOX", "NAUTOBOT") for kind in ("URL", "TOKEN")}
    everything = common | others | systems
    variables = {"load": everything, "diff": common, "sync": everything, "reconcile": common}
    with prefect_stack(folder / "prefect", variables) as stack:
        yield stack


def reconcile(stack: PrefectStack, sync: str) -> Run:
    return finish(stack, start_run(stack, f"reconcile/{sync}"), seconds=SECONDS)


def reconcile_with_a_killed_worker(stack: PrefectStack, sync: str, is_in_the_middle: Callable[[], bool]) -> Run:
    """Kill the worker of the sync, and with it the process of the sync, in the middle of a reconcile; start it again."""
    run_id = start_run(stack, f"reconcile/{sync}")
    wait_until(is_in_the_middle, SECONDS, "the sync has written some records")
    stack.workers["sync"].kill()
    stack.start_worker("sync")
    return finish(stack, run_id, seconds=SECONDS)
