"""Metrics of the flows for Prometheus: a file for the node exporter, or a push to a Pushgateway.

A flow run is too short to be scraped. Each metric is a gauge of the last run, and stays until another run updates it:

| metric | labels | |
| --- | --- | --- |
| `diffsync_run_state` | flow, name, state | 1 for the state of the last run (`complete`, `partial`, `failed`), 0 for the others |
| `diffsync_run_duration_seconds` | flow, name | duration of the last run |
| `diffsync_last_success_timestamp_seconds` | flow, name | end of the last complete run, in seconds since 1970 |
| `diffsync_in_sync_timestamp_seconds` | flow, sync | load time of the source that the target is known to equal, in seconds since 1970 |
| `diffsync_store_objects` | adapter | objects of the last load |
| `diffsync_load_objects_per_second` | adapter | speed of the last load |
| `diffsync_load_rejected` | adapter | records that the last load rejected |
| `diffsync_diff_operations` | sync, action | operations of the last diff |
| `diffsync_diff_suppressed_operations` | sync | operations of the last diff that the guards suppress |
| `diffsync_sync_operations` | sync, outcome | operations of the last sync, counted as in the event `diffsync.sync.ended` |
| `diffsync_undo_operations` | sync, action | operations of the last undo |
| `diffsync_undo_not_undone` | sync | operations that the last undo does not take back |
| `diffsync_housekeeping_items` | outcome | stores and diffs of the last housekeeping: dropped, or kept because they are in use |

A run that fails early, for example because its diff or store does not exist, counts as failed. A run publishes nothing if
the name of its sync is not known, while it waits for approval, after a dry run, and when it ends without applying anything: rejected,
superseded, skipped, or because its changes already wait for approval in another run.

The target is known to equal the source after a sync that applied the whole diff, and after a diff without operations. How
far the target is behind, in seconds: `time() - max by (sync) (diffsync_in_sync_timestamp_seconds)`.
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
from diffsync_flows.reporting.events import count_suppressed, outcomes
from diffsync_flows.reporting.run_metadata import ACTIONS
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.superseded_runs import abort_if_superseded
from diffsync_store import StoreRecord
from diffsync_store.diffs import DiffRecord

PUSH_TIMEOUT_SECONDS = 10
STATES = ("complete", "partial", "failed")


class RunMetrics:
    """The gauges of one run."""

    def __init__(self, flow: str, name: str) -> None:
        self.flow = flow
        self.name = name
        """Name of the adapter or the sync; a run that ends without one publishes nothing."""
        self.state = "complete"
        """One of STATES."""
        self.is_published = True
        self.registry = CollectorRegistry()
        self.names: set[str] = set()
        self._started = time.monotonic()

    def gauge(self, name: str, description: str, label: str, values: Mapping[str, float], /, **labels: str) -> None:
        """Add a gauge with a value for each value of a label."""
        gauge = Gauge(f"diffsync_{name}", description, [*labels, label], registry=self.registry)
        self.names.add(f"diffsync_{name}")
        for value, number in values.items():
            gauge.labels(*labels.values(), value).set(number)

    def add_load(self, adapter: str, record: StoreRecord) -> None:
        """Add the gauges of a load, and set the state of the run."""
        self.state = record.state.value
        objects = sum(record.counts.values())
        rejected = sum(gap.rejected for gap in record.gaps.values())
        self.gauge("store_objects", "Objects of the last load", "adapter", {adapter: objects})
        self.gauge("load_objects_per_second", "Speed of the last load", "adapter", {adapter: objects / self._seconds()})
        self.gauge("load_rejected", "Records that the last load rejected", "adapter", {adapter: rejected})

    def add_diff(self, record: DiffRecord, in_sync_with: datetime | None) -> None:
        """Add the gauges of a diff.

        Args:
            record: The diff.
            in_sync_with: Load time of the source that the target equals; None if they differ.
        """
        counts = {action: record.summary.get(action, 0) for action in ACTIONS}
        self.gauge("diff_operations", "Operations of the last diff", "action", counts, sync=self.name)
        self.gauge(
            "diff_suppressed_operations",
            "Suppressed operations of the last diff",
            "sync",
            {self.name: count_suppressed(record)},
        )
        if in_sync_with:
            self._add_in_sync(in_sync_with)

    def add_undo(self, record: DiffRecord, not_undone: int) -> None:
        """Add the gauges of an undo, and set the state of the run."""
        self.state = "partial" if not_undone else "complete"
        counts = {action: record.summary.get(action, 0) for action in ACTIONS}
        self.gauge("undo_operations", "Operations of the last undo", "action", counts, sync=self.name)
        description = "Operations that the last undo does not take back"
        self.gauge("undo_not_undone", description, "sync", {self.name: not_undone})

    def add_sync(self, counts: Mapping[str, int], *, is_partial: bool, in_sync_with: datetime | None) -> None:
        """Add the gauges of a sync, and set the state of the run.

        Args:
            counts: Operations by outcome.
            is_partial: Whether some operations were not applied.
            in_sync_with: Load time of the source that the target equals; None if they may differ.
        """
        self.state = "partial" if is_partial else "complete"
        self.gauge("sync_operations", "Operations of the last sync", "outcome", outcomes(counts), sync=self.name)
        if in_sync_with:
            self._add_in_sync(in_sync_with)

    def finish(self) -> None:
        """Add the gauges that every run has."""
        labels = {"flow": self.flow, "name": self.name}
        states = {state: float(state == self.state) for state in STATES}
        self.gauge("run_state", "State of the last run", "state", states, **labels)
        description = "Duration of the last run"
        self.gauge("run_duration_seconds", description, "name", {self.name: self._seconds()}, flow=self.flow)
        if self.state == "complete":
            description = "End of the last complete run"
            self.gauge("last_success_timestamp_seconds", description, "name", {self.name: time.time()}, flow=self.flow)

    def _add_in_sync(self, loaded: datetime) -> None:
        description = "Load time of the source that the target equals"
        self.gauge("in_sync_timestamp_seconds", description, "sync", {self.name: loaded.timestamp()}, flow=self.flow)

    def _seconds(self) -> float:
        return time.monotonic() - self._started


@contextmanager
def run_metrics(flow: str, name: str, settings: Metrics) -> Iterator[RunMetrics]:
    """Measure the body and publish its metrics, even if it fails; a failed publication is only logged."""
    run = RunMetrics(flow, name)
    try:
        yield run
    except (Pause, Abort):  # the run continues in another process
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
        if run.name and run.is_published and (settings.textfile_directory or settings.pushgateway):
            run.finish()
            _publish(run, settings)


def _publish(run: RunMetrics, settings: Metrics) -> None:
    try:
        if settings.textfile_directory:
            _write(run, Path(settings.textfile_directory) / f"{artifact_key(f'diffsync-{run.flow}', run.name)}.prom")
        if settings.pushgateway:
            labels = {"flow": run.flow, "name": run.name}
            pushadd_to_gateway(
                settings.pushgateway, "diffsync", run.registry, grouping_key=labels, timeout=PUSH_TIMEOUT_SECONDS
            )
    except OSError as error:
        get_run_logger().warning("Cannot publish the metrics of this run: %s", error)


def _write(run: RunMetrics, file: Path) -> None:
    """Write the run's metrics, and keep those of earlier runs that this one lacks, as a Pushgateway does."""
    earlier = file.read_text("utf-8") if file.exists() else ""
    try:
        kept = [family for family in text_string_to_metric_families(earlier) if family.name not in run.names]
    except ValueError:  # edited by hand, or damaged
        kept = []
    run.registry.register(_Kept(kept))
    write_to_textfile(str(file), run.registry)


class _Kept(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
