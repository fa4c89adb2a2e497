"""Load one store by several processes, each a shard of it, and seal it: `python -m benchmarks.shards [objects] [--shards 8]`.

It prints the duration, the CPU time and the peak memory of the processes, the CPU time of the server, and its longest call. With
`--compare`, one process loads the same objects into a second store, and a saved diff of the two must be empty. With `--commands`, it
prints the commands that the server has spent most time on.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import structlog

from benchmarks.diffs import MILLION, Server, watched
from benchmarks.meter import peak_rss
from benchmarks.records import INTERFACES, OBJECTS_PER_SITE, SHAPES
from diffsync_store import StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

os.environ.setdefault("BENCH_LIBRARY", "diffsync_store")
from benchmarks.inventory import INVENTORIES

SHARDED, SINGLE = "sharded", "single"
"""The ids of the two stores."""
LOAD = "load-1"
_COMMANDS = 8


@dataclass(frozen=True)
class Work:
    """The part of the objects that a process loads."""

    url: str
    shape: str
    parts: range
    shard: str = ""
    """The name of the shard; empty for a whole load."""
    shards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Used:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    peak_memory: int


def open_adapter(work: Work) -> Any:
    """Return an empty adapter over the store of the load."""
    store = RedisStore(store_id=SHARDED if work.shards else SINGLE, url=work.url)
    return INVENTORIES[work.shape](internal_storage_engine=store)


def load(work: Work, used: Any) -> None:
    """Load a part in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    adapter = open_adapter(work)
    claim = {"shard": work.shard, "of": work.shards, "load": LOAD} if work.shards else {}
    wall, cpu = time.perf_counter(), time.process_time()
    with adapter.store.loading(**claim):
        adapter.fill_parts(work.parts)
    adapter.store.close()
    used.put(Used(time.perf_counter() - wall, time.process_time() - cpu, peak_rss()))


def seal(work: Work, used: Any) -> None:
    """Seal the store in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    wall, cpu = time.perf_counter(), time.process_time()
    with closing(open_adapter(work).store) as store:
        assert store.seal().state is StoreState.COMPLETE
    used.put(Used(time.perf_counter() - wall, time.process_time() - cpu, peak_rss()))


def cut(work: Work, shards: int) -> Iterator[Work]:
    """Yield the work of each shard."""
    names = tuple(f"shard-{number}" for number in range(shards))
    size = -(-len(work.parts) // shards)
    for number, name in enumerate(names):
        yield Work(work.url, work.shape, work.parts[number * size : (number + 1) * size], name, names)


def in_processes(target: Any, works: list[Work]) -> list[Used]:
    """Run a step for all works at the same time, each in a process."""
    spawn = multiprocessing.get_context("spawn")
    used = spawn.SimpleQueue()
    processes = [spawn.Process(target=target, args=(work, used)) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("A process has failed.")
    return [used.get() for _ in works]


def show(name: str, used: list[Used], server: Server, objects: int) -> None:
    """Print one line."""
    cpu = sum(each.cpu_seconds for each in used)
    print(
        f"{name}: {max(each.seconds for each in used):.1f} s, {cpu:.1f} s of CPU of the processes "
        f"({cpu / objects * MILLION:.1f} µs an object), {server.cpu_seconds:.1f} s of CPU of the server "
        f"({server.cpu_seconds / objects * MILLION:.2f} µs an object), {1000 * server.longest_call:.1f} ms longest call, "
        f"{max(each.peak_memory for each in used) / MILLION:.0f} MB peak memory of a process",
        flush=True,
    )


def show_commands(server: RedisServer, objects: int) -> None:
    """Print the commands with the longest time since the last reset; that of a script includes the commands inside, and EXEC both."""
    with server.client() as client:
        stats = client.info("commandstats")
        client.config_resetstat()
    most = sorted(stats.items(), key=lambda item: -item[1]["usec"])[:_COMMANDS]
    for name, stat in most:
        per_object = f"{stat['usec'] / objects:.3f} µs an object"
        print(
            f"  {name.removeprefix('cmdstat_')}: {stat['calls']:,} calls, {per_object}, {stat['usec_per_call']:.1f} µs a call"
        )


def require_equal(url: str, shape: str) -> None:
    """Compare the two stores.

    Raises:
        SystemExit: They differ.
    """
    sharded, single = (
        INVENTORIES[shape](internal_storage_engine=RedisStore(store_id=each, url=url)) for each in (SHARDED, SINGLE)
    )
    with closing(RedisDiffs(url=url)) as diffs, closing(sharded.store), closing(single.store):
        summary = diffs.open(diffs.compare(sharded, single, "equal")).record.summary
    changes = {action: number for action, number in summary.items() if action != "no-change" and number}
    if changes:
        raise SystemExit(f"The sharded store differs from the single load: {changes}.")
    print(f"The sharded store equals the single load: {summary['no-change']:,} objects.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", type=int, nargs="?", default=MILLION)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--shape", choices=SHAPES, default="flat")
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="server to use")
    parser.add_argument("--compare", action="store_true", help="compare with a load by one process")
    parser.add_argument("--commands", action="store_true", help="print the commands that took most time")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with RedisServer(arguments.redis) as server:
        of_part = OBJECTS_PER_SITE if arguments.shape == "tree" else INTERFACES
        whole = Work(server.url, arguments.shape, range(arguments.objects // of_part))
        objects = len(whole.parts) * of_part
        works = list(cut(whole, arguments.shards))
        with watched(server) as seen:
            used = in_processes(load, works)
        show(f"{arguments.shape}, {arguments.shards} shards", used, seen, objects)
        if arguments.commands:
            show_commands(server, objects)
        with watched(server) as seen:
            used = in_processes(seal, works[:1])
        show("seal", used, seen, objects)
        if arguments.commands:
            show_commands(server, objects)
        if arguments.compare:
            with watched(server) as seen:
                used = in_processes(load, [whole])
            show("one process", used, seen, objects)
            require_equal(server.url, arguments.shape)


if __name__ == "__main__":
    main()
