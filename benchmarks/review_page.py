"""Measure the pages of `diffsync-store serve` with a large diff: `python -m benchmarks.review_page [operations]`.

It saves a diff of this many operations, starts the server, and gets each page fifteen times over HTTP. It prints the first time,
the median and the longest of the rest, and the memory of the server.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil

from benchmarks.records import Changes, interface_records
from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.cli.conftest import CommandLine
from tests.serve.server_process import ServerProcess
from tests.servers import RedisServer

os.environ.setdefault("BENCH_LIBRARY", "diffsync_store")
from benchmarks.inventory import Interface

FILE = """
project: bench
store: {{url: "{url}"}}
adapters:
  source: {{class: "tests.flows.systems:PlainAdapter"}}
  target: {{class: "tests.flows.systems:PlainAdapter"}}
syncs:
  large: {{source: source, target: target, approval: always}}
"""
ROUNDS = 15
OF_DEVICE = 100


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ()
    _children = {"interface": "interfaces"}

    name: str
    interfaces: list[str] = []


class Interfaces(Adapter):
    device = Device
    interface = Interface
    top_level = ["device"]


def fill(adapter: Interfaces, operations: int, changes: Changes) -> None:
    with adapter.store.loading():
        for number in range(operations // OF_DEVICE):
            device = Device(name=f"device-{number:06}")
            adapter.add(device)
            indexes = range(number * OF_DEVICE, (number + 1) * OF_DEVICE)
            for record in interface_records(device.name, indexes, changes):
                interface = Interface(**record)
                adapter.add(interface)
                device.add_child(interface)


def save_diff(url: str, operations: int) -> None:
    sides = []
    for name, changed in (("source", 0), ("target", operations)):
        store = RedisStore(store_id=name, name=name, url=url, namespace="bench")
        side = Interfaces(name=name, internal_storage_engine=store)
        fill(side, operations, Changes(operations, changed))
        sides.append(side)
    began = time.monotonic()
    diffs = RedisDiffs(url=url, namespace="bench")
    diffs.compare(sides[0], sides[1], "large")
    print(f"compared and saved in {time.monotonic() - began:.1f} s: {diffs.open('large').record.summary}", flush=True)
    for side in sides:
        side.store.close()


def paths(operations: int) -> Iterator[tuple[str, str]]:
    """Yield a name and a path of each page."""
    middle = operations // 2 // 500 * 500
    number = operations // 2 // OF_DEVICE
    yield "overview", "/"
    yield "first page", "/diffs/large"
    yield "a page in the middle", f"/diffs/large?start={middle}"
    yield "deletes", "/diffs/large?action=delete"
    yield "no such model", "/diffs/large?model=none"
    yield "by attribute", "/diffs/large?attribute=mtu&action=update"
    yield "a text of one object", f"/diffs/large?text=device-{number:06}__ethernet3"
    yield "a text that nothing has", "/diffs/large?text=nothing-has-this"
    yield "a state that nothing has", "/diffs/large?state=failed"
    yield "the tree", "/diffs/large/tree"
    yield "below an object", f"/diffs/large/tree?at={middle}"
    yield "history of an object", f"/history?model=interface&unique_id=device-{number:06}__ethernet3"


def show(client: httpx2.Client, server: psutil.Process, name: str, path: str) -> None:
    taken, answer = [], client.get("/healthz")
    for _ in range(ROUNDS + 1):
        began = time.monotonic()
        answer = client.get(path)
        taken.append((time.monotonic() - began) * 1000)
    rest = f"median {statistics.median(taken[1:]):.0f} ms, longest {max(taken[1:]):.0f} ms; first {taken[0]:.0f} ms"
    memory = server.memory_info().rss / 1e6
    print(f"{name} ({answer.status_code}): {rest}; {len(answer.content):,} bytes; server {memory:.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operations", nargs="?", type=int, default=100_000)
    operations = parser.parse_args().operations
    with tempfile.TemporaryDirectory() as folder, RedisServer("valkey") as redis:
        save_diff(redis.url, operations)
        Path(folder, "syncs.yaml").write_text(FILE.format(url=redis.url), "utf-8")
        with (
            ServerProcess(CommandLine(Path(folder), {"PYTHONPATH": str(Path(__file__).parents[1])})) as server,
            httpx2.Client(base_url=server.url, timeout=120) as client,
        ):
            process = psutil.Process(server.pid)
            for name, path in paths(operations):
                show(client, process, name, path)


if __name__ == "__main__":
    main()
