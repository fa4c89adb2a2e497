"""How near a load comes to what Redis can take: `python -m benchmarks.limit [objects]`.

Three things take turns, each in a process of its own; the best round of each counts:

- build: the load's own loop, with an adapter whose `add` does nothing. Each object lives as long as the loader holds
  it, and no longer;
- load: the load into RedisStore;
- bare: the keys, fields, members and values that the load has left, in memory already, written to an empty server by
  redis-py alone, with commands of 1,000 pairs.

What a store costs is load minus build; bare is its measure.
"""

import argparse
from collections.abc import Iterator

from benchmarks.process import Bench, Step, empty
from benchmarks.results import Result, best
from tests.servers import RedisServer

PART = "limit"
STEPS = ("build", "load", "bare")


def results(bench: Bench, objects: int) -> Iterator[Result]:
    """One result for each of `STEPS`."""
    steps = [Step(PART, name, objects) for name in STEPS]
    rounds: list[list[Result]] = []
    with RedisServer(bench.redis) as server, RedisServer(bench.redis) as other:
        for _ in range(bench.rounds):
            rounds.append([bench.measure(step, server.url, other.url) for step in steps])
            for each in (server, other):
                empty(each)
    yield from map(best, zip(*rounds, strict=True))


def beyond(build: Result, load: Result, bare: Result) -> float:
    """What the store adds to building the models, in times of the bare pipeline."""
    seconds: float = (load["seconds"] - build["seconds"]) / bare["seconds"]
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", type=int, nargs="?", default=100_000)
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="the server to measure on")
    parser.add_argument("--rounds", type=int, default=3, help="the best of how many")
    arguments = parser.parse_args()
    found = list(results(Bench(arguments.redis, arguments.rounds), arguments.objects))
    for result in found:
        print(f"{result['step']}: {result['seconds']} s")
    print(f"(load - build) / bare: {beyond(*found):.2f}")


if __name__ == "__main__":
    main()
