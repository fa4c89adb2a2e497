"""Show the results as a table: this library, diffsync, and the ratio of the two."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.table import Table

from benchmarks.results import OURS, THEIRS, Result, grouped

CAPTION = (
    "Peak RSS is that of the whole process: for a local diff it includes both loads, for a sync the diff. "
    "Commands are counted by Redis, including those inside scripts. Round trips are an upper bound. "
    "Each value is from the best round; a sync to Redis has only one."
)


@dataclass(frozen=True)
class Measure:
    key: str
    title: str
    show: Callable[[float], str]


def _mebibytes(value: float) -> str:
    return f"{value / 2**20:,.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}"


MEASURES = (
    Measure("seconds", "seconds", lambda value: f"{value:,.2f}"),
    Measure("peak_rss", "peak RSS, MiB", _mebibytes),
    Measure("redis_memory", "Redis memory, MiB", _mebibytes),
    Measure("commands", "Redis commands", _number),
    Measure("round_trips", "round trips", _number),
    Measure("network_bytes", "Redis traffic, MiB", _mebibytes),
)


def table(results: Iterable[Result]) -> Table:
    view = Table(title=f"{OURS} / {THEIRS} (ratio)", caption=CAPTION)
    for title in ("step", "store", "data", "objects", "changed"):
        view.add_column(title, justify="right" if title in {"objects", "changed"} else "left")
    for measure in MEASURES:
        view.add_column(measure.title, justify="right")
    part = ""
    for (of_part, objects, changed, store, shape, condition, step), pair in grouped(results).items():
        if part not in {"", of_part}:
            view.add_section()
        part = of_part
        cells = [cell(measure, pair.get(OURS, {}), pair.get(THEIRS, {})) for measure in MEASURES]
        name = ", ".join(filter(None, (step.replace("_worker", " worker"), condition)))
        view.add_row(name, store, shape, f"{objects:,}", f"{changed:,}", *cells)
    return view


def cell(measure: Measure, ours: Result, theirs: Result) -> str:
    mine, other = ours.get(measure.key), theirs.get(measure.key)
    if mine is None and other is None:
        return ""
    if not theirs:
        return measure.show(mine) if mine is not None else ""
    text = " / ".join("-" if value is None else measure.show(value) for value in (mine, other))
    return f"{text} ({other / mine:,.1f}x)" if mine and other is not None else text
