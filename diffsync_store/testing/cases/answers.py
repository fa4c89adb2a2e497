"""Cases about lost answers and lookups."""

from __future__ import annotations

from typing import Any

import pytest

from diffsync_store.result import SyncResult
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample

RETRIES = pytest.mark.parametrize("retries", [0, 2], ids=["no retry", "two retries"])


class AnswerCases(Cases):
    """If the answer of a call is lost, nothing is done twice, and what was done is found out if the models have a lookup."""

    @RETRIES
    def test_lost_answer_of_a_create(self, bench: Bench, sample: Sample, retries: int) -> None:
        """The records are created, and the answer is lost: there is no second copy of them."""
        require(bench, sample, "create")
        bench.put([sample.record(0)])
        _lose_answer(bench, sample, sample.records(4), retries)

    @RETRIES
    def test_lost_answer_of_an_update(self, bench: Bench, sample: Sample, retries: int) -> None:
        """The records are changed, and the answer is lost: the change counts as done or unknown, not as failed."""
        require(bench, sample, "update")
        bench.put(sample.records(4))
        _lose_answer(bench, sample, [sample.record(0), *sample.records(4, second=True)[1:]], retries)

    @RETRIES
    def test_lost_answer_of_a_delete(self, bench: Bench, sample: Sample, retries: int) -> None:
        """The records are deleted, and the answer is lost: the deletes count as done, not as failed."""
        require(bench, sample, "delete")
        bench.put(sample.records(4))
        _lose_answer(bench, sample, [sample.record(0)], retries)

    def test_a_call_that_did_not_arrive_is_made_again(self, bench: Bench, sample: Sample) -> None:
        """If the connection is refused, the same call is made again, and everything is written once."""
        require(bench, sample, "create")
        bench.put([sample.record(0)])
        target = bench.load()
        with bench.watching(target) as calls:
            calls.fail(0, lambda: ConnectionRefusedError("Nobody listens."))
            bench.sync_all(sample.records(4), target)

    def test_the_adapter_goes_on_after_a_lost_create(self, bench: Bench, sample: Sample) -> None:
        """A record whose create was looked up can be changed and deleted by the same adapter: the lookup has found its id."""
        require(bench, sample, "create", "update", "delete")
        bench.put([sample.record(0)])
        target = bench.load()
        _require_lookup(bench, target, sample)
        with bench.watching(target) as calls:
            calls.lose_answer()
            bench.sync_all(sample.records(3), target)
        bench.sync_all([sample.record(0), *sample.records(3, second=True)[1:]], target)
        bench.sync_all([sample.record(0)], target)

    def test_lookup_agrees_with_load(self, bench: Bench, sample: Sample) -> None:
        """A lookup returns the attributes that a load returns, so that a record is found unchanged."""
        records = [sample.record(0), sample.record(1, second=True)]
        bench.put(records)
        adapter = bench.load()
        found = _require_lookup(bench, adapter, sample, *records)
        for record, now in zip(records, found, strict=True):
            wanted = adapter.get(getattr(adapter, sample.model), record.identifiers).get_attrs()
            assert now is not None, f"The lookup has not found {record}."
            assert {name: now[name] for name in wanted if name in now} == wanted
            assert wanted.keys() <= now.keys(), "A lookup has to return all attributes."

    def test_lookup_of_a_missing_record_is_none(self, bench: Bench, sample: Sample) -> None:
        """A lookup returns None for a record that is not there, and no error."""
        bench.put([sample.record(0)])
        adapter = bench.load()
        assert _require_lookup(bench, adapter, sample, sample.record(1)) == [None]

    def test_lookup_keeps_the_order(self, bench: Bench, sample: Sample) -> None:
        """A lookup of several records, some missing, answers in the order of the request."""
        bench.put([sample.record(0), sample.record(2, second=True)])
        adapter = bench.load()
        records = [sample.record(number) for number in (3, 2, 1, 0)]
        found = _require_lookup(bench, adapter, sample, *records)
        assert [now is not None for now in found] == [False, True, False, True]
        model = getattr(adapter, sample.model)
        wanted = model(**sample.record(2, second=True).fields).get_attrs()
        assert {name: (found[1] or {})[name] for name in wanted} == wanted


def _lose_answer(bench: Bench, sample: Sample, records: list[Record], retries: int) -> None:
    """Sync, and lose the answer of the first call."""
    target = bench.load()
    can_look_up = bench.look_up(target, sample.model, [sample.record(0)]) is not None
    with bench.watching(target) as calls:
        calls.lose_answer()
        result = bench.sync(records, target, retries=retries)
        assert calls.made, "The sync has made no call."
    bench.require_system(records)
    bench.require_no_difference(records)
    _require_honest(result, can_look_up=can_look_up)


def _require_honest(result: SyncResult, *, can_look_up: bool) -> None:
    assert {reject.state for reject in result.rejects} <= {"unknown"}, (
        f"Everything was written, but the sync reports rejects: {result.rejects}"
    )
    if can_look_up:
        assert result.is_complete, f"A lookup would have found out that everything was written: {result.rejects}"


def _require_lookup(bench: Bench, adapter: Any, sample: Sample, *records: Record) -> list[dict[str, Any] | None]:
    found = bench.look_up(adapter, sample.model, list(records) or [sample.record(0)])
    if found is None:
        pytest.skip(
            f"{sample.model} has no `lookup` or `lookup_many`: what was done before a lost answer stays unknown."
        )
    return found
