"""Workers, batches, retries, deletes last, and the stop when too many operations fail."""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import count
from typing import Any, ClassVar

import pytest

from diffsync_store import DiffSyncFlags
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import InvalidOptions
from diffsync_store.sync import throttle as pace
from diffsync_store.sync.options import SyncOptions
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Data, Device, Network, Site, System

DONE, FAILED, BLOCKED = OperationState.DONE, OperationState.FAILED, OperationState.BLOCKED
GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


def sites(number: int, role: str, devices: int = 3) -> Sites:
    return {f"s{site:03}": (role, {f"d{device}": role for device in range(devices)}) for site in range(number)}


def test_workers_are_in_the_system_at_the_same_time_and_no_more_than_asked_for(bench: Bench) -> None:
    saved = bench.load(sites(12, "new"), {})
    together = threading.Barrier(3)
    inside, most = count(1), []
    lock, present = threading.Lock(), [0]

    def meet(call: str) -> None:
        with lock:
            present[0] += 1
            most.append(present[0])
        if next(inside) <= 3:
            together.wait(100)
        with lock:
            present[0] -= 1

    bench.system.before = meet
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=3))
    assert (result.created, result.is_complete, max(most)) == (48, True, 3)
    bench.system.before = lambda _: None
    assert bench.is_in_sync()


def test_a_failure_ends_the_work_of_all_workers(bench: Bench) -> None:
    saved = bench.load(sites(40, "new"), {})

    def refuse(call: str) -> None:
        raise ValueError(call)

    bench.system.before = refuse
    with pytest.raises(ValueError, match="create site"):
        saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=4))
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(workers=4)).is_complete
    assert bench.is_in_sync()


class BulkDevice(Device):
    sizes: ClassVar[list[int]] = []

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        cls.sizes.append(len(records))
        for ids, _ in records:
            adapter.system.before(f"create device {cls.create_unique_id(**ids)}")
        return [cls.create(adapter, ids, attrs) for ids, attrs in records]

    @classmethod
    def update_many(cls, adapter: Any, changes: list[tuple[BulkDevice, Data]]) -> list[Any]:  # noqa: ARG003  # the objects know it
        cls.sizes.append(len(changes))
        return [obj.update(attrs) if obj.name != "d1" else KeyError("d1") for obj, attrs in changes]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[BulkDevice]) -> list[Any]:
        cls.sizes.append(len(objects))
        for obj in objects:
            adapter.system.before(f"delete device {obj.get_unique_id()}")
        return [obj.delete() for obj in objects]


class Bulk(Network):
    device = BulkDevice


@pytest.fixture
def sizes() -> list[int]:
    BulkDevice.sizes.clear()
    return BulkDevice.sizes


def test_siblings_are_created_and_deleted_in_batches(bench: Bench, sizes: list[int]) -> None:
    bench.adapter_class = Bulk
    source: Sites = {"a": ("r", {f"d{number}": "leaf" for number in range(25)})}
    target: Sites = {"a": ("r", {f"e{number}": "leaf" for number in range(5)})}
    result = bench.load(source, target).apply(bench.source(), bench.target(), options=SyncOptions(batch_size=10))
    assert (result.created, result.deleted, result.is_complete) == (25, 5, True)
    assert sorted(sizes) == [5, 5, 10, 10]
    assert bench.is_in_sync()


@pytest.mark.parametrize("target", [{}, sites(12, "old", 0), sites(12, "new", 0)], ids=["new", "changed", "there"])
def test_children_of_several_parents_go_in_one_call(bench: Bench, sizes: list[int], target: Sites) -> None:
    bench.adapter_class = Bulk
    saved = bench.load(sites(12, "new"), target)

    def refuse(call: str) -> None:
        if "e site s003" in call:
            raise ValueError("poisoned")

    bench.system.before = refuse
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON, options=SyncOptions(batch_size=10))
    refused = bool(result.failed)
    assert (refused, result.blocked) == (target != sites(12, "new", 0), 3 * refused)
    assert sizes == [10, 10, 10, 3 if refused else 6]
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(retry_rejected=True)).is_complete
    assert {entry.state for _, entry in bench.saved().outcomes()} == {DONE}
    assert len(bench.system.calls()) == len(set(bench.system.calls()))
    assert bench.is_in_sync()


def test_a_result_for_each_record_says_which_were_refused(bench: Bench, sizes: list[int]) -> None:
    bench.adapter_class = Bulk
    saved = bench.load(sites(1, "new"), sites(1, "old"))
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON)
    assert [(reject.unique_id, reject.reason) for reject in result.rejects] == [("s000__d1", "KeyError: 'd1'")]
    assert sizes == [3]


@pytest.mark.slow
def test_a_batch_that_raises_is_split_down_to_the_record_that_it_is_about(bench: Bench, sizes: list[int]) -> None:
    bench.adapter_class = Bulk
    saved = bench.load({"a": ("r", {f"d{number}": "leaf" for number in range(16)})}, {"a": ("r", {})})

    def refuse(call: str) -> None:
        if call == "create device a__d5":
            raise ValueError("poisoned")

    bench.system.before = refuse
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON)
    assert (result.created, [reject.unique_id for reject in result.rejects]) == (15, ["a__d5"])
    assert sizes[:2] == [16, 8]
    assert len(bench.system.calls()) == 15


class Busy(Network):
    transient_errors = (ConnectionError,)


def test_a_transient_error_is_tried_again_unless_the_call_has_landed(bench: Bench) -> None:
    bench.adapter_class = Busy
    saved = bench.load(sites(4, "new"), {})
    before, after = count(), count()

    def fail(numbers: Any, every: int) -> None:
        if next(numbers) % every == every - 1:
            raise ConnectionError("reset by peer")

    bench.system.before = lambda _: fail(before, 3)
    bench.system.after = lambda _: fail(after, 5)
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(retries=3, backoff=0))
    assert (result.created, result.is_complete) == (16, True)
    assert len(bench.system.calls()) == len(set(bench.system.calls())) == 16
    bench.system.before = bench.system.after = lambda _: None
    assert bench.is_in_sync()


def test_deletes_come_last_from_the_last_to_the_first(bench: Bench) -> None:
    saved = bench.load({"c": ("r", {})}, {"a": ("r", {"d1": "x", "d2": "x"}), "b": ("r", {})})
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(deletes_last=True))
    assert bench.system.calls() == [
        "create site c", "delete device a__d2", "delete device a__d1", "delete site b", "delete site a",
    ]  # fmt: skip
    assert result.is_complete
    assert {entry.state for _, entry in bench.saved().outcomes()} == {DONE}
    assert bench.is_in_sync()


def test_the_parent_of_a_failed_delete_is_not_deleted(bench: Bench) -> None:
    saved = bench.load({}, {"a": ("r", {"d1": "x", "d2": "x"})})

    def refuse(call: str) -> None:
        if call == "delete device a__d2":
            raise ValueError("in use")

    bench.system.before = refuse
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON, options=SyncOptions(deletes_last=True))
    assert [(reject.state, reject.unique_id) for reject in result.rejects] == [("failed", "a__d2"), ("blocked", "a")]
    assert set(bench.system.records()) == {("site", "a"), ("device", "a__d2")}


def test_deletes_that_come_last_go_in_batches_too(bench: Bench, sizes: list[int]) -> None:
    bench.adapter_class = Bulk
    saved = bench.load({}, sites(8, "old"))

    def refuse(call: str) -> None:
        if call == "delete device s003__d1":
            raise ValueError("in use")

    bench.system.before = refuse
    options = SyncOptions(deletes_last=True, batch_size=10)
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON, options=options)
    assert (result.deleted, result.failed, result.blocked) == (23 + 7, 1, 1)
    assert set(bench.system.records()) == {("site", "s003"), ("device", "s003__d1")}
    assert Counter(entry.state for _, entry in bench.saved().outcomes()) == {DONE: 30, FAILED: 1, BLOCKED: 1}
    assert sizes[:1] + sizes[-1:] == [10, 4]
    bench.system.before = lambda _: None
    again = bench.saved().apply(
        bench.source(), bench.target(), options=SyncOptions(deletes_last=True, retry_rejected=True)
    )
    assert again.is_complete
    assert bench.is_in_sync()


def test_a_sync_with_too_many_failures_stops_and_leaves_the_rest_pending(bench: Bench) -> None:
    saved = bench.load(sites(100, "new", 0), {})

    def refuse(call: str) -> None:
        if call >= "create site s010":
            raise ValueError("down")

    bench.system.before = refuse
    options = SyncOptions(max_failure_ratio=0.5, failure_ratio_after=10)
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON, options=options)
    assert result.stopped.startswith("Stopped: 11 of 21 operations failed, more than 50%.")
    assert "apply the diff again, or raise" in result.stopped
    assert "11 failed: fix" in result.next_steps()[0]
    bench.system.before = lambda _: None
    rest = bench.saved().apply(bench.source(), bench.target(), flags=GO_ON)
    assert (rest.created, rest.failed) == (79, 11)
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(retry_rejected=True)).is_complete
    assert bench.is_in_sync()


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"max_calls_per_second": 0}, {"max_failure_ratio": 2}, {"batch_size": 0}, {"retries": -1}]
)
def test_options_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions, match=next(iter(wrong))):
        SyncOptions(**wrong)


def test_the_system_of_these_tests_stores_its_records(tmp_path: Any) -> None:
    system = System(tmp_path / "x")
    system.call("create", Site._modelname, "a", {"region": "r"})
    assert system.read("site", "a") == {"region": "r"}


def test_no_more_calls_are_made_in_a_second_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that moves only while somebody waits."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def wait(_: pace.Throttle, seconds: float) -> None:
        clock[0] += max(0.0, seconds)

    monkeypatch.setattr(pace.Throttle, "_wait", wait)
    slow = pace.Throttle(SyncOptions(max_calls_per_second=5), ())
    called = [slow.call(lambda: clock[0], lambda: None) for _ in range(11)]
    assert called == pytest.approx([100.0 + number / 5 for number in range(11)])
