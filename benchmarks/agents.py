"""One diff, applied by one process alone, by one agent and by several agents, against a target that takes 20 ms for each call.

Run it with `python -m benchmarks.agents [--operations 2000] [--agents 4] [--batch 1]`. The time begins when all processes have
started, and ends when the last one has ended. CPU of the processes comes from the operating system, that of the server from
`INFO cpu`, the longest call of the server from its slow log.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import time
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, ClassVar, Self

import structlog

from diffsync_store import Adapter, DiffSyncModel
from diffsync_store.agents import Agent
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from diffsync_store.sync.options import SyncOptions
from tests.servers import RedisServer

DEVICES = 4
"""Below each site."""
GOAL = 3.5
Data = dict[str, Any]


class Record(DiffSyncModel):
    """Takes its time for each call, as a system does."""

    seconds: ClassVar[float] = 0.0

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        time.sleep(Record.seconds)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: Data) -> Self | None:
        time.sleep(Record.seconds)
        return super().update(attrs)

    @classmethod
    def lookup(cls, adapter: Any, ids: Data) -> Data | None:  # noqa: ARG003  # nothing is in doubt here
        return None


class Device(Record):
    _modelname = "device"
    _identifiers = ("site", "name")
    _attributes = ("role",)

    site: str
    name: str
    role: str


class Site(Record):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    _children: ClassVar[dict[str, str]] = {"device": "devices"}

    name: str
    region: str
    devices: list[str] = []


class BatchDevice(Device):
    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        time.sleep(Record.seconds)
        return [cls.create_base(adapter, ids, attrs) for ids, attrs in records]


class Network(Adapter):
    site = Site
    device = Device
    top_level: ClassVar[list[str]] = ["site"]


class BatchNetwork(Network):
    device = BatchDevice


@dataclass(frozen=True)
class Work:
    """What each process applies."""

    url: str
    diff_id: str
    seconds: float
    batch: int
    is_agent: bool
    agents: int


@dataclass(frozen=True)
class Figures:
    """What one way of applying the diff costs."""

    name: str
    seconds: float
    client_cpu: float
    server_cpu: float
    longest_call: float


def open_side(work: Work, side: str) -> Network:
    adapter = BatchNetwork if work.batch > 1 else Network
    return adapter(side, RedisStore(store_id=f"{work.diff_id}-{side}", url=work.url))


def apply(work: Work, begin: Barrier, used: Any) -> None:
    """Apply the diff in a process of its own, once all processes have started."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    Record.seconds = work.seconds
    source, target = open_side(work, "source"), open_side(work, "target")
    agent = Agent(of=work.agents) if work.is_agent else None
    with closing(RedisDiffs(url=work.url)) as diffs:
        saved = diffs.open(work.diff_id)
        begin.wait()
        before = time.process_time()
        saved.apply(source, target, options=SyncOptions(batch_size=work.batch), agent=agent)
        target.store.close()
        used.put(time.process_time() - before)


def prepare(work: Work, operations: int) -> None:
    """Save a diff of sites to update, and of devices to create below them."""
    source, target = open_side(work, "source"), open_side(work, "target")
    with source.store.loading(), target.store.loading():
        for number in range(operations // (DEVICES + 1)):
            name = f"site-{number:06}"
            site = source.site(name=name, region="new")
            source.add(site)
            target.add(target.site(name=name, region="old"))
            for device in range(DEVICES):
                found = source.device(site=name, name=f"device-{device}", role="leaf")
                source.add(found)
                site.add_child(found)
    with closing(RedisDiffs(url=work.url)) as diffs:
        diffs.compare(source, target, work.diff_id)
    source.store.close()
    target.store.close()


def measure(name: str, url: str, arguments: argparse.Namespace, *, processes: int, is_agent: bool) -> Figures:
    """Apply a new diff of the same changes."""
    diff_id = name.replace(" ", "-")
    work = Work(url, diff_id, arguments.milliseconds / 1000, arguments.batch, is_agent, arguments.agents)
    prepare(work, arguments.operations)
    spawn = multiprocessing.get_context("spawn")
    begin, used = spawn.Barrier(processes + 1), spawn.SimpleQueue()
    started = [spawn.Process(target=apply, args=(work, begin, used)) for _ in range(processes)]
    for process in started:
        process.start()
    with closing(RedisDiffs(url=url)) as diffs:
        client: Any = diffs._redis
        client.config_set("slowlog-log-slower-than", 100)
        client.slowlog_reset()
        begin.wait()
        before, cpu = time.perf_counter(), server_cpu(client)
        for process in started:
            process.join()
        seconds, cpu = time.perf_counter() - before, server_cpu(client) - cpu
        slowest = max((entry["duration"] for entry in client.slowlog_get(10_000)), default=0) / 1000
        assert diffs.open(diff_id).journal().application() is not None
    source, target = open_side(work, "source"), open_side(work, "target")
    assert not target.diff_from(source).has_diffs()
    for each in (source, target):
        each.store.drop()
    return Figures(name, seconds, sum(used.get() for _ in started), cpu, slowest)


def server_cpu(client: Any) -> float:
    found = client.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--milliseconds", type=float, default=20.0, help="how long the target takes for a call")
    parser.add_argument("--batch", type=int, default=1, help="records in one call")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with RedisServer("valkey") as server:
        alone = measure("one alone", server.url, arguments, processes=1, is_agent=False)
        one = measure("one agent", server.url, arguments, processes=1, is_agent=True)
        several = measure(
            f"{arguments.agents} agents", server.url, arguments, processes=arguments.agents, is_agent=True
        )
    print(
        f"{arguments.operations:,} operations, {arguments.milliseconds:g} ms a call, up to {arguments.batch} in a call"
    )
    print(f"{'':12}{'seconds':>9}{'times one':>11}{'client CPU':>12}{'server CPU':>12}{'longest call':>14}")
    for each in (alone, one, several):
        times = alone.seconds / each.seconds
        print(
            f"{each.name:12}{each.seconds:9.2f}{times:11.2f}{each.client_cpu:10.2f} s{each.server_cpu:10.2f} s"
            f"{each.longest_call:11.2f} ms"
        )
    times = alone.seconds / several.seconds
    print(f"goal: {GOAL} times one with 4 agents: {'reached' if times >= GOAL else 'missed'} with {times:.2f}")


if __name__ == "__main__":
    main()
