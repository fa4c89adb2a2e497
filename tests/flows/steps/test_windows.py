"""Syncs with windows on real workers."""

from pathlib import Path

import pytest

from tests.flows.conftest import Project
from tests.flows.runs import diff_of_reconcile, lines

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.timeout(600)]

FILE = """
store: {url: "${REDIS_URL}"}
adapters:
  seven: {class: "tests.flows.systems:PlainAdapter", settings: {objects: 7}}
  windowed: {class: "tests.flows.systems:CountingAdapter", settings: {file: "${FOLDER}/windowed"}}
syncs:
  busy: {source: seven, target: windowed, steps: together, windows: [{allow: "0 0 29 2 *", for: 1s}]}
"""


def test_a_reconcile_outside_of_the_windows_saves_its_diff_and_a_reason_applies_it(
    project: Project, tmp_path: Path
) -> None:
    file, config = tmp_path / "windowed", tmp_path / "syncs.yaml"
    config.write_text(FILE, "utf-8")
    environment = {"DIFFSYNC_CONFIG": str(config), "FOLDER": str(tmp_path)}
    skipped = project.run_with(environment, "reconcile/busy", sync_name="busy")
    assert skipped.name.startswith("SKIPPED: ")
    assert "no window of the sync busy is open. The next window opens at " in skipped.message
    assert lines(file) == []
    diff_id = diff_of_reconcile(project, "busy")
    again = project.run_with(environment, "sync/busy", diff_id=diff_id)
    assert again.name.startswith("SKIPPED: ")
    assert lines(file) == []
    applied = project.run_with(environment, "sync/busy", diff_id=diff_id, outside_window="outage of the core")
    assert applied.state == "Completed", applied.message
    assert len(lines(file)) == 7
    with project.diffs() as diffs:
        override = diffs.open(diff_id).journal().window_override()
    assert override is not None
    assert override.reason == "outage of the core"
    assert "Outside of the windows: outage of the core" in project.artifacts(applied)["sync-seven-windowed"]["data"]
