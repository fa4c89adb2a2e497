"""One measured step in a process of its own; prints one JSON object.

The same text runs in both environments: which library it measures stands in BENCH_LIBRARY.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIBRARY = os.environ["BENCH_LIBRARY"]
results: dict[str, Any] = {}


@contextmanager
def measured() -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    results["seconds"] = round(time.perf_counter() - wall, 4)
    results["cpu_seconds"] = round(time.process_time() - cpu, 4)


def peak_rss() -> int:
    """Bytes. Linux keeps the parent's peak in getrusage across exec, so the kernel's own account is read there."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def open_adapter(arguments: argparse.Namespace, store_id: str) -> Any:
    inventory = importlib.import_module("tests.bench.inventory")
    if arguments.store == "local":
        return inventory.Inventory()
    store = importlib.import_module(f"{LIBRARY}.store.redis").RedisStore(
        name=store_id, store_id=store_id, url=arguments.url
    )
    return inventory.Inventory(internal_storage_engine=store)


def close(adapter: Any) -> None:
    """diffsync's stores write at once and have nothing to close."""
    if hasattr(adapter.store, "close"):
        adapter.store.close()


def load(arguments: argparse.Namespace) -> None:
    with measured():
        adapter = open_adapter(arguments, arguments.target)
        adapter.fill(arguments.objects, arguments.changed)
        results["objects"] = adapter.count()
        close(adapter)


def both_sides(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Source and target; stores in Redis were loaded by other processes, local ones are loaded here, unmeasured."""
    source = open_adapter(arguments, arguments.source)
    target = open_adapter(arguments, arguments.target)
    if arguments.store == "local":
        source.fill(arguments.objects, 0)
        target.fill(arguments.objects, arguments.changed)
    return source, target


def diff(arguments: argparse.Namespace) -> None:
    source, target = both_sides(arguments)
    with measured():
        found = target.diff_from(source)
        results["summary"] = found.summary()


def sync(arguments: argparse.Namespace) -> None:
    source, target = both_sides(arguments)
    found = target.diff_from(source)
    with measured():
        target.sync_from(source, diff=found)
        close(target)
    results["summary"] = found.summary()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("load", "diff", "sync"))
    parser.add_argument("--store", choices=("local", "redis"), required=True)
    parser.add_argument("--objects", type=int, required=True)
    parser.add_argument("--changed", type=int, default=0)
    parser.add_argument("--url", default="")
    parser.add_argument("--source", default="source")
    parser.add_argument("--target", default="target")
    arguments = parser.parse_args()
    {"load": load, "diff": diff, "sync": sync}[arguments.step](arguments)
    results["peak_rss"] = peak_rss()
    results["python"] = platform.python_version()
    results["version"] = importlib.metadata.version(LIBRARY.replace("_", "-"))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
