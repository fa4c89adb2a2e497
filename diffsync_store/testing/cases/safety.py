"""Cases about what must not be written."""

from __future__ import annotations

import pytest

from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import ChangeLimitExceeded
from diffsync_store.guards.change_limits import ChangeLimits, Limit, Limits
from diffsync_store.guards.guards import Guards
from diffsync_store.journal import MemoryJournal
from diffsync_store.operation import diff_of, operations_of
from diffsync_store.sync.dry_run import DryRun
from diffsync_store.sync.options import SyncOptions
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require


class SafetyCases(Cases):
    """A dry run, a guard and a load with gaps leave the system alone."""

    def test_a_diff_makes_no_call(self, bench: Bench) -> None:
        """A comparison calls no hook of the adapter, and the system is as before."""
        bench.put(bench.some_of_each(2))
        target = bench.load()
        with bench.watching(target) as calls:
            target.diff_from(bench.wanted(bench.some_of_each(3, second=True)))
            assert calls.made == []
        bench.require_system(bench.some_of_each(2))

    def test_a_dry_run_writes_nothing(self, bench: Bench) -> None:
        """A dry run counts the operations, calls no hook, and the system is as before."""
        bench.put(bench.some_of_each(2))
        target, source = bench.load(), bench.wanted([])
        diff = diff_of(operations_of(target.diff_from(source)), "source", "target")
        with bench.watching(target) as calls:
            result = DryRun(diff, MemoryJournal(), SyncOptions(), DiffSyncFlags.NONE).run()
            assert calls.made == []
        assert result.deleted == target.store.count()
        bench.require_system(bench.some_of_each(2))

    def test_a_guard_stops_before_the_first_write(self, bench: Bench) -> None:
        """A sync that would delete more than its limits allow calls no hook, and the system is as before."""
        require(bench, None, "delete")
        bench.put(bench.some_of_each(2))
        target = bench.load()
        guards = Guards(change_limits=ChangeLimits(sync=Limits(delete=Limit(absolute=0))))
        with bench.watching(target) as calls, pytest.raises(ChangeLimitExceeded):
            target.sync_from(bench.wanted(bench.some_of_each(1)), guards=guards)
        assert calls.made == []
        bench.require_system(bench.some_of_each(2))

    def test_a_source_with_gaps_deletes_nothing(self, bench: Bench) -> None:
        """Records that a partial load of the source lacks are not deleted in the system."""
        require(bench, None, "delete")
        bench.put(bench.some_of_each(2))
        target, source = bench.load(), bench.adapter()
        with source.store.loading():
            for name in bench.samples:
                source.incomplete(getattr(source, name), "the system did not answer")
        target.sync_from(source, guards=Guards())
        bench.require_system(bench.some_of_each(2))
