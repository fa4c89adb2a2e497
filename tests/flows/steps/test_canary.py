"""A sync with a canary on a real worker."""

from pathlib import Path

import pytest

from diffsync_store.canary import read_canary
from tests.flows.conftest import Project
from tests.flows.runs import diff_of_reconcile, lines

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

FILE = """
store: {url: "${REDIS_URL}"}
adapters:
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
  windowed: {class: "tests.flows.systems:LosingAdapter", settings: {file: "${FOLDER}/windowed"}}
syncs:
  busy: {source: seven, target: windowed, steps: together, canary: {first: 2}}
"""


def test_a_canary_that_fails_stops_a_reconcile_and_a_reason_applies_the_rest(project: Project, tmp_path: Path) -> None:
    file, config = tmp_path / "windowed", tmp_path / "syncs.yaml"
    config.write_text(FILE, "utf-8")
    file.with_suffix(".lost").touch()
    environment = {"DIFFSYNC_CONFIG": str(config), "FOLDER": str(tmp_path)}
    stopped = project.run_with(environment, "reconcile/busy", sync_name="busy")
    assert stopped.state == "Failed"
    assert (
        "Stopped after the canary: 2 of 2 objects that were read back do not have what was written" in stopped.message
    )
    assert lines(file) == ["item 0", "item 1"]
    shown = project.artifacts(stopped)["sync-seven-windowed"]["data"]
    assert "## Canary" in shown
    assert "## Not settled" in shown
    diff_id = diff_of_reconcile(project, "busy")
    applied = project.run_with(environment, "sync/busy", diff_id=diff_id, skip_canary="its index is slow")
    assert applied.state == "Completed", applied.message
    assert sorted(lines(file)) == [f"item {number}" for number in range(7)]
    assert "its index is slow" in project.artifacts(applied)["sync-seven-windowed"]["data"]
    with project.diffs() as diffs:
        record = read_canary(diffs.open(diff_id).journal())
    assert record is not None
    assert [skip.reason for skip in record.skips] == ["its index is slow"]
