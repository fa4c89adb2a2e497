"""`rehearse: true`: a sync finds what its target would refuse, and asks or stops before anything is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from diffsync_store import RehearsalRefused, Select
from diffsync_store.diffs import SavedDiff
from diffsync_store.lifecycle import opened
from diffsync_store.project import Project, SyncContext, UserError
from diffsync_store.result import SyncResult
from diffsync_store.runs import (
    RehearsalReport,
    SyncRequest,
    apply_saved,
    find_refused,
    find_rehearsal,
    find_waiting,
    find_whole_rehearsal,
    may_ask,
    may_wait,
    must_rehearse,
    needs_approval,
    open_source,
    open_target,
    refused_operations,
    rehearsal,
    rehearse_first,
    rehearse_now,
    undecided_refusal,
    wait_for_lease,
)
from tests.cli.in_process import InProcess, in_process

REFUSES = """
create trigger no_nyc before insert on site when new.name = 'nyc' begin select raise(abort, 'no room'); end;
create trigger no_ams before update on site when new.name = 'ams' begin select raise(abort, 'secret-1 is frozen'); end;
"""
REFUSED = {"failed nyc", "blocked nyc__sw2", "failed ams", "blocked ams__sw1"}
ASKS = "rules: [{action: delete, then: review}, {then: apply}]"


@dataclass
class Case:
    """A project whose database refuses a site and an update, and a diff of it."""

    commands: InProcess
    context: SyncContext[Project]
    diff_id: str

    @property
    def saved(self) -> SavedDiff:
        return self.context.diffs().open(self.diff_id)

    @property
    def request(self) -> SyncRequest:
        return SyncRequest(self.diff_id)

    @property
    def report(self) -> RehearsalReport | None:
        return self.saved.journal().rehearsal()

    def rows(self) -> list[tuple[object, ...]]:
        return self.commands.rows("select * from site") + self.commands.rows("select * from device")

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.commands.database)) as connection, connection:
            for each in statements:
                connection.execute(each)

    def apply(self, request: SyncRequest, *, must_approve: bool | None = None) -> SyncResult:
        with (
            open_target(self.context, self.diff_id) as (saved, target),
            open_source(self.context, saved.record) as source,
            wait_for_lease(self.context.leases(), target.name, "test", seconds=0, ttl=30) as lease,
            opened(target),
        ):
            declared = self.context.project.sync("inventory")
            if must_approve is None:
                must_approve = needs_approval(declared, saved.record, request.allow)
            return apply_saved(
                self.context,
                request,
                saved,
                source,
                target,
                lease=lease,
                by="test",
                require_approval=must_approve,
                should_stop=lambda: False,
            )


Make = Callable[[str], Case]


@pytest.fixture
def make(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return a function that makes a case with these keys of its sync. The plan has rehearsed its diff."""
    monkeypatch.delenv("DIFFSYNC_STORE_URL", raising=False)
    with ExitStack() as stack:

        def make_case(keys: str) -> Case:
            commands = in_process(tmp_path, redis_url, f"rehearse: true, {keys}")
            with closing(sqlite3.connect(commands.database)) as connection:
                connection.executescript(REFUSES)
            diff_id = commands.plan()
            context = stack.enter_context(SyncContext(Project(tmp_path / "syncs.yaml", {})))
            return Case(commands, context, diff_id)

        yield make_case


def named(case: Case) -> set[str]:
    report = case.saved.journal().rehearsal()
    return set() if report is None else {f"{each.state} {each.unique_id}" for each in report.operations}


def test_what_is_refused_is_kept_with_the_diff_without_secrets_and_nothing_is_written(make: Make) -> None:
    case = make("approval: never")
    before = case.rows()
    assert named(case) == REFUSED
    report = case.saved.journal().rehearsal()
    assert report is not None
    assert (report.accepted, report.refused, report.stopped, report.asks_target) == (2, 4, "", True)
    assert "secret-" not in report.model_dump_json()
    assert report.checksum == case.saved.checksum()
    assert case.rows() == before
    assert case.saved.journal().is_empty()


@pytest.mark.parametrize(
    ("approval", "remedy", "waits"),
    [("never", "leave them out with `exclude`", 0), ("always", "approve the diff, where you can leave them out", 1)],
)
def test_nothing_is_applied_before_somebody_has_decided(make: Make, approval: str, remedy: str, waits: int) -> None:
    case = make(f"approval: {approval}")
    before = case.rows()
    with pytest.raises(RehearsalRefused, match=r"would refuse 4 of 6 operations: .*nyc: .*no room") as caught:
        case.apply(case.request, must_approve=False)
    assert remedy in str(caught.value)
    assert "or set `rehearse: false`" in str(caught.value)
    assert "secret-" not in str(caught.value)
    assert case.rows() == before
    assert [each.reason for each in find_waiting(case.context)] == (["approval"] if waits else ["not applied"])


def test_an_approval_after_the_rehearsal_leaves_out_what_was_refused(make: Make) -> None:
    case = make("approval: deletes")
    case.saved.approve(by="ann", reason="", exclude=refused_operations(case.saved, case.report))
    assert not must_rehearse(case.context, case.saved, case.request)
    assert undecided_refusal(case.saved, case.request) is None
    result = case.apply(case.request)
    assert (result.created, result.deleted, result.suppressed, result.rejects) == (1, 1, 4, [])


def test_who_approves_all_of_it_after_the_rehearsal_has_decided_too(make: Make) -> None:
    case = make("approval: deletes")
    case.saved.approve(by="ann", reason="try them")
    result = case.apply(case.request)
    assert (result.created, result.deleted, len(result.rejects)) == (1, 1, 4)
    assert must_rehearse(case.context, case.saved, case.request) is False


def test_an_approval_from_before_a_rehearsal_does_not_answer_it(make: Make) -> None:
    case = make("approval: deletes")
    case.saved.approve(by="ann", reason="", exclude=refused_operations(case.saved, case.report))
    other = replace(case.request, exclude=(Select(model="device"),))
    assert must_rehearse(case.context, case.saved, other)
    assert rehearse_first(case.context, other) is not None
    assert named(case) == set()  # what the approval leaves out is not rehearsed
    case.execute(
        "create trigger no_ber before insert on site when new.name = 'ber' begin select raise(abort, 'full'); end"
    )
    assert rehearse_first(case.context, other) is not None
    assert named(case) == {"failed ber"}
    with pytest.raises(RehearsalRefused, match="create of site ber"):
        case.apply(other)


def test_a_corrected_target_is_rehearsed_again_and_applied(make: Make) -> None:
    case = make("approval: never")
    case.execute("drop trigger no_nyc", "drop trigger no_ams")
    assert must_rehearse(case.context, case.saved, case.request)
    found = rehearse_first(case.context, case.request)
    assert found is not None
    assert (found.result.applied, found.result.rejects) == (6, [])
    assert undecided_refusal(case.saved, case.request) is None
    assert case.apply(case.request).applied == 6
    assert rehearse_first(case.context, case.request) is None


def test_what_a_request_leaves_out_is_rehearsed_without(make: Make) -> None:
    case = make("approval: never")
    rest = replace(case.request, exclude=refused_operations(case.saved, case.report))
    assert rehearse_first(case.context, rest) is not None
    assert (named(case), undecided_refusal(case.saved, rest)) == (set(), None)
    assert case.apply(rest).applied == 2
    assert undecided_refusal(case.saved, case.request) is None  # the last rehearsal was of other operations


def test_operations_that_a_sync_has_tried_are_not_refused_once_more(make: Make) -> None:
    case = make("approval: never")
    case.saved.approve(by="ann", reason="try them")
    case.apply(case.request)
    again = SyncRequest(case.diff_id, retry_rejected=True)
    assert find_refused(case.saved, case.request, rehearse_now(case.context, case.request)) == []
    assert len(find_refused(case.saved, again, rehearse_now(case.context, again))) == 4


def test_what_waits_by_a_rule_is_rehearsed_before_it_is_approved(make: Make) -> None:
    case = make("rules: [{model: site, action: create, then: review, approvers: 2, name: sites}, {then: apply}]")
    assert named(case) == REFUSED
    with pytest.raises(RehearsalRefused):  # the rules would let the rest through
        case.apply(case.request)
    case.saved.approve(by="ann", reason="", exclude=refused_operations(case.saved, case.report))
    result = case.apply(case.request)
    assert (result.deleted, result.created, result.waiting) == (1, 0, 1)
    case.saved.approve(by="bob", reason="", exclude=refused_operations(case.saved, case.report))
    assert case.apply(case.request).created == 1


def test_a_running_sync_is_not_rehearsed_by_those_that_join_it(make: Make) -> None:
    case = make("approval: never")
    journal = case.saved.journal()
    journal.begin("another process")
    assert rehearse_first(case.context, case.request) is None
    journal.end()
    assert must_rehearse(case.context, case.saved, case.request)


def test_more_than_is_kept_cannot_be_left_out_one_by_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make("approval: never")
    monkeypatch.setattr(rehearsal, "MAX_REFUSED", 2)
    rehearse_first(case.context, case.request)
    with pytest.raises(UserError, match="would refuse 4 operations, and 2 of them are known"):
        refused_operations(case.saved, case.report)
    case.saved.drop()


def test_what_is_left_out_is_what_the_person_has_seen(make: Make) -> None:
    case = make("approval: always")
    shown = find_rehearsal(case.saved, case.request)
    devices = replace(case.request, select=(Select(model="device"),))
    assert rehearse_first(case.context, devices) is not None  # another run, of a part of the diff
    for seen in (shown, find_rehearsal(case.saved, case.request), find_whole_rehearsal(case.saved)):
        with pytest.raises(UserError, match=f"The diff {case.diff_id} was rehearsed again since. Look at it again."):
            refused_operations(case.saved, seen)
    assert len(refused_operations(case.saved, find_rehearsal(case.saved, devices))) == len(named(case))
    stale = case.commands.run("approve", case.diff_id, "--by", "ann", "--exclude-refused", code=1)
    assert "was rehearsed again since" in stale.stderr
    assert case.saved.journal().approval() is None

    assert rehearse_first(case.context, case.request) is not None  # of the same operations, later
    with pytest.raises(UserError, match="was rehearsed again since"):
        refused_operations(case.saved, shown)
    assert len(refused_operations(case.saved, find_whole_rehearsal(case.saved, ("deletes",)))) == 4


def test_a_rehearsal_that_has_no_time_left_stops_the_sync(make: Make) -> None:
    case = make("approval: never")
    report = case.saved.journal().rehearsal()
    assert report is not None
    late = report.model_copy(update={"refused": 0, "operations": (), "stopped": "The rehearsal was ended after 60 s."})
    case.saved.journal().record_rehearsal(late)
    with pytest.raises(RehearsalRefused, match=r"ended after 60 s\. Nothing was applied\. Raise `rehearsal_timeout`"):
        case.apply(case.request)


@pytest.mark.parametrize(("keys", "expected"), [("approval: never", False), ("approval: deletes", True), (ASKS, True)])
def test_a_sync_that_rehearses_may_wait_if_somebody_may_be_asked(make: Make, keys: str, *, expected: bool) -> None:
    case = make(keys)
    declared = case.context.project.sync("inventory")
    assert may_ask(declared, case.saved.record) is expected
    assert may_wait(declared, case.saved.record) is expected
