"""Rehearses the difference between a source and a target, both loaded, without a saved diff."""

from diffsync_store import DiffSyncFlags
from diffsync_store.adapter import Adapter
from diffsync_store.journal import MemoryJournal
from diffsync_store.operation import diff_of, operations_of
from diffsync_store.sync import SyncOptions
from diffsync_store.sync.rehearsal import Rehearsal, Rehearsed


def rehearsed(source: Adapter, target: Adapter, batch_size: int = 200) -> Rehearsed:
    diff = diff_of(operations_of(target.diff_from(source)), "source", "target")
    return Rehearsal(
        diff, target, MemoryJournal(), SyncOptions(batch_size=batch_size), DiffSyncFlags.CONTINUE_ON_FAILURE
    ).run()


def reasons(found: Rehearsed) -> dict[str, str]:
    """The reason of each reject, by unique id."""
    return {each.unique_id: each.reason for each in found.result.rejects}
