"""What the airport registry takes in Valkey: `python -m benchmarks.memory`.

Loads two of its releases into an empty server, each into a store, compares the stores, and prints for each step the
memory that it has left, the bytes that went over the wire, and its time; beside it, the same for an object or an
operation.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from airports.demo.releases import RELEASES, install_release
from airports.registry import AirportsAdapter
from diffsync_store import StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

FOLDER = Path(__file__).parents[1] / "demo-output" / "releases"


class State(NamedTuple):
    """Of the server: bytes of memory, bytes received and sent; and the time in seconds."""

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
    """Do the work, and print what it cost in all and for each of the things that it has made."""
    before = state(server)
    made = work()
    after = state(server)
    memory, received, sent, seconds = (new - old for new, old in zip(after, before, strict=True))
    print(f"{step}: {made:,} in {seconds:.1f} s; memory {memory:,} bytes, {memory / made:.0f} each", end="; ")
    print(f"to the server {received:,}, {received / made:.0f} each; from it {sent:,}, {sent / made:.0f} each")


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
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with RedisServer("valkey") as server:
        for release in RELEASES:
            show(server, f"load of {release}, objects", partial(load, server, release))
        show(server, "diff, operations", partial(compare, server))


if __name__ == "__main__":
    main()
