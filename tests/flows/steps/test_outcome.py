"""What a run of a sync says of its operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffsync_flows.steps.outcome import SyncOutcome, count_applied
from diffsync_store import SyncResult
from diffsync_store.project import Project, SyncContext
from tests.cli.in_process import in_process

IGNORES = "approval: never, rules: [{model: device, action: create, then: ignore}]"


def test_what_a_rule_ignores_does_not_count_as_applied(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    commands = in_process(tmp_path, redis_url, IGNORES)
    diff_id = commands.plan()
    commands.run("apply", diff_id, "--yes")
    with SyncContext(Project(tmp_path / "syncs.yaml", {})) as context:
        saved = context.diffs().open(diff_id)
        assert saved.journal().application() is not None
        ignored = sum(one.count for one in saved.record.rulings if one.decision == "ignore")
        applied = saved.record.operations - ignored
        assert ignored
        assert applied
        now = SyncResult(created=applied, ignored=ignored)
        assert count_applied(saved, now, SyncOutcome(now.counts())) == applied
        again = SyncResult(done_before=applied, applied_before="Nothing was done")
        assert count_applied(saved, again, SyncOutcome(again.counts())) == applied
