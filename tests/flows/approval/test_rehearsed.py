"""The form of an approval, and decisions made outside of it, after a rehearsal. Prefect is not needed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas import FlowRun

from diffsync_flows.approval.answers import _answer_to, is_covered
from diffsync_flows.approval.form import decision_form
from diffsync_flows.approval.request import shown_rehearsal
from diffsync_flows.reporting.artifacts.rehearsal import SHOWN_IN_FORM, rehearsal_section
from diffsync_store import Select
from diffsync_store.diff import Diff
from diffsync_store.diffs import DiffRecord, RedisDiffs, SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import (
    MAX_REFUSED,
    RefusedOperation,
    RehearsalReport,
    SyncRequest,
    refused_operations,
    undecided_refusal,
)
from tests.store.inventory import Inventory

REQUEST = SyncRequest("rehearsed")


def report_of(refused: int, **more: object) -> RehearsalReport:
    operations = tuple(
        RefusedOperation(
            operation_id=f"{number:024x}",
            action="create",
            model="site",
            unique_id=f"<b>{number}</b>",
            state="failed",
            reason="no | room",
        )
        for number in range(min(refused, MAX_REFUSED))
    )
    facts = {"at": datetime.now(UTC), "checksum": "", "scope": REQUEST.scope, "accepted": 7, "asks_target": True} | more
    return RehearsalReport.model_validate({**facts, "refused": refused, "operations": operations})


@pytest.fixture
def saved(redis_url: str) -> Iterator[SavedDiff]:
    diffs = RedisDiffs(url=redis_url, ttl=600)
    source, target = Inventory(), Inventory()
    source.add(source.site(name="zrh"))
    diff: Diff = target.diff_from(source)
    yield diffs.open(diffs.save(diff, f"rehearsed-{uuid4().hex}"))
    diffs.close()


def test_the_form_offers_to_leave_out_only_what_was_found() -> None:
    record = DiffRecord(
        diff_id="d",
        source_name="a",
        target_name="b",
        summary={"create": 9},
        by_model={"site": {"create": 9}},
        operations=9,
        elements=9,
        created=datetime.now(UTC),
        ttl=60,
    )
    offered = [report_of(1), report_of(MAX_REFUSED)]
    assert all("exclude_refused" in decision_form(record, each).model_fields for each in offered)
    for each in (None, report_of(0), report_of(0, stopped="late"), report_of(MAX_REFUSED + 1)):
        form = decision_form(record, each)
        assert "exclude_refused" not in form.model_fields
        assert not form(decision="approve").excludes_refused
    answer = {"decision": "approve", "exclude_refused": True}
    assert decision_form(record, report_of(1)).model_validate(answer).excludes_refused


def test_the_form_names_the_first_refused_operations_and_how_many_there_are() -> None:
    shown = rehearsal_section(report_of(SHOWN_IN_FORM + 3, not_rehearsed=2))
    assert "the target would refuse 53 of 60 operations" in shown
    assert "The first 50 of 53 operations." in shown
    assert shown.count("| failed | create | site |") == SHOWN_IN_FORM
    assert "Not rehearsed: 2 operations on objects that move." in shown
    assert "<b>" not in shown
    assert rehearsal_section(None) == ""
    clean = rehearsal_section(report_of(0, asks_target=False))
    assert "the target would accept all 7 operations" in clean
    assert "only the models have checked the values" in clean


def test_an_approval_from_before_the_rehearsal_resumes_no_run(saved: SavedDiff) -> None:
    run = FlowRun(flow_id=uuid4(), parameters={"diff_id": saved.record.diff_id})
    saved.approve(by="ann", reason="")
    assert _answer_to(run, saved) is not None
    saved.journal().record_rehearsal(report_of(1, checksum=saved.checksum()))
    assert _answer_to(run, saved) is None
    saved.approve(by="bob", reason="seen")
    assert undecided_refusal(saved, REQUEST) is None
    assert _answer_to(run, saved) == {"decision": "approve", "by": "bob", "comment": "seen"}
    saved.drop()


@pytest.mark.parametrize(
    "given",
    [
        {"select": [{"model": "site"}]},
        {"exclude": [{"model": "device"}]},
        {"retry_rejected": True},
    ],
)
def test_the_rehearsal_of_a_run_is_that_of_its_parameters(saved: SavedDiff, given: dict[str, object]) -> None:
    run = FlowRun(flow_id=uuid4(), parameters={"diff_id": saved.record.diff_id, **given})
    saved.approve(by="ann", reason="")
    assert is_covered(run, saved)
    selects: dict[str, Any] = {name: (Select(**each[0]),) for name, each in given.items() if isinstance(each, list)}
    request = SyncRequest(saved.record.diff_id, retry_rejected="retry_rejected" in given, **selects)
    saved.journal().record_rehearsal(report_of(1, checksum=saved.checksum(), scope=request.scope))
    assert not is_covered(run, saved)
    assert _answer_to(run, saved) is None
    saved.drop()


def test_an_approval_covers_no_run_that_lets_more_through(saved: SavedDiff) -> None:
    saved.approve(by="ann", reason="", allow=("partial:site",))
    for allow, expected in ((["partial:site"], True), ([], True), (["partial:site", "partial:device"], False)):
        run = FlowRun(flow_id=uuid4(), parameters={"diff_id": saved.record.diff_id, "allow": allow})
        assert is_covered(run, saved) is expected
    saved.drop()


def test_the_form_of_a_run_is_answered_for_the_rehearsal_that_it_shows(saved: SavedDiff) -> None:
    journal = saved.journal()
    again, part = report_of(1), report_of(1, scope=SyncRequest("rehearsed", select=(Select(model="device"),)).scope)
    journal.record_rehearsal(report_of(1))
    first = journal.rehearsal()
    assert first is not None
    assert shown_rehearsal(saved, REQUEST, "run") == first  # a form of an earlier version does not say which
    journal.request_approval("run", by="run", rehearsed_at=first.at)
    assert shown_rehearsal(saved, REQUEST, "run") == first
    for newer in (part, again):
        journal.record_rehearsal(newer)
        with pytest.raises(UserError, match=r"was rehearsed again since\. Look at it again\."):
            refused_operations(saved, shown_rehearsal(saved, REQUEST, "run"))
