"""Cases about a sync or a load that is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.enum import DiffSyncFlags, StoreState
from diffsync_store.journal import MemoryJournal
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record


class Stop(Exception):
    """An error in the middle of a sync."""


class InterruptCases(Cases):
    """A sync that was cut off goes on where it was; nothing is left out and nothing is done twice."""

    def test_interrupted_before_each_call(self, bench: Bench) -> None:
        """Ctrl-C before the first call, the second and so on, and a resume with the journal after each: the result is exact."""
        _Interrupted(bench).run(after=False, error=KeyboardInterrupt, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)

    def test_interrupted_after_each_call(self, bench: Bench) -> None:
        """Ctrl-C after a call and before its answer is in the journal: the resume looks the record up, or leaves it unknown."""
        _Interrupted(bench).run(after=True, error=KeyboardInterrupt, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)

    def test_stopped_by_an_error_and_resumed(self, bench: Bench) -> None:
        """Without CONTINUE_ON_FAILURE an error ends the sync; a resume with the journal does the rest."""
        _Interrupted(bench).run(after=False, error=Stop, flags=DiffSyncFlags.NONE)

    def test_a_diff_that_is_applied_twice(self, bench: Bench) -> None:
        """A saved diff that was applied does nothing the second time, with its journal and without it."""
        require(bench, None, "create", "update", "delete")
        records = _Interrupted(bench).records
        target, source = bench.load(), bench.wanted(records)
        diff, journal = target.diff_from(source), MemoryJournal()
        assert bench.apply(diff, source, target, journal=journal).is_complete
        with bench.watching(target) as calls:
            assert bench.apply(diff, source, target, journal=journal).applied_before
            assert calls.made == []
        bench.apply(diff, source, bench.load())
        bench.require_system(records)

    def test_an_interrupted_load_is_failed(self, bench: Bench) -> None:
        """A load that is cut off leaves a failed store; the next load of the same adapter is complete."""
        records = bench.some_of_each(3)
        bench.put(records)
        adapter = bench.adapter()
        _interrupt_third_add(adapter)
        with pytest.raises(KeyboardInterrupt):
            bench.load_with(adapter)
        assert adapter.store.record().state is StoreState.FAILED
        del vars(adapter)["add"]
        bench.load_with(adapter)
        assert adapter.store.record().state is StoreState.COMPLETE
        bench.require_no_difference(records, adapter)


def _interrupt_third_add(adapter: Adapter) -> None:
    original, left = adapter.add, iter(range(2))

    def add(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    vars(adapter)["add"] = add


class _Interrupted:
    """A sync with all three actions, one call for each record, that is cut off at each call in turn."""

    def __init__(self, bench: Bench) -> None:
        require(bench, None, "create", "update", "delete")
        self.bench = bench
        sample = list(bench.samples.values())[-1]
        bench.put(sample.records(4))
        self.records: list[Record] = [
            sample.record(0),
            sample.record(1, second=True),
            *(sample.record(number) for number in (4, 5)),
        ]
        self.sample = sample

    def run(self, *, after: bool, error: Callable[[], BaseException], flags: DiffSyncFlags) -> None:
        bench = self.bench
        target, source = bench.load(), bench.wanted(self.records)
        diff, journal = target.diff_from(source), MemoryJournal()
        can_look_up = bench.look_up(target, self.sample.model, [self.sample.record(0)]) is not None
        made: Counter[Any] = Counter()
        result, interruptions = None, 0
        while result is None:
            with bench.watching(target) as calls:
                calls.fail(0 if after else 1, error, after=after)
                try:
                    result = bench.apply(diff, source, target, journal=journal, flags=flags, batch_size=1, retries=0)
                except (KeyboardInterrupt, Stop):
                    interruptions += 1
            made.update((call.action, unique_id) for call in calls.made for unique_id in call.unique_ids)
            assert interruptions < 10, "The sync does not end."
        assert result.is_complete or (after and not can_look_up), f"The resumed sync is not complete: {result.rejects}"
        assert not made or max(made.values()) == 1, f"Calls were made twice: {made}"
        bench.require_system(self.records)
        bench.require_no_difference(self.records)
