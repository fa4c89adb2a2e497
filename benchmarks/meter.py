"""Measure time, peak memory of the process, and the counters of the Redis server."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COUNTERS = ("commands", "reads", "writes", "network_bytes")


@contextmanager
def measured(results: dict[str, Any], url: str = "") -> Iterator[None]:
    """Measure the body, and add the measurements to `results`.

    They are seconds, cpu_seconds and peak_rss (of the process so far, in bytes). With a `url` also commands (including those
    inside scripts), network_bytes (both directions) and round_trips.

    Redis does not count round trips. Each round trip needs at least one read and one write of a socket, and more only if the
    request or the answer is long. So the smaller of the two counts is an upper bound, close to the number of round trips.
    """
    with _counted(results, url) if url else _uncounted():
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        results["seconds"] = round(time.perf_counter() - wall, 4)
        results["cpu_seconds"] = round(time.process_time() - cpu, 4)
        results["peak_rss"] = peak_rss()


@contextmanager
def _uncounted() -> Iterator[None]:
    yield


@contextmanager
def _counted(results: dict[str, Any], url: str) -> Iterator[None]:
    import redis  # must not count in the memory of a local step

    with redis.Redis.from_url(url) as client:
        _counters(client)  # leaves out the handshake of the connection
        first, second = _counters(client), _counters(client)
        yield
        third = _counters(client)
    of_info = {name: second[name] - first[name] for name in COUNTERS}
    spent = {name: max(0, third[name] - second[name] - of_info[name]) for name in COUNTERS}
    results["round_trips"] = min(spent.pop("reads"), spent.pop("writes"))
    results.update(spent)


def _counters(client: Any) -> dict[str, int]:
    info = client.info("stats")
    return {
        "commands": info["total_commands_processed"],
        "reads": info["total_reads_processed"],
        "writes": info["total_writes_processed"],
        "network_bytes": info["total_net_input_bytes"] + info["total_net_output_bytes"],
    }


def peak_rss() -> int:
    """Return the peak memory of this process in bytes. On Linux, getrusage would include the parent's peak before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
