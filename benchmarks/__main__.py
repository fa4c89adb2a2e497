"""Compare this library with diffsync and with its goals: `make bench`.

Each step runs in its own process, on its own Redis server. `--parts` selects from these:

compare     load, diff, sync and get_all of both libraries, at each size
limit       a load, compared with a bare pipeline that writes the same data
neighbours  load and diff next to ten times as many keys of other programs
latency     load and diff over a network with higher latency
children    40,000 children of one parent
growth      an in-memory diff of one flat model, at one and four times the size
scale       workers at the largest size and at ten times that

All parts except compare use only the largest size.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import children, claims, compare, conditions, growth, limit, scale
from benchmarks.checks import find_errors
from benchmarks.process import PYTHONS, ROOT, Bench
from benchmarks.results import OURS, Result
from benchmarks.table import table

PARTS = (compare.PART, limit.PART, conditions.NEIGHBOURS, conditions.LATENCY, children.PART, growth.PART, scale.PART)
LARGER = 10
OWN_ON_REDIS = {limit.PART, conditions.NEIGHBOURS, conditions.LATENCY}


def measure(bench: Bench, arguments: argparse.Namespace) -> Iterator[Result]:
    largest = max(arguments.sizes)
    stores, libraries = arguments.stores, arguments.libraries
    parts: dict[str, Callable[[], Iterator[Result]]] = {
        compare.PART: lambda: (
            result for size in arguments.sizes for result in compare.results(bench, size, stores, libraries)
        ),
        limit.PART: lambda: limit.results(bench, largest),
        conditions.NEIGHBOURS: lambda: conditions.neighbours(bench, largest, LARGER * largest),
        conditions.LATENCY: lambda: conditions.latency(bench, largest),
        children.PART: lambda: children.results(bench, arguments.children, stores),
        growth.PART: lambda: growth.results(bench, largest),
        scale.PART: lambda: scale.results(bench, largest, LARGER * largest, stores, libraries),
    }
    for part in PARTS:
        if part in arguments.parts and _is_selected(part, stores, libraries):
            yield from parts[part]()


def _is_selected(part: str, stores: list[str], libraries: list[str]) -> bool:
    if part in {compare.PART, scale.PART}:
        return True
    if part == growth.PART:
        return OURS in libraries and "local" in stores
    return OURS in libraries and ("redis" in stores or part not in OWN_ON_REDIS)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[10_000, 100_000], help="objects on each side")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--libraries", nargs="+", choices=tuple(PYTHONS), default=list(PYTHONS))
    parser.add_argument("--stores", nargs="+", choices=("local", "redis"), default=["local", "redis"])
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="server to use")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; the best one counts")
    parser.add_argument(
        "--children", type=int, default=children.CHILDREN, help="number of children in the part `children`"
    )
    parser.add_argument("--timeout", type=float, default=3600, help="maximum seconds of one step")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "bench-results", help="folder for the results, as JSON lines"
    )
    return parser.parse_args(arguments)


def format_result(result: Result) -> str:
    """Return a result as one line."""
    names = ("part", "library", "store", "shape", "condition", "step")
    name = " ".join(str(result[key]) for key in names if result[key])
    outcome = f"skipped: {result['skipped']}" if "skipped" in result else f"{result['seconds']} s"
    return f"{result['objects']:,} {name}: {outcome}"


def main(words: list[str] | None = None) -> None:
    """Run the benchmarks; exit with an error if a result is wrong. A missed goal is not an error."""
    arguments = parse(words)
    console = Console(width=None if sys.stdout.isatty() else 190)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    results = []
    for result in measure(Bench(arguments.redis, arguments.rounds, arguments.timeout), arguments):
        results.append(result)
        with path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(result) + "\n")
        console.print(format_result(result), highlight=False)
    console.print(table(results), claims.table(claims.claims(results)), f"{path}")
    sys.exit("\n".join(find_errors(results)) or None)


if __name__ == "__main__":
    main()
