"""What a piece of work costs: seconds, the process's peak memory, and the Redis server's own counters."""

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
    """Put into `results`: seconds and cpu_seconds; peak_rss of the process up to here, in bytes; with a `url` also
    commands (those inside scripts too), network_bytes (both ways) and round_trips.

    Redis does not count round trips. Each takes the server at least one read and one write of a socket, and more of
    either only where a request or an answer is long: the smaller of the two numbers is not less than the round trips,
    and close to them.
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
    import redis  # a local step's memory is measured without it

    with redis.Redis.from_url(url) as client:
        _counters(client)  # the connection's own greeting
        first, second = _counters(client), _counters(client)
        yield
        third = _counters(client)
    of_asking = {name: second[name] - first[name] for name in COUNTERS}
    spent = {name: max(0, third[name] - second[name] - of_asking[name]) for name in COUNTERS}
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
    """Bytes. Linux keeps the parent's peak in getrusage across exec, so the kernel's own account is read there."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
