"""Compare a load with the fastest possible writes to Redis: `python -m benchmarks.limit [objects]`.

Three steps run in turns, each in its own process; the best round of each counts:

- build: the loop of the load, with an adapter whose `add` does nothing;
- load: the load into RedisStore;
- bare: write everything that the load stored to an empty server, from memory, with redis-py alone and 1,000 pairs per
  command.

The cost of the store is load minus build: its time as a multiple of bare, and the CPU time of the process for each object.
With `--profile`, one more load is sampled: it shows the CPU time of its stages.
"""

import argparse
from collections.abc import Iterator

from benchmarks.process import Bench, Step, empty
from benchmarks.profile import microseconds
from benchmarks.results import Result, best
from tests.servers import RedisServer

PART = "limit"
STEPS = ("build", "load", "bare")
MICRO = 1_000_000


def results(bench: Bench, objects: int, shape: str = "tree") -> Iterator[Result]:
    """Yield the best result of each step."""
    steps = [Step(PART, name, objects, shape=shape) for name in STEPS]
    rounds: list[list[Result]] = []
    with RedisServer(bench.redis) as server, RedisServer(bench.redis) as other:
        for _ in range(bench.rounds):
            rounds.append([bench.measure(step, server.url, other.url) for step in steps])
            for each in (server, other):
                empty(each)
    for of_step in zip(*rounds, strict=True):
        yield {**best(of_step), "cpu_seconds": min(result["cpu_seconds"] for result in of_step)}


def profile(bench: Bench, objects: int, shape: str = "tree") -> dict[str, float]:
    """Return the CPU time of each stage of a load for each object, in microseconds."""
    with RedisServer(bench.redis) as server:
        found = bench.measure(Step(PART, "profile", objects, shape=shape), server.url)
    return microseconds(found["samples"], found["cpu_seconds"], objects)


def relative_cost(build: Result, load: Result, bare: Result) -> float:
    """Return the cost of the store as a multiple of the bare pipeline."""
    seconds: float = (load["seconds"] - build["seconds"]) / bare["seconds"]
    return seconds


def client_cost(build: Result, load: Result, bare: Result) -> tuple[float, float]:
    """Return the CPU time of the store's process for each object, in microseconds, and as a multiple of the bare pipeline."""
    seconds: float = load["cpu_seconds"] - build["cpu_seconds"]
    return seconds / load["objects"] * MICRO, seconds / bare["cpu_seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", type=int, nargs="?", default=100_000)
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="server to use")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; the best one counts")
    parser.add_argument("--shape", choices=("tree", "flat"), default="tree", help="models of the objects")
    parser.add_argument("--profile", action="store_true", help="show the CPU time of the stages of a load")
    arguments = parser.parse_args()
    bench = Bench(arguments.redis, arguments.rounds)
    found = list(results(bench, arguments.objects, arguments.shape))
    for result in found:
        print(f"{result['step']}: {result['seconds']} s, CPU of the process {result['cpu_seconds']} s")
    print(f"(load - build) / bare: {relative_cost(*found):.2f}")
    micros, times = client_cost(*found)
    print(
        f"CPU of the process: {micros:.2f} µs an object without building the models, {times:.2f} times the bare pipeline"
    )
    build = found[0]["cpu_seconds"] / found[0]["objects"] * MICRO
    print(f"building a model: {build:.2f} µs; the store: {micros / build:.2f} times as much")
    if arguments.profile:
        for stage, of_stage in profile(bench, arguments.objects, arguments.shape).items():
            print(f"{of_stage:6.2f} µs  {stage}")


if __name__ == "__main__":
    main()
