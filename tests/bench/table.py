"""The results as one table: this library, diffsync, and how many times less this library took."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

OURS = "diffsync_store"
THEIRS = "diffsync"
Result = dict[str, Any]


CAPTION = (
    "peak RSS is the whole process's: a local diff has loaded both sides in it. "
    "Redis commands and traffic of a sync hold those of the diff before it; its seconds do not."
)


@dataclass(frozen=True)
class Measure:
    key: str
    title: str
    show: Callable[[float], str]


def _mebibytes(value: float) -> str:
    return f"{value / 2**20:,.1f}"


MEASURES = (
    Measure("seconds", "seconds", lambda value: f"{value:,.2f}"),
    Measure("peak_rss", "peak RSS, MiB", _mebibytes),
    Measure("commands", "Redis commands", lambda value: f"{value:,.0f}"),
    Measure("network_bytes", "Redis traffic, MiB", _mebibytes),
    Measure("redis_memory", "Redis memory, MiB", _mebibytes),
)


def table(results: Iterable[Result]) -> Table:
    view = Table(title=f"{OURS} / {THEIRS} (times less)", caption=CAPTION)
    for title in ("objects", "changed", "store", "step"):
        view.add_column(title, justify="right" if title in {"objects", "changed"} else "left")
    for measure in MEASURES:
        view.add_column(measure.title, justify="right")
    for (objects, changed, store, step), pair in grouped(results).items():
        cells = [cell(measure, pair.get(OURS, {}), pair.get(THEIRS, {})) for measure in MEASURES]
        view.add_row(f"{objects:,}", f"{changed:,}", store, step, *cells)
    return view


def grouped(results: Iterable[Result]) -> dict[tuple[Any, ...], dict[str, Result]]:
    rows: dict[tuple[Any, ...], dict[str, Result]] = {}
    for result in results:
        key = tuple(result[name] for name in ("objects", "changed", "store", "step"))
        rows.setdefault(key, {})[result["library"]] = result
    return rows


def cell(measure: Measure, ours: Result, theirs: Result) -> str:
    mine, other = ours.get(measure.key), theirs.get(measure.key)
    shown = " / ".join("-" if value is None else measure.show(value) for value in (mine, other))
    if mine is None and other is None:
        return ""
    return f"{shown} ({other / mine:,.1f}x)" if mine and other is not None else shown


def disagreements(results: Iterable[Result]) -> list[str]:
    """Steps for which the two libraries found a different number of changes: then their times say nothing."""
    return [
        f"{key}: {pair[OURS]['summary']} is not {pair[THEIRS]['summary']}"
        for key, pair in grouped(results).items()
        if {OURS, THEIRS} <= set(pair) and pair[OURS].get("summary") != pair[THEIRS].get("summary")
    ]
