"""How a diff in memory grows with its objects: one flat model, of which few change."""

from collections.abc import Iterator
from functools import partial

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.results import Result

PART = "growth"
TIMES = 4
"""The larger of the two sizes beside the smaller."""


def results(bench: Bench, objects: int) -> Iterator[Result]:
    """The same number of changes at both sizes, which is one in a hundred of the smaller one."""
    for size in (objects, TIMES * objects):
        step = Step(PART, "diff", size, max(1, objects // 100), store="local", shape="flat")
        yield bench.best(partial(bench.measure, step))


if __name__ == "__main__":
    run_parts(PART)
