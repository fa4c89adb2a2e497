"""Whether what was measured was the work: figures of anything else say nothing."""

from collections.abc import Iterable, Iterator

from benchmarks import records
from benchmarks.results import OURS, THEIRS, Result, grouped

COMPARED = ("summary", "found", "letters")
LOADS = ("load", "load_worker", "get_all")


def faults(results: Iterable[Result]) -> list[str]:
    measured = [result for result in results if "skipped" not in result]
    return [*disagreements(measured), *(fault for result in measured for fault in untruths(result))]


def disagreements(results: Iterable[Result]) -> list[str]:
    """Where the two libraries have found different things."""
    return [
        f"{key}: {name} {pair[OURS].get(name)} is not {pair[THEIRS].get(name)}"
        for key, pair in grouped(results).items()
        if {OURS, THEIRS} <= set(pair)
        for name in COMPARED
        if pair[OURS].get(name) != pair[THEIRS].get(name)
    ]


def untruths(result: Result) -> Iterator[str]:
    """Where a result is not what is known of the data."""
    what = f"{result['library']} {result['part']} {result['store']} {result['step']} of {result['objects']:,}"
    data = (result["shape"], result["objects"], result["changed"])
    if "summary" in result and result["summary"] != records.summary(*data):
        yield f"{what}: {result['summary']} is not {records.summary(*data)}"
    if result["step"] in LOADS and result["found"] != records.count(*data):
        yield f"{what}: {result['found']} objects are not {records.count(*data)}"
    if result["step"] == "add_child" and result["found"] != result["objects"]:
        yield f"{what}: {result['found']} children are not {result['objects']}"
    if result.get("left"):
        yield f"{what}: {result['left']} changes are left after the sync"
