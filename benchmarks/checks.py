"""Check that the measured steps did the expected work."""

from collections.abc import Iterable, Iterator

from benchmarks import records
from benchmarks.results import OURS, THEIRS, Result, grouped

COMPARED = ("summary", "found", "letters")
LOADS = ("load", "load_worker", "get_all")


def find_errors(results: Iterable[Result]) -> list[str]:
    """Return a line for each wrong result."""
    measured = [result for result in results if "skipped" not in result]
    return [*disagreements(measured), *(error for result in measured for error in wrong_results(result))]


def disagreements(results: Iterable[Result]) -> list[str]:
    """Return a line for each result that differs between the two libraries."""
    return [
        f"{key}: {name} {pair[OURS].get(name)} differs from {pair[THEIRS].get(name)}"
        for key, pair in grouped(results).items()
        if {OURS, THEIRS} <= set(pair)
        for name in COMPARED
        if pair[OURS].get(name) != pair[THEIRS].get(name)
    ]


def wrong_results(result: Result) -> Iterator[str]:
    """Yield a line for each value that differs from the known data."""
    name = f"{result['library']} {result['part']} {result['store']} {result['step']} of {result['objects']:,}"
    data = (result["shape"], result["objects"], result["changed"])
    if "summary" in result and result["summary"] != records.summary(*data):
        yield f"{name}: expected {records.summary(*data)}, got {result['summary']}"
    if result["step"] in LOADS and result["found"] != records.count(*data):
        yield f"{name}: expected {records.count(*data)} objects, got {result['found']}"
    if result["step"] == "add_child" and result["found"] != result["objects"]:
        yield f"{name}: expected {result['objects']} children, got {result['found']}"
    if result.get("left"):
        yield f"{name}: {result['left']} changes remain after the sync"
