"""Measurements as plain dicts, as they stand in the file of JSON lines."""

from collections.abc import Iterable
from typing import Any

OURS = "diffsync_store"
THEIRS = "diffsync"
Result = dict[str, Any]
"""What was measured (part, library, store, shape, condition, step, objects, changed), and its figures: seconds, bytes,
numbers of things."""
NAMES = ("part", "objects", "changed", "store", "shape", "condition", "step")
"""What two results have in common that may be compared."""


def best(rounds: Iterable[Result]) -> Result:
    """The round that took the least time, with the seconds of all of them."""
    results = list(rounds)
    fastest = min(results, key=lambda result: float(result["seconds"]))
    return {**fastest, "all_seconds": [result["seconds"] for result in results]}


def grouped(results: Iterable[Result]) -> dict[tuple[Any, ...], dict[str, Result]]:
    """Results of the same thing by library."""
    rows: dict[tuple[Any, ...], dict[str, Result]] = {}
    for result in results:
        rows.setdefault(tuple(result.get(name, "") for name in NAMES), {})[result["library"]] = result
    return rows
