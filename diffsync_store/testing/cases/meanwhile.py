"""Cases about a system that changes between the load and the sync."""

from __future__ import annotations

import pytest

from diffsync_store.result import SyncResult
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample


class MeanwhileCases(Cases):
    """Somebody else changes the system after the load: the sync goes on with the other records, and damages nothing."""

    def test_update_of_a_record_that_is_gone(self, bench: Bench, sample: Sample) -> None:
        """The update is listed as not done, the record does not come back, and the other updates are done."""
        require(bench, sample, "update")
        bench.put(sample.records(4))
        target = bench.load()
        bench.system.remove(sample.record(2))
        result = bench.sync([sample.record(0), *sample.records(4, second=True)[1:]], target)
        _require_named(bench, result, sample.record(2))
        bench.require_system([sample.record(0), sample.record(1, second=True), sample.record(3, second=True)])

    def test_delete_of_a_record_that_is_gone(self, bench: Bench, sample: Sample) -> None:
        """The record is gone, as it should be: the delete counts as done, and the other deletes are done."""
        require(bench, sample, "delete")
        bench.put(sample.records(4))
        target = bench.load()
        bench.system.remove(sample.record(2))
        bench.sync_all([sample.record(0)], target)

    def test_create_of_a_record_that_appeared(self, bench: Bench, sample: Sample) -> None:
        """The record is there once and with its own attributes; the create is listed unless it is just what was wanted."""
        require(bench, sample, "create")
        bench.put([sample.record(0)])
        target = bench.load()
        theirs = sample.record(2, second=True)
        bench.system.put(theirs)
        result = bench.sync(sample.records(4), target)
        bench.require_system([sample.record(0), sample.record(1), theirs, sample.record(3)])
        if theirs != sample.record(2):
            _require_named(bench, result, theirs)

    def test_a_changed_record_is_a_conflict(self, bench: Bench, sample: Sample) -> None:
        """With `lookup_first` a record that somebody changed after the load is a conflict, and is not overwritten."""
        require(bench, sample, "update", "delete")
        first, second = sample.record(1), sample.record(1, second=True)
        if first == second:
            pytest.skip(f"{sample.model} has no attribute that changes between `first` and `second`.")
        bench.put(sample.records(2))
        target = bench.load()
        if bench.look_up(target, sample.model, [first]) is None:
            pytest.skip(f"{sample.model} has no `lookup` or `lookup_many`.")
        bench.system.put(second)
        result = bench.sync([sample.record(0)], target, lookup_first=True)
        assert result.conflicts == 1
        bench.require_system([sample.record(0), second])

    def test_the_same_change_by_two_syncs(self, bench: Bench, sample: Sample) -> None:
        """Two adapters load, and both apply the same changes one after the other: the second one neither doubles nor undoes them."""
        require(bench, sample, "create", "update", "delete")
        bench.put(sample.records(3))
        wanted = [sample.record(0), sample.record(1, second=True), sample.record(3)]
        first, second = bench.load(), bench.load()
        bench.sync_all(wanted, first)
        bench.sync(wanted, second)
        bench.require_system(wanted)
        bench.require_no_difference(wanted)


def _require_named(bench: Bench, result: SyncResult, record: Record) -> None:
    unique_id = getattr(bench.models, record.model).create_unique_id(**record.identifiers)
    assert [reject.unique_id for reject in result.rejects] == [unique_id], (
        f"The sync has to list {unique_id!r} and nothing else: {result.rejects}"
    )
