"""Measurements as plain dicts, which are also the lines of the JSON file."""

from collections.abc import Iterable
from typing import Any

OURS = "diffsync_store"
THEIRS = "diffsync"
Result = dict[str, Any]
"""What was measured (part, library, store, shape, condition, step, objects, changed), and the measurements: seconds, bytes,
counts."""
NAMES = ("part", "objects", "changed", "store", "shape", "condition", "step")
"""Fields that are equal in results that can be compared."""


def best(rounds: Iterable[Result]) -> Result:
    """Return the fastest round, with the seconds of all rounds."""
    results = list(rounds)
    fastest = min(results, key=lambda result: float(result["seconds"]))
    return {**fastest, "all_seconds": [result["seconds"] for result in results]}


def grouped(results: Iterable[Result]) -> dict[tuple[Any, ...], dict[str, Result]]:
    """Group comparable results, and map each group by library."""
    rows: dict[tuple[Any, ...], dict[str, Result]] = {}
    for result in results:
        rows.setdefault(tuple(result.get(name, "") for name in NAMES), {})[result["library"]] = result
    return rows
