"""Measure the memory and traffic of Valkey or Redis for the airport registry: `python -m benchmarks.memory`.

It loads two releases into two stores of an empty server, and compares the stores. For each step it prints the time, the
memory in use afterwards and the network traffic, in total and for each object or operation.
"""

import argparse
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from airports.demo.releases import RELEASES, install_release
from diffsync_store import StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.airports.registry import AirportsAdapter
from tests.servers import RedisServer

FOLDER = Path(__file__).parents[1] / "demo-output" / "releases"


class State(NamedTuple):
    """Counters of the server: bytes in memory, received and sent; and the time in seconds."""

    memory: int
    received: int
    sent: int
    time: float


def state(server: RedisServer) -> State:
    with server.client() as client:
        memory, traffic = client.info("memory"), client.info("stats")
    received, sent = traffic["total_net_input_bytes"], traffic["total_net_output_bytes"]
    return State(memory["used_memory"], received, sent, time.monotonic())


def show(server: RedisServer, step: str, work: Callable[[], int]) -> None:
    """Do the work, and print its cost, in total and for each item; `work` returns the number of items."""
    before = state(server)
    items = work()
    after = state(server)
    memory, received, sent, seconds = (new - old for new, old in zip(after, before, strict=True))
    print(f"{step}: {items:,} in {seconds:.1f} s; memory {memory:,} bytes, {memory / items:.0f} each", end="; ")
    print(f"sent to the server {received:,}, {received / items:.0f} each; received {sent:,}, {sent / items:.0f} each")


def load(server: RedisServer, release: str) -> int:
    folder = install_release(release, FOLDER).parent
    with RedisStore(name="registry", store_id=release, url=server.url) as store:
        registry = AirportsAdapter(name="registry", folder=folder, internal_storage_engine=store)
        with store.loading():
            registry.load()
        return store.count()


def compare(server: RedisServer) -> int:
    target, source = (RedisStore(store_id=release, url=server.url) for release in RELEASES)
    with source, target:
        diffs = RedisDiffs(url=server.url)
        diff_id = diffs.compare(StoredAdapter(source), StoredAdapter(target))
        operations = diffs.open(diff_id).record.operations
        diffs.close()
    return operations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", choices=("valkey", "redis"), default="valkey", help="server to use")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with RedisServer(arguments.redis) as server:
        for release in RELEASES:
            show(server, f"load of {release}, objects", partial(load, server, release))
        show(server, "diff, operations", partial(compare, server))


if __name__ == "__main__":
    main()
