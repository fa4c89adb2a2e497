"""What the flows did, in numbers for Prometheus: in a file for its node exporter, or pushed to a Pushgateway.

A flow run is a short process that nobody could scrape. All are gauges of the last run; names and units:

| metric | labels | |
| --- | --- | --- |
| `diffsync_run_duration_seconds` | flow, name | of the last run that ended well |
| `diffsync_last_success_timestamp_seconds` | flow, name | its end, in seconds since 1970; `time()` less this is the lag |
| `diffsync_store_objects` | adapter | objects of the last load |
| `diffsync_load_objects_per_second` | adapter | |
| `diffsync_diff_operations` | sync, action | of the last diff |
| `diffsync_diff_held_operations` | sync | of these |
| `diffsync_sync_operations` | sync, outcome | of the last sync: created, updated, deleted, failed, ... |
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from flows.declarations import Metrics
from flows.ids import artifact_key

PUSH_SECONDS = 10


class Measured:
    """The gauges of one run."""

    def __init__(self, flow: str, name: str) -> None:
        self.flow = flow
        self.name = name
        self.registry = CollectorRegistry()
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def gauge(self, name: str, what: str, label: str, values: Mapping[str, float], **labels: str) -> None:
        """One value for each value of a label."""
        made = Gauge(f"diffsync_{name}", what, [*labels, label], registry=self.registry)
        for value, number in values.items():
            made.labels(*labels.values(), value).set(number)


@contextmanager
def measured(flow: str, name: str, told: Metrics) -> Iterator[Measured]:
    """Measure the body, and tell it if it ends well; that it cannot be told is no failure of the run."""
    run = Measured(flow, name)
    yield run
    if not (told.textfile or told.pushgateway):
        return
    run.gauge("run_duration_seconds", "Of the last run that ended well", "name", {run.name: run.seconds}, flow=flow)
    run.gauge("last_success_timestamp_seconds", "End of that run", "name", {run.name: time.time()}, flow=flow)
    try:
        _tell(run, told)
    except OSError as error:
        get_run_logger().warning("The metrics of this run could not be told: %s", error)


def _tell(run: Measured, told: Metrics) -> None:
    if told.textfile:
        write_to_textfile(
            str(Path(told.textfile) / f"{artifact_key('diffsync', run.flow, run.name)}.prom"), run.registry
        )
    if told.pushgateway:
        group = {"flow": run.flow, "name": run.name}
        push_to_gateway(told.pushgateway, "diffsync", run.registry, grouping_key=group, timeout=PUSH_SECONDS)
