"""Cases about a create, an update and a delete."""

from __future__ import annotations

import pytest

from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Sample


class ChangeCases(Cases):
    """What a sync changes is in the system, and the next load finds no difference."""

    def test_create_writes_a_record(self, bench: Bench, sample: Sample) -> None:
        """A new record is in the system with every attribute; the records beside it are as before."""
        require(bench, sample, "create")
        bench.put([sample.record(0)])
        bench.sync_all(sample.records(2))

    def test_update_writes_every_attribute(self, bench: Bench, sample: Sample) -> None:
        """All attributes of a record change; the records beside it are as before."""
        require(bench, sample, "update")
        bench.put(sample.records(3))
        wanted = [sample.record(0), sample.record(1, second=True), sample.record(2)]
        _require_change(sample)
        bench.sync_all(wanted)

    def test_update_writes_one_attribute(self, bench: Bench, sample: Sample) -> None:
        """A change of one attribute leaves the others of the record alone, for each attribute."""
        require(bench, sample, "update")
        record = sample.record(1)
        bench.put([record])
        for name, value in _changing(sample, 1).items():
            record = record.with_fields(**{name: value})
            bench.sync_all([record])

    def test_update_leaves_alone_what_it_does_not_change(self, bench: Bench, sample: Sample) -> None:
        """An attribute that somebody changes in the system after the load survives an update of another attribute."""
        require(bench, sample, "update", "partial update")
        changing = list(_changing(sample, 1).items())
        if len(changing) < 2:
            pytest.skip(f"{sample.model} does not have two attributes that change between `first` and `second`.")
        [(mine, my_value), (other, other_value), *_] = changing
        bench.put([sample.record(1)])
        target = bench.load()
        bench.system.put(sample.record(1).with_fields(**{other: other_value}))
        result = bench.sync([sample.record(1).with_fields(**{mine: my_value})], target)
        assert result.updated == 1
        bench.require_system([sample.record(1).with_fields(**{mine: my_value, other: other_value})])

    def test_delete_removes_one_record(self, bench: Bench, sample: Sample) -> None:
        """The record is gone; the records beside it are as before."""
        require(bench, sample, "delete")
        bench.put(sample.records(3))
        bench.sync_all([sample.record(0), sample.record(2)])

    def test_create_update_and_delete_in_one_sync(self, bench: Bench, sample: Sample) -> None:
        """A sync with all three actions does each of them."""
        require(bench, sample, "create", "update", "delete")
        bench.put(sample.records(4))
        bench.sync_all([sample.record(0), sample.record(1, second=True), sample.record(2), *sample.records(6)[4:]])

    def test_attributes_change_and_change_back(self, bench: Bench, sample: Sample) -> None:
        """The second attributes, then the first ones again: every sync is followed by a diff without changes."""
        require(bench, sample, "update")
        bench.put(sample.records(2))
        for second in (True, False):
            bench.sync_all([sample.record(0), sample.record(1, second=second)])

    def test_the_same_adapter_goes_on_after_a_create(self, bench: Bench, sample: Sample) -> None:
        """A record that the adapter has just created can be updated and deleted without a new load."""
        require(bench, sample, "create", "update", "delete")
        bench.put([sample.record(0)])
        target = bench.load()
        for records in (sample.records(2), [sample.record(0), sample.record(1, second=True)], [sample.record(0)]):
            bench.sync_all(records, target)

    def test_the_target_store_follows_the_system(self, bench: Bench) -> None:
        """After a sync the target's store holds what a new load holds."""
        require(bench, None, "create", "update")
        bench.put(bench.some_of_each(1))
        target = bench.load()
        records = [*bench.some_of_each(1), *(sample.record(1) for sample in bench.samples.values())]
        bench.sync_all(records, target)
        bench.require_no_difference(records, target)

    def test_an_empty_diff_changes_nothing(self, bench: Bench) -> None:
        """A sync of systems without differences makes no change."""
        records = bench.some_of_each(2)
        bench.put(records)
        result = bench.sync_all(records)
        assert result.applied == 0


def _changing(sample: Sample, number: int) -> dict[str, object]:
    """The attributes that differ between the first and the second values, with their second values."""
    first, second = sample.record(number).attributes, sample.record(number, second=True).attributes
    return {name: value for name, value in second.items() if value != first[name]}


def _require_change(sample: Sample) -> None:
    if not _changing(sample, 1):
        pytest.skip(f"{sample.model} has no attribute that changes between `first` and `second`.")
