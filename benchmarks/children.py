"""Many children under one parent."""

from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.results import Result
from tests.servers import RedisServer

PART = "children"
CHILDREN = 40_000


def results(bench: Bench, children: int, stores: Sequence[str]) -> Iterator[Result]:
    if "local" in stores:
        step = Step(PART, "add_child", children, store="local")
        yield bench.best(partial(bench.measure, step))
    if "redis" in stores:
        with RedisServer(bench.redis) as server:
            yield bench.best_load(Step(PART, "add_child", children), server)


if __name__ == "__main__":
    run_parts(PART)
