"""Compare the measurements with this library's goals. A goal without results is left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table

from benchmarks import children, compare, conditions, growth, limit, scale
from benchmarks.records import SHAPES
from benchmarks.results import OURS, THEIRS, Result

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Claim:
    """A goal and what was measured, both in `unit`. The goal is a maximum, or a minimum with `at_least`."""

    text: str
    measured: float
    goal: float
    unit: str
    at_least: bool = False

    @property
    def is_reached(self) -> bool:
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal


class Results:
    """Results, to look up by their names; without a size, the largest one is returned."""

    def __init__(self, results: Iterable[Result]) -> None:
        measured = [result for result in results if "skipped" not in result]
        self._results = sorted(measured, key=lambda result: int(result["objects"]))

    def sizes(self, part: str) -> list[int]:
        return sorted({result["objects"] for result in self._results if result["part"] == part})

    def get(self, part: str, step: str, **names: str | int) -> Result | None:
        wanted = {"library": OURS, "part": part, "step": step, **names}
        found = [result for result in self._results if wanted.items() <= result.items()]
        return found[-1] if found else None


def claims(results: Iterable[Result]) -> Iterator[Claim]:
    found = Results(results)
    for of_part in (_of_compare, _of_limit, _of_scale, _of_conditions, _of_children, _of_growth):
        yield from of_part(found)


FASTER = (  # step, our store, their store, goal
    ("load", "redis", "redis", 12),
    ("diff", "redis", "redis", 100),
    ("diff", "redis", "local", 10),
    ("sync", "redis", "redis", 200),
    ("get_all", "redis", "redis", 12),
    ("load", "local", "local", 1),
    ("diff", "local", "local", 5),
    ("sync", "local", "local", 10),
)
STORES = {"redis": "RedisStore", "local": "LocalStore"}


def _of_compare(found: Results) -> Iterator[Claim]:
    if not (sizes := found.sizes(compare.PART)):
        return
    at = {"objects": sizes[-1]}
    size = f"{sizes[-1]:,} objects"
    for step, ours, theirs, goal in FASTER:
        mine = found.get(compare.PART, step, store=ours, **at)
        other = found.get(compare.PART, step, store=theirs, library=THEIRS, **at)
        if mine and other:
            of_sync = f" of {mine['changed']:,} changes without its diff" if step == "sync" else ""
            text = f"{step}{of_sync}, {size}: {STORES[ours]} compared with diffsync's {STORES[theirs]}"
            yield Claim(text, other["seconds"] / mine["seconds"], goal, "x faster", at_least=True)
    mine = found.get(compare.PART, "load", store="redis", **at)
    local = found.get(compare.PART, "load", store="local", library=THEIRS, **at)
    if mine and local:
        text = f"load, {size}: RedisStore compared with diffsync's LocalStore"
        yield Claim(text, mine["seconds"] / local["seconds"], 1.5, "x its time")
    other = found.get(compare.PART, "load", store="redis", library=THEIRS, **at)
    if mine and other:
        text = f"Redis memory, {size}: compared with diffsync's"
        yield Claim(text, mine["redis_memory"] / other["redis_memory"], 1, "x its bytes")


def _of_limit(found: Results) -> Iterator[Claim]:
    build, load, bare = (found.get(limit.PART, step) for step in limit.STEPS)
    if build and load and bare:
        text = (
            f"load, {load['objects']:,} objects: RedisStore without building the models, compared with a bare pipeline"
        )
        yield Claim(text, limit.relative_cost(build, load, bare), 2, "x its time")
        micros, times = limit.client_cost(build, load, bare)
        yield Claim(f"{text}: CPU of the process for an object", micros, 4, "µs")
        yield Claim(f"{text}: CPU of the process", times, 1.6, "x its time")


def _of_scale(found: Results) -> Iterator[Claim]:
    if not (sizes := found.sizes(scale.PART)):
        return
    small, large = sizes[0], sizes[-1]
    for shape in SHAPES:
        load = found.get(scale.PART, "load_worker", shape=shape, objects=large)
        diff = found.get(scale.PART, "diff_worker", shape=shape, objects=large)
        less = found.get(scale.PART, "diff_worker", shape=shape, objects=small)
        if load and diff and less:
            text = f"diff worker, {shape}, {large:,} objects, {diff['changed']:,} changes"
            yield Claim(f"{text}: peak memory", diff["peak_rss"] / MEGABYTE, 200, "MB")
            yield Claim(f"{text}: time", diff["seconds"], 5, "s")
            yield Claim(f"{text}: network traffic", diff["network_bytes"] / MEGABYTE, 20, "MB")
            yield Claim(f"{text}: compared with {small:,} objects", diff["seconds"] / less["seconds"], 3, "x its time")
            text = f"load worker, {shape}, {large:,} objects: peak memory"
            yield Claim(text, load["peak_rss"] / MEGABYTE, 500, "MB")


GOALS = {conditions.NEIGHBOURS: 1.1, conditions.LATENCY: 1.5}


def _of_conditions(found: Results) -> Iterator[Claim]:
    for part, goal in GOALS.items():
        for step in ("load_worker", "diff_worker"):
            without = found.get(part, step, condition=conditions.UNDISTURBED[part])
            disturbed = found.get(part, step, condition=conditions.DISTURBED[part])
            if without and disturbed:
                name = f"{step.replace('_', ' ')}, {without['objects']:,} objects"
                number = f" ({disturbed['other_keys']:,})" if part == conditions.NEIGHBOURS else ""
                text = f"{name}: {conditions.DISTURBED[part]}{number}, compared with {conditions.UNDISTURBED[part]}"
                yield Claim(text, disturbed["seconds"] / without["seconds"], goal, "x its time")


def _of_children(found: Results) -> Iterator[Claim]:
    for store, name in STORES.items():
        result = found.get(children.PART, "add_child", store=store)
        if result:
            text = f"add_child, {result['objects']:,} calls for one parent in {name}"
            yield Claim(text, result["call_seconds"], 0.3, "s")


def _of_growth(found: Results) -> Iterator[Claim]:
    if not (sizes := found.sizes(growth.PART)):
        return
    less, more = (found.get(growth.PART, "diff", objects=size) for size in (sizes[0], sizes[-1]))
    if less and more and less is not more:
        text = f"diff, flat, LocalStore, {sizes[-1]:,} objects: compared with {sizes[0]:,} objects"
        yield Claim(text, more["seconds"] / less["seconds"], 1.5 * sizes[-1] / sizes[0], "x its time")


def table(found: Iterable[Claim]) -> Table:
    view = Table(title="claims")
    for title in ("claim", "measured", "goal", "reached"):
        view.add_column(title, justify="left" if title in {"claim", "reached"} else "right")
    for claim in found:
        bound = "at least" if claim.at_least else "at most"
        measured = f"{claim.measured:,.2f} {claim.unit}"
        view.add_row(claim.text, measured, f"{bound} {claim.goal:,g}", "yes" if claim.is_reached else "no")
    return view
