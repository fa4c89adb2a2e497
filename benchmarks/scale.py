"""Time and memory of workers at up to a million objects in Redis, for a tree and for one flat model."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.records import SHAPES
from benchmarks.results import OURS, Result
from tests.servers import RedisServer

PART = "scale"
ENOUGH = 30.0
"""Seconds after which a step is not repeated."""
LOCAL_NEEDS = 12 * 2**30
"""Bytes of free memory that a local load of a million objects requires; diffsync uses over 4 GB."""
MILLION = 1_000_000


def results(bench: Bench, small: int, large: int, stores: Sequence[str], libraries: Sequence[str]) -> Iterator[Result]:
    """Measure both sizes with the same number of changes: one in a hundred objects of the small size."""
    changed = max(1, small // 100)
    if "redis" in stores and OURS in libraries:
        for shape in SHAPES:
            for objects in (small, large):
                yield from _workers(bench, shape, objects, changed)
    if "local" in stores:
        for library in libraries:
            yield _local_load(bench, library, large)


def _workers(bench: Bench, shape: str, objects: int, changed: int) -> Iterator[Result]:
    with RedisServer(bench.redis) as server:
        yield bench.best_load(Step(PART, "load_worker", objects, shape=shape, target="source"), server, ENOUGH)
        bench.measure(Step(PART, "load_worker", objects, changed, shape=shape, target="target"), server.url)
        diff = Step(PART, "diff_worker", objects, changed, shape=shape)
        yield bench.best(partial(bench.measure, diff, server.url), ENOUGH)


def _local_load(bench: Bench, library: str, objects: int) -> Result:
    step = Step(PART, "load", objects, library=library, store="local")
    needed = LOCAL_NEEDS * objects // MILLION
    free = free_memory()
    if free >= needed:
        return bench.best(partial(bench.measure, step), ENOUGH)
    names = asdict(step)
    reason = f"{free / 2**30:.1f} GiB of memory is free, {needed / 2**30:.1f} GiB is required"
    return {"step": names.pop("name"), **names, "skipped": reason}


def free_memory() -> int:
    """Return the available memory in bytes; 0 if the system does not report it."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 0
    [line] = [line for line in meminfo.read_text("ascii").splitlines() if line.startswith("MemAvailable")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    run_parts(PART)
