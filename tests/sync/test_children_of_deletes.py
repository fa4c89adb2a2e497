"""Children that go with the object that they stand below, and stay where it stays."""

from __future__ import annotations

import pytest

from diffsync_store import DiffSyncFlags, DiffSyncModelFlags, SyncOptions
from diffsync_store.enum import OperationState as State
from diffsync_store.selection import Select
from tests.sync.conftest import Bench
from tests.sync.systems import Network, Site

SITE = Select(model="site")
GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


class WholeSite(Site):
    """Deleted with all that stands below it, by one call."""

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE


class Whole(Network):
    site = WholeSite


def states(bench: Bench) -> dict[str, State]:
    return {operation.model: entry.state for operation, entry in bench.saved().outcomes()}


@pytest.mark.parametrize("deletes_last", [False, True])
@pytest.mark.parametrize(("way", "stays"), [("suppressed", State.SUPPRESSED), ("refused", State.FAILED)])
def test_what_stands_below_a_delete_that_was_not_done_is_not_said_to_be_gone(
    bench: Bench, way: str, stays: State, *, deletes_last: bool
) -> None:
    bench.adapter_class = Whole
    bench.load({}, {"a": ("r", {"d1": "leaf"})})

    def refuse(call: str) -> None:
        raise ValueError(f"not now: {call}")

    options = SyncOptions(deletes_last=deletes_last, exclude=(SITE,) if way == "suppressed" else ())
    planned = bench.saved().dry_run(options, flags=GO_ON)
    if way == "refused":
        bench.system.before = refuse
    done = bench.saved().apply(bench.source(), bench.target(), options=options, flags=GO_ON)
    if way == "suppressed":
        assert planned.counts() == done.counts()
    assert states(bench) == {"site": stays, "device": State.BLOCKED}
    assert bench.target().store.count(model="device") == 1

    bench.system.before = lambda _: None
    options = SyncOptions(deletes_last=deletes_last, retry_rejected=way == "refused")
    assert bench.saved().apply(bench.source(), bench.target(), options=options, flags=GO_ON).deleted == 1
    assert states(bench) == {"site": State.DONE, "device": State.DONE}
    assert bench.system.calls() == ["delete site a"]
