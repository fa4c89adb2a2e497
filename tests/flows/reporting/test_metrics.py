"""The metrics of a run, as Prometheus reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prefect.exceptions import Pause
from prefect.logging import disable_run_logger
from prometheus_client.parser import text_string_to_metric_families

from diffsync_flows.config.schema import Metrics
from diffsync_flows.reporting.metrics import run_metrics


def read(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_leaves_a_file_for_the_node_exporter(tmp_path: Path) -> None:
    with run_metrics("load", "registry", Metrics(textfile_directory=str(tmp_path))) as run:
        run.gauge("store_objects", "Objects", "adapter", {"registry": 12})
    found = read((tmp_path / "diffsync-load-registry.prom").read_text("utf-8"))
    assert found["diffsync_store_objects[('adapter', 'registry')]"] == 12
    assert found["diffsync_run_duration_seconds[('flow', 'load'), ('name', 'registry')]"] >= 0
    assert found["diffsync_last_success_timestamp_seconds[('flow', 'load'), ('name', 'registry')]"] > 1.7e9


def test_a_failed_run_updates_its_state_and_keeps_the_metrics_of_the_last_success(tmp_path: Path) -> None:
    metrics, file = Metrics(textfile_directory=str(tmp_path)), tmp_path / "diffsync-sync-nightly.prom"
    with run_metrics("sync", "nightly", metrics) as run:
        run.add_sync({"created": 3}, is_partial=False, in_sync_with=datetime(2026, 1, 2, tzinfo=UTC))
    before = read(file.read_text("utf-8"))
    with pytest.raises(ValueError, match="no"), run_metrics("sync", "nightly", metrics):
        raise ValueError("no")
    after = read(file.read_text("utf-8"))
    assert before["diffsync_in_sync_timestamp_seconds[('flow', 'sync'), ('sync', 'nightly')]"] == 1767312000
    changed = {name for name in after if after[name] != before[name]}
    state = "diffsync_run_state[('flow', 'sync'), ('name', 'nightly'), ('state', '%s')]"
    assert {state % "failed", state % "complete"} <= changed
    assert after[state % "failed"] == 1
    assert not {name for name in changed if "run_state" not in name and "run_duration" not in name}
    assert after.keys() == before.keys()


def test_a_partial_run_is_not_a_success(tmp_path: Path) -> None:
    with run_metrics("sync", "nightly", Metrics(textfile_directory=str(tmp_path))) as run:
        run.state = "partial"
    found = (tmp_path / "diffsync-sync-nightly.prom").read_text("utf-8")
    assert "last_success" not in found
    assert read(found)["diffsync_run_state[('flow', 'sync'), ('name', 'nightly'), ('state', 'partial')]"] == 1


def test_a_suspended_run_and_a_run_without_a_name_publish_nothing(tmp_path: Path) -> None:
    metrics = Metrics(textfile_directory=str(tmp_path))
    with pytest.raises(Pause), run_metrics("sync", "nightly", metrics):
        raise Pause
    with pytest.raises(ValueError, match="no"), run_metrics("sync", "", metrics):
        raise ValueError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_metrics_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "diffsync-load-registry.prom"
    file.write_text('{"', "utf-8")
    with run_metrics("load", "registry", Metrics(textfile_directory=str(tmp_path))):
        pass
    assert "diffsync_run_state" in file.read_text("utf-8")


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    pushed: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pushed.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as its base class has it
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", pushed
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_run_pushes_its_metrics(gateway: tuple[str, list[tuple[str, str]]]) -> None:
    url, pushed = gateway
    with run_metrics("sync", "nightly", Metrics(pushgateway=url)) as run:
        run.gauge("sync_operations", "Of the last sync", "outcome", {"created": 3, "failed": 0}, sync="nightly")
    [(path, text)] = pushed
    assert path == "/metrics/job/diffsync/flow/sync/name/nightly"
    assert read(text)["diffsync_sync_operations[('outcome', 'created'), ('sync', 'nightly')]"] == 3


def test_an_unreachable_gateway_does_not_fail_the_run() -> None:
    with disable_run_logger(), run_metrics("sync", "nightly", Metrics(pushgateway="http://127.0.0.1:1")):
        pass


def test_nothing_is_published_if_nothing_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_metrics("load", "registry", Metrics()):
        pass
    assert list(tmp_path.iterdir()) == []
