"""Conditions that should not slow down load and diff: other keys in the database, and higher network latency.

The steps run with and without the condition in turns, so that other load on the machine affects both alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.parts import run_parts
from benchmarks.process import Bench, Step
from benchmarks.results import Result, best
from benchmarks.slow_proxy import SlowProxy
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

NEIGHBOURS = "neighbours"
LATENCY = "latency"
DELAY = 0.001
"""Seconds by which each answer is delayed."""
UNDISTURBED = {NEIGHBOURS: "alone", LATENCY: "proxy"}
DISTURBED = {NEIGHBOURS: "among other keys", LATENCY: f"proxy, {DELAY * 1000:g} ms delay"}
KEYS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Condition:
    """Where load and diff run. The suffix keeps the stores of two conditions on one server apart."""

    name: str
    url: str
    suffix: str

    def step(self, part: str, name: str, objects: int, changed: int, target: str) -> Step:
        return Step(
            *(part, name, objects, changed),
            source=f"source-{self.suffix}",
            target=f"{target}-{self.suffix}",
            condition=self.name,
        )


def neighbours(bench: Bench, objects: int, keys: int) -> Iterator[Result]:
    """Measure in an empty database, and in one with this many other keys."""
    with RedisServer(bench.redis) as own, RedisServer(bench.redis) as shared:
        add_keys(shared, keys)
        for result in _in_turns(bench, NEIGHBOURS, objects, own.url, shared.url):
            yield {**result, "other_keys": keys}


def latency(bench: Bench, objects: int) -> Iterator[Result]:
    """Measure through a proxy without a delay, and through one that delays each answer."""
    with (
        RedisServer(bench.redis) as server,
        SlowProxy(server.port, 0) as direct,
        SlowProxy(server.port, DELAY) as slow,
    ):
        yield from _in_turns(bench, LATENCY, objects, direct.url, slow.url)


def add_keys(server: RedisServer, number: int) -> None:
    with server.client() as client:
        for start in range(0, number, KEYS_AT_ONCE):
            names = range(start, min(start + KEYS_AT_ONCE, number))
            client.mset({f"other:{name:012}": f"value {name}" for name in names})


def _in_turns(bench: Bench, part: str, objects: int, undisturbed: str, disturbed: str) -> Iterator[Result]:
    conditions = [
        Condition(UNDISTURBED[part], undisturbed, "undisturbed"),
        Condition(DISTURBED[part], disturbed, "disturbed"),
    ]
    changed = objects // 100
    for condition in conditions:
        bench.measure(condition.step(part, "load_worker", objects, 0, "source"), condition.url)
        bench.measure(condition.step(part, "load_worker", objects, changed, "target"), condition.url)
    found: dict[tuple[str, str], list[Result]] = {}
    for turn in range(bench.rounds):
        for condition in conditions[:: -1 if turn % 2 else 1]:
            for result in _load_and_diff(bench, part, objects, changed, condition):
                found.setdefault((result["step"], condition.name), []).append(result)
    yield from map(best, found.values())


def _load_and_diff(bench: Bench, part: str, objects: int, changed: int, condition: Condition) -> Sequence[Result]:
    load = condition.step(part, "load_worker", objects, 0, "fresh")
    loaded = bench.measure(load, condition.url)
    with RedisStore(store_id=load.target, url=condition.url) as store:
        store.drop()
    return loaded, bench.measure(condition.step(part, "diff_worker", objects, changed, "target"), condition.url)


if __name__ == "__main__":
    run_parts(NEIGHBOURS, LATENCY)
