"""How the time of an in-memory diff grows with the number of objects, in one flat model with few changes."""

from collections.abc import Iterator
from functools import partial

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.results import Result

PART = "growth"
TIMES = 4
"""Ratio of the larger size to the smaller one."""


def results(bench: Bench, objects: int) -> Iterator[Result]:
    """Measure both sizes with the same number of changes: one in a hundred objects of the smaller size."""
    for size in (objects, TIMES * objects):
        step = Step(PART, "diff", size, max(1, objects // 100), store="local", shape="flat")
        yield bench.best(partial(bench.measure, step))


if __name__ == "__main__":
    run_parts(PART)
