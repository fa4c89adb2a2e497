"""What the flows did, in numbers for Prometheus: in a file for its node exporter, or pushed to a Pushgateway.

A flow run is a short process that nobody could scrape. All are gauges of the last run, and stay until a run tells them
anew; names and units:

| metric | labels | |
| --- | --- | --- |
| `diffsync_run_state` | flow, name, state | of the last run: 1 for its state of `complete`, `partial`, `failed`, 0 for the others |
| `diffsync_run_duration_seconds` | flow, name | how long it took |
| `diffsync_last_success_timestamp_seconds` | flow, name | end of the last complete run, in seconds since 1970 |
| `diffsync_in_sync_timestamp_seconds` | flow, sync | load of the source to which the target is known to be equal, in seconds since 1970 |
| `diffsync_store_objects` | adapter | objects of the last load |
| `diffsync_load_objects_per_second` | adapter | |
| `diffsync_load_rejected` | adapter | records that the last load rejected |
| `diffsync_diff_operations` | sync, action | of the last diff |
| `diffsync_diff_held_operations` | sync | of these |
| `diffsync_sync_operations` | sync, outcome | of the last sync: the counts of the event `diffsync.sync.ended` |
| `diffsync_housekeeping_items` | outcome | stores and diffs of the last housekeeping: dropped, or kept because they are in use |

A run that fails before it has read anything, such as one whose diff, store or newest store is not there, is failed as well; one
of which not even the sync's name is known tells nothing. A run that waits for an approval tells nothing until it has ended, and
one that is rejected, superseded or dry, or leaves the question to another run, nothing at all.

The target is known to be equal after a complete sync of all of a diff, and after a diff without operations. How far it is
behind, in seconds: `time() - max by (sync) (diffsync_in_sync_timestamp_seconds)`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from prefect import get_run_logger
from prefect.exceptions import Abort, Pause
from prometheus_client import CollectorRegistry, Gauge, Metric, pushadd_to_gateway, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from diffsync_flows.config.schema import Metrics
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.superseded_runs import abort_if_superseded

PUSH_SECONDS = 10
STATES = ("complete", "partial", "failed")


class RunMetrics:
    """The gauges of one run."""

    def __init__(self, flow: str, name: str) -> None:
        self.flow = flow
        self.name = name
        """Of the adapter or the sync; what has none by the end tells nothing."""
        self.state = "complete"
        """One of STATES."""
        self.is_published = True
        self.registry = CollectorRegistry()
        self.names: set[str] = set()
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def gauge(self, name: str, what: str, label: str, values: Mapping[str, float], /, **labels: str) -> None:
        """One value for each value of a label."""
        made = Gauge(f"diffsync_{name}", what, [*labels, label], registry=self.registry)
        self.names.add(f"diffsync_{name}")
        for value, number in values.items():
            made.labels(*labels.values(), value).set(number)

    def in_sync(self, loaded: datetime) -> None:
        """The target is known to equal what was loaded from the source then."""
        what = "Load of the source that the target equals"
        self.gauge("in_sync_timestamp_seconds", what, "sync", {self.name: loaded.timestamp()}, flow=self.flow)

    def end(self) -> None:
        """What every run tells."""
        named = {"flow": self.flow, "name": self.name}
        states = {state: float(state == self.state) for state in STATES}
        self.gauge("run_state", "Of the last run", "state", states, **named)
        self.gauge("run_duration_seconds", "Of the last run", "name", {self.name: self.seconds}, flow=self.flow)
        if self.state == "complete":
            what = "End of the last complete run"
            self.gauge("last_success_timestamp_seconds", what, "name", {self.name: time.time()}, flow=self.flow)


@contextmanager
def run_metrics(flow: str, name: str, told: Metrics) -> Iterator[RunMetrics]:
    """Measure the body, and tell it however it ends; that it cannot be told is no failure of the run."""
    run = RunMetrics(flow, name)
    try:
        yield run
    except (Pause, Abort):  # it goes on in another process
        run.is_published = False
        raise
    except Exception:
        run.state, is_published, run.is_published = "failed", run.is_published, False
        abort_if_superseded()
        run.is_published = is_published
        raise
    except BaseException:
        run.state = "failed"
        raise
    finally:
        if run.name and run.is_published and (told.textfile_directory or told.pushgateway):
            run.end()
            _publish(run, told)


def _publish(run: RunMetrics, told: Metrics) -> None:
    try:
        if told.textfile_directory:
            _write(run, Path(told.textfile_directory) / f"{artifact_key(f'diffsync-{run.flow}', run.name)}.prom")
        if told.pushgateway:
            group = {"flow": run.flow, "name": run.name}
            pushadd_to_gateway(told.pushgateway, "diffsync", run.registry, grouping_key=group, timeout=PUSH_SECONDS)
    except OSError as error:
        get_run_logger().warning("The metrics of this run could not be told: %s", error)


def _write(run: RunMetrics, file: Path) -> None:
    """Write what the run tells, and what an earlier one has told and this one does not, as a Pushgateway keeps it."""
    earlier = file.read_text("utf-8") if file.exists() else ""
    try:
        kept = [found for found in text_string_to_metric_families(earlier) if found.name not in run.names]
    except ValueError:  # somebody else's hand, or a broken disk
        kept = []
    run.registry.register(_Kept(kept))
    write_to_textfile(str(file), run.registry)


class _Kept(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
