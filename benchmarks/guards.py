"""Measure the cost of a guarded sync, and the speed of workers and batches: `python -m benchmarks.guards [creates] [operations]`.

- calls: the number of calls of a sync with batch hooks, compared with the minimum (`benchmarks.calls`);
- overhead: apply a saved diff of empty operations over stores in Redis, with `sync_from` and with a guarded sync. The log is off;
- speed: creates in a system that takes 20 ms per call: one by one, with 8 workers, in batches, and with both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

from benchmarks import calls
from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.diffs import RedisDiffs
from diffsync_store.exceptions import DiffNotFound
from diffsync_store.store.redis import RedisStore
from diffsync_store.sync.options import SyncOptions
from tests.servers import RedisServer

CALL_SECONDS = 0.02
DEVICES = 20


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    _children = {"device": "devices"}

    name: str
    region: str = ""
    devices: list[str] = []


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("site", "name")
    _attributes = ("role", "serial", "description")

    site: str
    name: str
    role: str = ""
    serial: str = ""
    description: str = ""


class Inventory(Adapter):
    site = Site
    device = Device
    top_level = ["site"]

    def fill(self, objects: int, role: str) -> None:
        with self.store.loading():
            for number in range(max(1, objects // (DEVICES + 1))):
                site = self.site(name=f"s{number}", region=role)
                self.add(site)
                for each in range(DEVICES):
                    device = self.device(site=site.name, name=f"d{each}", role=role, serial=f"{number}-{each}")
                    self.add(device)
                    site.add_child(device)


class SlowSite(Site):
    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        time.sleep(CALL_SECONDS)
        return super().create(adapter, ids, attrs)

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[Any]:
        time.sleep(CALL_SECONDS)
        return [cls.create_base(adapter, ids, attrs) for ids, attrs in records]


class Slow(Inventory):
    site = SlowSite

    def fill(self, objects: int, role: str) -> None:
        with self.store.loading():
            for number in range(objects):
                self.add(SlowSite(name=f"s{number}", region=role))


def preparation(
    url: str, adapter: type[Inventory], objects: int, existing: int
) -> Callable[[], tuple[Any, Inventory, Inventory]]:
    """Return a function that loads both stores and saves their diff."""

    def prepare() -> tuple[Any, Inventory, Inventory]:
        source = adapter("source", RedisStore(store_id="source", url=url))
        target = adapter("target", RedisStore(store_id="target", url=url))
        source.fill(objects, "new")
        target.fill(existing, "old")
        diffs = RedisDiffs(url=url)
        with suppress(DiffNotFound):  # of the previous round
            diffs.open("diff").drop()
        return diffs.open(diffs.compare(source, target, "diff")), source, target

    return prepare


def speed(url: str, creates: int) -> None:
    """Print the time of creates: one by one, with workers, in batches, and with both."""
    prepare = preparation(url, Slow, creates, 0)
    ways = {
        "one by one": SyncOptions(batch_size=1),
        "8 workers": SyncOptions(batch_size=1, workers=8),
        "batches": SyncOptions(),
        "batches and 8 workers": SyncOptions(workers=8),
    }
    first = 0.0
    for name, options in ways.items():
        saved, source, target = prepare()
        begin = time.perf_counter()
        result = saved.apply(source, target, options=options)
        seconds = time.perf_counter() - begin
        assert (result.created, result.is_complete) == (creates, True)
        assert target.store.count(model="site") == creates
        first = first or seconds
        print(f"{creates:,} creates, {name}: {seconds:.2f} s, {first / seconds:.1f} times as fast")


class LookupSite(Site):
    @classmethod
    def lookup(cls, adapter: Any, ids: dict[str, Any]) -> Any:  # noqa: ARG003  # never called
        return NotImplemented


class LookupDevice(Device):
    @classmethod
    def lookup(cls, adapter: Any, ids: dict[str, Any]) -> Any:  # noqa: ARG003  # never called
        return NotImplemented


class LookupInventory(Inventory):
    """An adapter whose records can be looked up, so the journal writes many entries together."""

    site = LookupSite
    device = LookupDevice


def overhead(url: str, adapter: type[Inventory], operations: int, rounds: int) -> None:
    """Print the best time of empty updates, with a plain and with a guarded sync."""
    prepare = preparation(url, adapter, operations, operations)
    number = 0
    best: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for _ in range(rounds):
        for name in ("plain", "guarded"):
            saved, source, target = prepare()
            begin, begin_of_cpu = time.perf_counter(), time.process_time()
            if name == "plain":
                target.sync_from(source, diff=saved.streamed())
            else:
                assert saved.apply(source, target).is_complete
            number = saved.record.operations
            best[name] = min(best.get(name, 1e9), time.perf_counter() - begin)
            cpu[name] = min(cpu.get(name, 1e9), time.process_time() - begin_of_cpu)
    each, of_cpu = ({name: seconds / number * 1e6 for name, seconds in found.items()} for found in (best, cpu))
    print(
        f"{number:,} empty operations, {adapter.__name__}: {each['plain']:.0f} us each plain, "
        f"{each['guarded']:.0f} us guarded: {best['guarded'] / best['plain'] - 1:+.0%}; "
        f"CPU {of_cpu['plain']:.0f} us and {of_cpu['guarded']:.0f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("creates", type=int, nargs="?", default=10_000)
    parser.add_argument("operations", type=int, nargs="?", default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds of the overhead; the best one counts")
    parser.add_argument("--no-calls", action="store_true", help="skip the number of calls")
    parser.add_argument("--log", action="store_true", help="show the log, as a program without log configuration does")
    arguments = parser.parse_args()
    if not arguments.log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if not arguments.no_calls:
        calls.main([])
    with RedisServer("valkey") as server:
        if arguments.operations:
            for adapter in (Inventory, LookupInventory):
                overhead(server.url, adapter, arguments.operations, arguments.rounds)
        if arguments.creates:
            speed(server.url, arguments.creates)


if __name__ == "__main__":
    main()
