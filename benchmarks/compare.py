"""Load, diff, sync and get_all of both libraries, with the same program, data and server."""

from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.results import Result
from tests.servers import RedisServer

FEW_CHANGES = 100
"""Changes of a sync to Redis. All other steps change one object in a hundred."""
PART = "compare"


def results(bench: Bench, objects: int, stores: Sequence[str], libraries: Sequence[str]) -> Iterator[Result]:
    for store in stores:
        for library in libraries:
            yield from {"local": _local, "redis": _redis}[store](bench, objects, library)


def _local(bench: Bench, objects: int, library: str) -> Iterator[Result]:
    percent = objects // 100
    for step in (
        Step(PART, "load", objects, 0, library, "local"),
        Step(PART, "diff", objects, percent, library, "local"),
        Step(PART, "sync", objects, percent, library, "local"),
    ):
        yield bench.best(partial(bench.measure, step))


def _redis(bench: Bench, objects: int, library: str) -> Iterator[Result]:
    percent = objects // 100
    with RedisServer(bench.redis) as server:
        yield bench.best_load(Step(PART, "load", objects, 0, library, target="source"), server)
        bench.measure(Step(PART, "load", objects, percent, library, target="target"), server.url)
        bench.measure(Step(PART, "load", objects, FEW_CHANGES, library, target="near-target"), server.url)
        diff = Step(PART, "diff", objects, percent, library)
        yield bench.best(partial(bench.measure, diff, server.url))
        get_all = Step(PART, "get_all", objects, 0, library, target="source")
        yield bench.best(partial(bench.measure, get_all, server.url))
        # Not repeated, because it changes its target.
        yield bench.measure(Step(PART, "sync", objects, FEW_CHANGES, library, target="near-target"), server.url)


if __name__ == "__main__":
    run_parts(PART)
