"""Which of the runs that wait are about an older diff of the same sync. Prefect is not needed."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas import FlowRun

from diffsync_flows.approval.superseding import _older

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(diff_id: str, minutes: int = 0, *, undoes: str = "", target: str = "b") -> Any:
    created = NOW + timedelta(minutes=minutes)
    return SimpleNamespace(diff_id=diff_id, source_name="a", target_name=target, created=created, undoes=undoes)


def older(newer: Any, *others: Any, is_applied: bool, **parameters: object) -> list[str]:
    records = {each.diff_id: each for each in others}
    diffs = SimpleNamespace(open=lambda diff_id: SimpleNamespace(record=records[diff_id]))
    context: Any = SimpleNamespace(diffs=lambda: diffs)
    runs = [FlowRun(flow_id=uuid4(), parameters={"diff_id": diff_id, **parameters}) for diff_id in records]
    return [saved.record.diff_id for _, saved in _older(context, newer, runs, is_applied=is_applied)]


@pytest.mark.parametrize("is_applied", [False, True])
def test_an_older_diff_of_the_same_adapters_is_superseded(is_applied: bool) -> None:
    others = record("older"), record("newer", 9), record("of-another-target", target="c")
    assert older(record("this", 5), *others, is_applied=is_applied) == ["older"]
    for given in ({"select": ["x"]}, {"exclude": ["x"]}, {"allow": ["x"]}, {"retry_rejected": True}):
        assert older(record("this", 5), *others, is_applied=is_applied, **given) == []


def test_a_diff_that_only_waits_ends_no_undo_and_an_undo_ends_no_diff() -> None:
    undo, diff = record("undo", undoes="applied"), record("diff")
    assert older(record("this", 5), undo, diff, is_applied=False) == ["diff"]
    assert older(record("this", 5, undoes="applied"), undo, diff, is_applied=False) == ["undo"]
    assert older(record("this", 5), undo, diff, is_applied=True) == ["undo", "diff"]
