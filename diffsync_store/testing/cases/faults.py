"""Cases about faults of the system and of the network, which `SystemUnderTest.fail_next` makes."""

from __future__ import annotations

import time

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.enum import StoreState
from diffsync_store.result import SyncResult
from diffsync_store.store.local import LocalStore
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample
from diffsync_store.testing.system import Fault
from diffsync_store.transient import is_transient

READ_FAULTS = pytest.mark.parametrize("fault", ["too many requests", "server error", "reset", "nonsense"])
WRITE_FAULTS = pytest.mark.parametrize("fault", ["too many requests", "server error", "reset", "lost answer"])
MANY = 1000


class FaultCases(Cases):
    """A fault costs time or an error that says what happened, never a record."""

    @READ_FAULTS
    def test_load_with_one_fault(self, bench: Bench, fault: Fault) -> None:
        """One failed read: the load has everything, or it raises an error, or it is partial. It is never complete with less."""
        bench.put(bench.some_of_each(3))
        bench.system.fail_next(fault, "read")
        _require_everything_or_an_error(bench, bench.some_of_each(3), transient=fault != "nonsense")

    def test_load_of_a_system_that_stays_broken(self, bench: Bench) -> None:
        """Every read fails: the load raises a transient error after a limited number of calls, and the store is failed."""
        bench.put(bench.some_of_each(1))
        bench.system.fail_next("server error", "read", MANY)
        adapter = bench.adapter()
        error = bench.try_load(adapter)
        assert error is not None, "The load of a system that fails every read raises no error."
        _require_transient(error, adapter)
        assert adapter.store.record().state is StoreState.FAILED

    def test_load_that_breaks_between_pages(self, bench: Bench) -> None:
        """The first page is read and no other: the load is failed or partial, not complete."""
        sample, count = _pages(bench)
        bench.put(sample.records(count))
        bench.system.between_pages(lambda: bench.system.fail_next("reset", "read", MANY))
        adapter = bench.adapter()
        _require_transient(bench.try_load(adapter), adapter)
        assert adapter.store.record().state is not StoreState.COMPLETE

    def test_a_record_is_deleted_between_pages(self, bench: Bench) -> None:
        """The pages shift while they are read: a record that was there all the time is loaded, or the load is not complete."""
        sample, count = _pages(bench)
        records = sample.records(count)
        bench.put(records)
        bench.system.between_pages(lambda: bench.system.remove(records[0]))
        _require_if_complete(bench, records[1:])

    def test_a_record_is_created_between_pages(self, bench: Bench) -> None:
        """The pages shift the other way: no record is loaded twice or left out, or the load is not complete."""
        sample, count = _pages(bench)
        records = sample.records(count + 1)
        bench.put(records[1:])
        bench.system.between_pages(lambda: bench.system.put(records[0]))
        _require_if_complete(bench, records[1:])

    @WRITE_FAULTS
    def test_creates_with_one_fault(self, bench: Bench, fault: Fault) -> None:
        """One failed call while records are created: all are created once, or the result names those that are not."""
        require(bench, None, "create")
        sample = _last(bench)
        bench.put([sample.record(0)])
        _sync_with_fault(bench, fault, sample.records(4))

    @WRITE_FAULTS
    def test_updates_with_one_fault(self, bench: Bench, fault: Fault) -> None:
        """One failed call while records are changed: all are changed, or the result names those that are not."""
        require(bench, None, "update")
        sample = _last(bench)
        bench.put(sample.records(4))
        _sync_with_fault(bench, fault, [sample.record(0), *sample.records(4, second=True)[1:]])

    @WRITE_FAULTS
    def test_deletes_with_one_fault(self, bench: Bench, fault: Fault) -> None:
        """One failed call while records are deleted: all are deleted, or the result names those that are not."""
        require(bench, None, "delete")
        sample = _last(bench)
        bench.put(sample.records(4))
        _sync_with_fault(bench, fault, [sample.record(0)])

    def test_retry_after_is_obeyed(self, bench: Bench) -> None:
        """A system that asks to come again after a second is left alone for a second."""
        bench.put(bench.some_of_each(1))
        bench.system.fail_next("too many requests", "read")
        start = time.monotonic()
        adapter = bench.adapter()
        error = bench.try_load(adapter)
        if error is not None:
            _require_transient(error, adapter)
            pytest.skip(
                "The adapter does not repeat reads: its load raises a transient error, and the caller repeats it."
            )
        assert time.monotonic() - start >= 0.9

    def test_writes_to_a_system_that_stays_broken(self, bench: Bench) -> None:
        """Every write fails: each operation is named as failed or unknown, and the system is as before."""
        require(bench, None, "create")
        sample = _last(bench)
        bench.put([sample.record(0)])
        target = bench.load()
        bench.system.fail_next("server error", "write", MANY)
        result = bench.sync(sample.records(4), target, retries=0)
        assert result.applied == 0
        assert len(result.rejects) == 3
        bench.require_system([sample.record(0)])

    def test_unreachable_system(self, bench: Bench) -> None:
        """A load of a system that cannot be reached raises an error with a text, and the store is failed."""
        adapter = bench.system.make_unreachable_adapter(LocalStore())
        error = bench.try_load(adapter)
        assert error is not None, "The load of a system that cannot be reached raises no error."
        assert str(error).strip(), "The error has no text."
        assert adapter.store.record().state is StoreState.FAILED


def _require_transient(error: Exception | None, adapter: Adapter) -> None:
    assert error is None or is_transient(error, adapter), f"The error is not transient: {error!r}"


def _last(bench: Bench) -> Sample:
    return next(reversed(bench.samples.values()))


def _pages(bench: Bench) -> tuple[Sample, int]:
    if not bench.system.page_size:
        pytest.skip(f"{type(bench.system).__name__} names no `page_size`.")
    return _last(bench), 2 * bench.system.page_size + 1


def _require_everything_or_an_error(bench: Bench, records: list[Record], *, transient: bool) -> None:
    adapter = bench.adapter()
    error = bench.try_load(adapter)
    if error is not None:
        if transient:
            _require_transient(error, adapter)
        assert adapter.store.record().state is StoreState.FAILED
        return
    if adapter.store.record().state is StoreState.COMPLETE:
        bench.require_no_difference(records, adapter)


def _require_if_complete(bench: Bench, records: list[Record]) -> None:
    """Load; if the load is complete, it has all of the records, which were in the system all the time."""
    adapter = bench.adapter()
    error = bench.try_load(adapter)
    if error is not None or adapter.store.record().state is not StoreState.COMPLETE:
        return
    for record in bench.with_needs(records):
        assert adapter.get_or_none(getattr(adapter, record.model), record.identifiers), (
            f"The load is complete, but lacks {record}."
        )


def _sync_with_fault(bench: Bench, fault: Fault, records: list[Record]) -> None:
    target = bench.load()
    can_look_up = bench.look_up(target, records[0].model, [records[0]]) is not None
    bench.system.fail_next(fault, "write")
    result = bench.sync(records, target)
    if result.is_complete:
        bench.require_system(records)
        bench.require_no_difference(records, target)
    else:
        _require_honest_rejects(result, fault, can_look_up=can_look_up)
    bench.sync_all(records)


def _require_honest_rejects(result: SyncResult, fault: Fault, *, can_look_up: bool) -> None:
    assert fault != "too many requests", f"The system asked for a later retry, but the sync gave up: {result.rejects}"
    assert not can_look_up, f"A lookup would have found out what was done: {result.rejects}"
    assert {reject.state for reject in result.rejects} <= {"unknown"}, (
        f"The outcome is unknown, but the sync reports a failure: {result.rejects}"
    )
