"""Cases about batches."""

from __future__ import annotations

import pytest

from diffsync_store.result import SyncResult
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample

SIZE = 5


class BatchCases(Cases):
    """Many records in one call: the good ones are written, the bad ones are named, and each answer is for its own record."""

    @pytest.mark.parametrize("batch_size", [1, 2, 200])
    def test_creates_in_batches(self, bench: Bench, sample: Sample, batch_size: int) -> None:
        """Records are created one by one, two by two and all at once, with the same result."""
        require(bench, sample, "create")
        bench.sync_all(sample.records(SIZE), batch_size=batch_size)

    @pytest.mark.parametrize("batch_size", [1, 2, 200])
    def test_updates_in_batches(self, bench: Bench, sample: Sample, batch_size: int) -> None:
        """Records are changed one by one, two by two and all at once, with the same result."""
        require(bench, sample, "update")
        bench.put(sample.records(SIZE))
        bench.sync_all([sample.record(0), *sample.records(SIZE, second=True)[1:]], batch_size=batch_size)

    @pytest.mark.parametrize("batch_size", [1, 2, 200])
    def test_deletes_in_batches(self, bench: Bench, sample: Sample, batch_size: int) -> None:
        """Records are deleted one by one, two by two and all at once, with the same result."""
        require(bench, sample, "delete")
        bench.put(sample.records(SIZE))
        bench.sync_all([sample.record(0)], batch_size=batch_size)

    @pytest.mark.parametrize("place", [1, 3, SIZE], ids=["first", "middle", "last"])
    def test_one_bad_create_in_a_batch(self, bench: Bench, sample: Sample, place: int) -> None:
        """The record that the system refuses is named with a reason, and every other record of the batch is written."""
        require(bench, sample, "create")
        bad = _bad(sample, place)
        good = [sample.record(number) for number in range(SIZE + 1) if number != place]
        bench.put([sample.record(0)])
        result = bench.sync([*good[:place], bad, *good[place:]])
        _require_rejects(bench, result, [bad])
        bench.require_system(good)
        bench.require_no_difference(good)

    def test_one_bad_update_in_a_batch(self, bench: Bench, sample: Sample) -> None:
        """The change that the system refuses is named, its record is as before, and every other change is written."""
        require(bench, sample, "update")
        bad = _bad_update(sample, 2)
        bench.put(sample.records(SIZE))
        good = [sample.record(number, second=number not in {0, 2}) for number in range(SIZE)]
        result = bench.sync([*good[:2], bad, *good[3:]])
        _require_rejects(bench, result, [bad])
        bench.require_system(good)
        bench.require_no_difference(good)

    def test_only_bad_creates_in_a_batch(self, bench: Bench, sample: Sample) -> None:
        """Every record of the batch is named, and nothing is written."""
        require(bench, sample, "create")
        bad = [_bad(sample, number) for number in (1, 2, 3)]
        bench.put([sample.record(0)])
        result = bench.sync([sample.record(0), *bad])
        _require_rejects(bench, result, bad)
        bench.require_system([sample.record(0)])

    def test_only_bad_updates_in_a_batch(self, bench: Bench, sample: Sample) -> None:
        """Every change of the batch is named, and every record is as before."""
        require(bench, sample, "update")
        bad = [_bad_update(sample, number) for number in (1, 2, 3)]
        bench.put(sample.records(4))
        result = bench.sync([sample.record(0), *bad])
        _require_rejects(bench, result, bad)
        bench.require_system(sample.records(4))

    def test_a_refused_record_does_not_come_back_as_loaded(self, bench: Bench, sample: Sample) -> None:
        """What was refused is not in the target's store either: the next diff wants it again."""
        require(bench, sample, "create")
        bad = _bad(sample, 1)
        bench.put([sample.record(0)])
        target = bench.load()
        bench.sync([sample.record(0), bad], target)
        bench.require_no_difference([sample.record(0)], target)

    def test_answers_are_for_their_own_records(self, bench: Bench, sample: Sample) -> None:
        """After a batch of creates, each object has the id of its own record: changes by the same adapter reach the right ones."""
        require(bench, sample, "create", "update", "delete")
        target = bench.load()
        bench.sync_all([sample.record(number, second=number % 2 == 1) for number in range(SIZE)], target)
        bench.sync_all([sample.record(number, second=number == 3) for number in range(SIZE)], target)
        bench.sync_all([sample.record(number, second=number == 3) for number in range(SIZE) if number != 2], target)

    def test_nothing_is_written_below_a_refused_parent(self, bench: Bench) -> None:
        """If a parent is refused, its children are blocked or refused too, and listed."""
        require(bench, None, "create")
        parent = next((one for one in bench.samples.values() if _has_children(bench, one)), None)
        if parent is None:
            pytest.skip("No model has children.")
        bad = _bad_attributes(parent, 0)
        records = [bad if record.model == parent.model else record for record in bench.some_of_each(1)]
        result = bench.sync(records)
        assert not result.is_complete
        left = [record for record in bench.seen() if parent.model in bench.needed_by(record.model)]
        assert not left, f"Records without their parent: {left}"


def _has_children(bench: Bench, sample: Sample) -> bool:
    children = getattr(bench.models, sample.model)._children
    return bool(children.keys() & bench.samples.keys())


def _bad(sample: Sample, number: int) -> Record:
    if not sample.refused:
        pytest.skip(f"The sample of {sample.model} has no values in `refused`.")
    return sample.bad_record(number)


def _bad_attributes(sample: Sample, number: int) -> Record:
    bad, good = _bad(sample, number), sample.record(number)
    if bad.identifiers != good.identifiers or bad.attributes == good.attributes:
        pytest.skip(f"The system refuses identifiers of {sample.model}, and no attributes.")
    return bad


def _bad_update(sample: Sample, number: int) -> Record:
    return _bad_attributes(sample, number)


def _require_rejects(bench: Bench, result: SyncResult, bad: list[Record]) -> None:
    named = sorted(reject.unique_id for reject in result.rejects)
    wanted = sorted(getattr(bench.models, record.model).create_unique_id(**record.identifiers) for record in bad)
    assert named == wanted, f"The sync lists {[(one.unique_id, one.reason) for one in result.rejects]}, not {wanted}."
    assert all(reject.reason.strip() for reject in result.rejects), "A reject has no reason."
    assert {reject.state for reject in result.rejects} == {"failed"}
