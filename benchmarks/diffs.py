"""Measure diffs of large stores that differ in few objects: `python -m benchmarks.diffs [objects] [changes]`.

It loads both stores once for each shape, and compares them in a fresh process that also saves the diff: with both stores in one
server, and with the source and the diff in one and the target in another. It prints time, peak memory and traffic of this process,
the CPU time of the server, and its longest call.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.process import Bench, Step
from benchmarks.records import SHAPES, summary
from benchmarks.results import Result
from tests.servers import RedisServer

MILLION = 1_000_000
_SLOWER_THAN = 500
"""Microseconds from which a call is in the log of the server."""


@dataclass
class Server:
    """What the server has done."""

    cpu_seconds: float = 0
    longest_call: float = 0
    """In seconds."""
    network_bytes: int = 0


@contextmanager
def watched(server: RedisServer) -> Iterator[Server]:
    """Measure what the server does in the block."""
    watched_server = Server()
    with server.client() as client:
        client.config_set("slowlog-log-slower-than", _SLOWER_THAN)
        client.slowlog_reset()
        before = client.info()
        yield watched_server
        after = client.info()
        calls = client.slowlog_get(128)
    watched_server.cpu_seconds = sum(after[name] - before[name] for name in ("used_cpu_user", "used_cpu_sys"))
    watched_server.longest_call = max((call["duration"] for call in calls), default=0) / MILLION
    network = ("total_net_input_bytes", "total_net_output_bytes")
    watched_server.network_bytes = sum(after[name] - before[name] for name in network)


def load(bench: Bench, server: RedisServer, shape: str, objects: int, side: tuple[str, int]) -> None:
    """Load one side, and print what it took."""
    name, changed = side
    with watched(server) as seen:
        result = bench.measure(Step("diffs", "load_worker", objects, changed, shape=shape, target=name), server.url)
    show(f"{shape}, load of {name}", result, [seen])


def compare(bench: Bench, servers: list[RedisServer], shape: str, objects: int, changed: int) -> None:
    """Compare the stores as often as the rounds say, and print the best round."""
    step = Step("diffs", "save_diff", objects, changed, shape=shape)
    rounds: list[tuple[Result, list[Server]]] = []
    for _ in range(bench.rounds):
        with watched(servers[0]) as first, watched(servers[-1]) as last:
            result = bench.measure(step, servers[0].url, servers[-1].url)
        rounds.append((result, [first] if len(servers) == 1 else [first, last]))
    best = min(rounds, key=lambda measured: measured[0]["seconds"])
    show(f"{shape}, diff, {len(servers)} server(s)", *best)
    if best[0]["summary"] != summary(shape, objects, changed):
        raise SystemExit(f"The diff is wrong: {best[0]['summary']}, not {summary(shape, objects, changed)}.")


def show(what: str, result: Result, servers: list[Server]) -> None:
    """Print one line."""
    parts: dict[str, Any] = {
        "s": result["seconds"],
        "s of CPU": result["cpu_seconds"],
        "s of CPU of the server": round(sum(server.cpu_seconds for server in servers), 2),
        "ms longest call": round(1000 * max(server.longest_call for server in servers), 1),
        "MB sent and received": round(sum(server.network_bytes for server in servers) / MILLION, 2),
        "MB peak memory": round(result["peak_rss"] / MILLION),
    }
    print(f"{what}: {', '.join(f'{value} {unit}' for unit, value in parts.items())}", flush=True)


def measure(bench: Bench, shape: str, objects: int, changed: int, *, with_two: bool) -> None:
    """Measure one shape with both stores in one server and, if asked for, in two."""
    with RedisServer(bench.redis) as one:
        load(bench, one, shape, objects, ("source", 0))
        load(bench, one, shape, objects, ("target", changed))
        compare(bench, [one], shape, objects, changed)
        if with_two:
            with RedisServer(bench.redis) as two:
                load(bench, two, shape, objects, ("target", changed))
                compare(bench, [one, two], shape, objects, changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", type=int, nargs="?", default=MILLION)
    parser.add_argument("changes", type=int, nargs="?", default=1000)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--redis", default="valkey")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one-server", action="store_true", help="do not measure two servers")
    arguments = parser.parse_args()
    bench = Bench(arguments.redis, arguments.rounds)
    for shape in arguments.shapes:
        measure(bench, shape, arguments.objects, arguments.changes, with_two=not arguments.one_server)


if __name__ == "__main__":
    main()
