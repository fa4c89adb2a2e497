"""Measure syncs into a real Nautobot and NetBox beside the bare requests: `python -m benchmarks.targets [--on netbox] [--vendors A10 ...]`.

The library of device types of 2024 is created in an empty system, and then changed to that of 2025. The requests of both syncs are
recorded. The system is emptied again, and bare httpx sends the same requests in the same order. The first time is that of the sync
alone, without loads and diffs. NetBox needs NETBOX_SOURCE.
"""

import argparse
import json
import logging
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import structlog

from diffsync_store.adapters.nautobot import NautobotAdapter
from diffsync_store.adapters.netbox import NetBoxAdapter
from diffsync_store.adapters.rest import RestAdapter
from diffsync_store.diff import Diff
from tests.device_types import YEARS, declared, library, unpack
from tests.targets.given import changes, loaded, synced
from tests.targets.nautobot_server import NautobotServer
from tests.targets.netbox.server import NetBoxServer

Target = NautobotServer | NetBoxServer
SYSTEMS: dict[str, tuple[type[Target], type[RestAdapter]]] = {
    "nautobot": (NautobotServer, NautobotAdapter),
    "netbox": (NetBoxServer, NetBoxAdapter),
}
BATCH = 200
"""Records of one call, as the adapters and a sync have it by default."""
WARM_UP = "Testing"
"""A vendor whose library is applied first, so that the system has loaded its own code."""
METHODS = ("POST", "PATCH", "DELETE", "GET")
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Sent(NamedTuple):
    """A request of a sync, and the answer."""

    method: str
    url: str
    body: bytes
    seconds: float
    answer: bytes


class Result(NamedTuple):
    """What the sync of one year took."""

    year: str
    counts: dict[str, int]
    """Records by what was done with them."""
    requests: dict[str, int]
    """Requests by method."""
    fewest: int
    """Requests if each had as many records of one model as it may have."""
    seconds: float
    in_requests: float
    """The seconds of the sync that its requests took."""
    bare: float
    """The seconds that bare httpx needed for the same requests."""

    @property
    def call_ratio(self) -> float:
        return sum(self.requests.values()) / self.fewest

    @property
    def time_ratio(self) -> float:
        return self.seconds / self.bare

    def __str__(self) -> str:
        counts = ", ".join(f"{number:,} {name}" for name, number in self.counts.items())
        requests = ", ".join(f"{number} {method}" for method, number in self.requests.items() if number)
        return (
            f"{self.year}: {counts}; {requests}; fewest {self.fewest}, ratio {self.call_ratio:.2f} (aim 1.2); "
            f"sync {self.seconds:.1f} s, {self.in_requests:.1f} s of it in requests; bare {self.bare:.1f} s, "
            f"ratio {self.time_ratio:.2f} (aim 1.1)"
        )


class Recorder:
    """Keeps the requests that an adapter sends from now on. One thread sends them."""

    def __init__(self, adapter: RestAdapter) -> None:
        self.sent: list[Sent] = []
        self._started = 0.0
        adapter.client._client.event_hooks = {"request": [self._start], "response": [self._keep]}

    def _start(self, _request: httpx.Request) -> None:
        self._started = time.perf_counter()

    def _keep(self, response: httpx.Response) -> None:
        request, answer = response.request, response.read()
        seconds = time.perf_counter() - self._started
        self.sent.append(Sent(request.method, str(httpx.URL(request.url)), request.read(), seconds, answer))


class Measured(NamedTuple):
    """The sync of one year before the bare requests are known."""

    counts: dict[str, int]
    fewest: int
    seconds: float
    sent: list[Sent]


def new_adapter(name: str, server: Target) -> RestAdapter:
    project = declared()
    settings = {"url": server.url, "token": server.token}
    return SYSTEMS[name][1](settings, project["models"], project["adapters"][name]["records"], name=name)


def fewest_calls(diff: Diff) -> int:
    numbers = Counter((element.type, element.action) for element in diff.get_children() if element.action)
    return sum(-(-number // BATCH) for number in numbers.values())


def apply(name: str, server: Target, folder: Path) -> Measured:
    """Make the system equal to the library in a folder."""
    source, target = loaded(library(folder)), loaded(new_adapter(name, server))
    fewest = fewest_calls(target.diff_from(source))
    recorder = Recorder(target)
    started = time.perf_counter()
    result = synced(source, target)
    seconds = time.perf_counter() - started
    target.close()
    if result.rejects:
        raise RuntimeError(f"{name} has refused records, the first one because: {result.rejects[0].reason}")
    counts = {"created": result.created, "updated": result.updated, "deleted": result.deleted}
    return Measured(counts, fewest, seconds, recorder.sent)


def send_again(server: Target, years: Sequence[Sequence[Sent]]) -> list[float]:
    """Send recorded requests with bare httpx; return the seconds of each year's."""
    new_ids: dict[bytes, bytes] = {}
    with server.client() as client:
        client.headers["Content-Type"] = "application/json"
        return [sum(_send(client, sent, new_ids) for sent in year) for year in years]


def _send(client: httpx.Client, sent: Sent, new_ids: dict[bytes, bytes]) -> float:
    body = _UUID.sub(lambda found: new_ids.get(found[0], found[0]), sent.body)
    started = time.perf_counter()
    answer = client.request(sent.method, sent.url, content=body).content
    seconds = time.perf_counter() - started
    if sent.method == "POST":
        new_ids.update(zip(_ids(sent.answer), _ids(answer), strict=True))
    return seconds


def _ids(answer: bytes) -> Iterator[bytes]:
    """The ids of created records. Those of Nautobot are new each time, those of an emptied NetBox the same again."""
    found: Any = json.loads(answer)
    for record in found if isinstance(found, list) else [found]:
        if "id" in record:
            yield str(record["id"]).encode()


def measure(name: str, server: Target, libraries: Path) -> list[Result]:
    """Measure the syncs of both years.

    Raises:
        RuntimeError: the bare requests have not done the same as the syncs.
    """
    server.reset()
    measured = [apply(name, server, libraries / year) for year in YEARS]
    server.reset()
    bare = send_again(server, [found.sent for found in measured])
    again = loaded(new_adapter(name, server))
    left = changes(loaded(library(libraries / YEARS[-1])), again)
    again.close()
    if left:
        raise RuntimeError(f"The bare requests have left differences in {name}: {left}")
    return [_result(*found) for found in zip(YEARS, measured, bare, strict=True)]


def _result(year: str, found: Measured, bare: float) -> Result:
    methods = Counter(sent.method for sent in found.sent)
    requests = {method: methods[method] for method in METHODS}
    in_requests = sum(sent.seconds for sent in found.sent)
    return Result(year, found.counts, requests, found.fewest, found.seconds, in_requests, bare)


def of_vendors(folder: Path, vendors: Sequence[str]) -> Path:
    """Unpack the libraries of some vendors; of all if there are none."""
    for vendor in unpack(folder).glob("*/device-types/*"):
        if vendors and vendor.name not in vendors:
            shutil.rmtree(vendor)
    return folder


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets")
    parser.add_argument("--on", choices=SYSTEMS, nargs="*", default=SYSTEMS)
    parser.add_argument("--vendors", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        libraries = of_vendors(Path(folder) / "all", options.vendors)
        small = of_vendors(Path(folder) / "small", [WARM_UP])
        for name in options.on:
            with SYSTEMS[name][0]() as server:
                apply(name, server, small / YEARS[0])
                for _ in range(options.rounds):
                    for result in measure(name, server, libraries):
                        print(f"{name}, {result}", flush=True)


if __name__ == "__main__":
    main()
