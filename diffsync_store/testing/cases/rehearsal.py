"""Cases about the rehearsal of a sync."""

from __future__ import annotations

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.hooks import hook
from diffsync_store.journal import MemoryJournal
from diffsync_store.operation import diff_of, operations_of
from diffsync_store.sync import SyncOptions
from diffsync_store.sync.rehearsal import Rehearsal, Rehearsed
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample


class RehearsalCases(Cases):
    """If the adapter offers `rehearse_many`, a rehearsal changes nothing, and what it refuses is refused by the write."""

    def test_a_rehearsal_changes_nothing(self, bench: Bench, sample: Sample) -> None:
        """Creates, updates and deletes are rehearsed: the system has the same records as before, and the sync does them all."""
        require(bench, sample, "create", "update", "delete")
        bench.put(sample.records(3))
        wanted = [sample.record(0), sample.record(1, second=True), sample.record(3)]
        found = _rehearse(bench, wanted)
        bench.require_system(sample.records(3))
        assert not found.result.rejects, f"Refused although the write is accepted: {found.result.rejects}"
        bench.sync_all(wanted)

    def test_what_a_rehearsal_refuses_is_refused_by_the_write(self, bench: Bench, sample: Sample) -> None:
        """A value that the system refuses may be refused in the rehearsal; nothing else is."""
        require(bench, sample, "create")
        if not sample.refused:
            pytest.skip(f"{sample.model} has no `refused` values.")
        bench.put([sample.record(0)])
        wanted = [*sample.records(3), sample.record(3).with_fields(**sample.refused)]
        found = _rehearse(bench, wanted)
        bench.require_system([sample.record(0)])
        result = bench.sync(wanted)
        refused = {each.unique_id for each in found.result.rejects}
        assert refused <= {each.unique_id for each in result.rejects}, f"Accepted by the write: {refused}"


def _rehearse(bench: Bench, wanted: list[Record]) -> Rehearsed:
    """Rehearse with an adapter of its own."""
    target: Adapter = bench.load()
    if hook(target, "rehearse_many") is None:
        pytest.skip("The adapter does not offer `rehearse_many`.")
    diff = diff_of(operations_of(target.diff_from(bench.wanted(wanted))), "wanted", "system")
    return Rehearsal(diff, target, MemoryJournal(), SyncOptions(), DiffSyncFlags.CONTINUE_ON_FAILURE).run()
