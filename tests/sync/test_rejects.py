"""What is not applied: listed exactly, without secrets, and applied when it can be."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from diffsync_store import DiffSyncFlags, ObjectNotCreated
from diffsync_store.enum import OperationState as State
from diffsync_store.journal import Entry
from diffsync_store.result import Reject
from diffsync_store.selection import Select
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.reject_export import to_csv, to_json
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Device, Network, Silent, Site

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
SOURCE: Sites = {"a": ("new", {"d1": "leaf", "d2": "spine"}), "b": ("r", {"d1": "leaf"})}
TARGET: Sites = {"a": ("old", {"d2": "leaf", "d3": "leaf"}), "c": ("r", {"d1": "leaf"})}
KINDS = (
    ObjectNotCreated, ValueError, KeyError, TypeError, ZeroDivisionError, OSError, TimeoutError, RuntimeError,
    MemoryError, UnicodeError, AssertionError, StopIteration, ArithmeticError,
)  # fmt: skip


def many(sites: int, devices: int, role: str) -> Sites:
    return {f"s{site}": (role, {f"d{device}": role for device in range(devices)}) for site in range(sites)}


@pytest.mark.slow
@pytest.mark.parametrize("options", [SyncOptions(), SyncOptions(workers=4)], ids=["one worker", "four workers"])
def test_of_poisoned_records_each_is_listed_and_the_rest_lands(bench: Bench, options: SyncOptions) -> None:
    saved = bench.load(many(20, 30, "new"), many(20, 30, "old"))
    poisoned = {f"update device s{number}__d{number}": KINDS[number % len(KINDS)] for number in range(6)}

    def poison(call: str) -> None:
        if call in poisoned:
            raise poisoned[call]("poisoned")

    target = bench.target()
    bench.system.before = poison
    result = saved.apply(bench.source(), target, flags=GO_ON, options=options)
    assert (result.updated, result.failed, result.blocked) == (614, 6, 0)
    assert {f"update device {reject.unique_id}" for reject in result.rejects} == set(poisoned)
    assert all("poisoned" in reject.reason for reject in result.rejects)
    del bench.system.before
    bench.system.before = lambda _: None
    again = bench.saved().apply(bench.source(), bench.target(), flags=GO_ON, options=SyncOptions(retry_rejected=True))
    assert (again.updated, again.done_before, again.is_complete) == (6, 614, True)
    assert len(bench.system.calls()) == len(set(bench.system.calls())) == 620
    assert bench.is_in_sync()


def test_what_stands_below_a_refused_object_is_blocked_and_retried_with_it(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)

    def refuse(call: str) -> None:
        if call == "create site b":
            raise ValueError("no room")

    bench.system.before = refuse
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON)
    assert [(reject.state, reject.unique_id) for reject in result.rejects] == [("failed", "b"), ("blocked", "b__d1")]
    listed = bench.saved().apply(bench.source(), bench.target(), flags=GO_ON)
    assert [reject.reason for reject in listed.rejects] == [reject.reason for reject in result.rejects]
    assert listed.applied == 0
    bench.system.before = lambda _: None
    again = bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(retry_rejected=True))
    assert (again.created, again.is_complete) == (2, True)
    assert bench.is_in_sync()


def test_without_the_flag_the_first_failure_ends_the_sync_and_the_next_one_begins_there(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)

    def refuse(call: str) -> None:
        if call == "create site b":
            raise ValueError("no room")

    bench.system.before = refuse
    with pytest.raises(ValueError, match="no room") as raised:
        saved.apply(bench.source(), bench.target())
    [note] = raised.value.__notes__
    assert "stopped at the create of site b, after 1 operations. Fix the cause and apply the diff again" in note
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target()).is_complete
    assert bench.is_in_sync()


def test_what_is_left_to_do_is_logged_with_the_next_step(bench: Bench) -> None:
    bench.adapter_class = Silent
    saved = bench.load({**SOURCE, "d": ("new", {})}, {**TARGET, "d": ("old", {})})
    with closing(bench.target().store) as store:
        store.get(model=Site, identifier="d").region = "by hand"

    def refuse(call: str) -> None:
        if call == "create site b":
            raise ValueError

    bench.system.before = refuse
    sent = next(found.id for found in saved.operations() if found.identifiers == {"site": "a", "name": "d2"})
    saved.journal().write({sent: Entry(State.SENT)})
    with capture_logs() as logs:
        result = saved.apply(
            bench.source(),
            bench.target(),
            flags=GO_ON,
            options=SyncOptions(exclude=(Select(model="site", unique_id="c"),), trust_journal=True),
        )
    told = [log["event"] for log in logs if log["log_level"] in {"warning", "error"}]
    steps = [
        "1 failed: fix",
        "1 blocked, because",
        "1 in conflict: the records",
        "1 unknown: check each",
        "1 suppressed: allow",
    ]
    for step, text in zip(steps, result.next_steps(), strict=True):
        assert text.startswith(step)
        assert told.count(text) == 1
    for reject in result.rejects:
        assert (reject.state == "blocked") is (reject.reason not in told)
    assert [one.reason for one in result.suppressed_operations] == ["excluded: model site, unique_id c"]


def test_secrets_are_in_no_reason_no_payload_and_no_log(bench: Bench) -> None:
    source, target = bench.source(), bench.target()
    for side, password in ((source, "hunter2-new"), (target, "hunter2-old")):
        with side.store.loading():
            site = Site(name="a")
            side.add(site)
            device = Device(site="a", name="d", password=password)
            side.add(device)
            site.add_child(device)

    def refuse(call: str) -> None:
        raise ValueError(f"{call}: hunter2-new is too short, hunter2-old was not")

    bench.system.before = refuse
    bench.diffs.compare(source, target, bench.name)
    with capture_logs() as logs:
        result = bench.saved().apply(source, bench.target(), flags=GO_ON)
        bench.system.before = lambda _: None
        bench.saved().apply(source, bench.target(), options=SyncOptions(retry_rejected=True))
    assert [log["log_level"] for log in logs if log["event"] == "Attempting model update"] == ["debug", "debug"]
    assert "hunter2" not in to_json(result.rejects) + to_csv(result.rejects) + str(result) + str(logs)
    assert "hunter2" not in "".join(entry.reason for _, entry in bench.saved().outcomes())


def test_an_update_that_failed_leaves_the_object_as_it_was(bench: Bench) -> None:
    class Hasty(Site):
        def update(self, attrs: dict[str, object]) -> None:
            self.region = str(attrs["region"])
            raise ValueError("too late")

    class Hurried(Network):
        site = Hasty

    bench.adapter_class = Hurried
    bench.load({"a": ("new", {})}, {"a": ("old", {})}).apply(bench.source(), bench.target(), flags=GO_ON)
    assert bench.target().get("site", "a").region == "old"


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (SyncOptions(select=(Select(unique_id="b*"),)), ["create site b", "create device b__d1"]),
        (SyncOptions(select=(Select(model="device", unique_id="b__*"),)), ["create site b", "create device b__d1"]),
        (SyncOptions(select=(Select(model="site", action="delete"),)), ["delete device c__d1", "delete site c"]),
        (SyncOptions(select=(Select(attribute="region", action="update"),)), ["update site a"]),
        (SyncOptions(exclude=(Select(action="delete"), Select(model="device"))), ["update site a", "create site b"]),
        (
            SyncOptions(select=(Select(unique_id="c*"),), exclude=(Select(unique_id="c__d1"),)),
            [],
        ),
    ],
    ids=["by pattern", "with its parent", "with its children", "by attribute", "exclude", "not without its children"],
)
def test_what_is_selected_is_applied_with_what_it_needs_and_the_rest_later(
    bench: Bench, options: SyncOptions, calls: list[str]
) -> None:
    saved = bench.load(SOURCE, TARGET)
    result = saved.apply(bench.source(), bench.target(), options=options)
    assert bench.system.calls() == calls
    assert result.suppressed == len(result.suppressed_operations) == saved.record.operations - len(calls)
    states = {operation.id: entry.state for operation, entry in bench.saved().outcomes()}
    assert {states[reject.operation_id] for reject in result.suppressed_operations} == {State.SUPPRESSED}
    assert bench.saved().apply(bench.source(), bench.target()).is_complete
    assert bench.is_in_sync()


@pytest.mark.slow
def test_rejects_are_told_as_json_and_as_csv_that_no_spreadsheet_computes() -> None:
    reject = Reject("create", "site", "=1+1", {"name": "=1+1"}, "+bad\nnews", payload={"+": {"region": "@x"}})
    [told] = json.loads(to_json([reject]))
    assert (told["unique_id"], told["payload"]) == ("=1+1", {"+": {"region": "@x"}})
    [row] = csv.DictReader(io.StringIO(to_csv([reject])))
    assert (row["unique_id"], row["reason"]) == ("'=1+1", "'+bad\nnews")
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
