"""A dry run reports what a sync would do: the same counts, and nothing is asked, sent or written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import pytest

from diffsync_store import DiffSyncFlags, Guards
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import DiffNotApproved
from diffsync_store.journal import Entry
from diffsync_store.result import SyncResult
from diffsync_store.selection import Select
from diffsync_store.sync.options import SyncOptions
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Data, Device, Network

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
SOURCE: Sites = {"a": ("new", {"d1": "leaf", "d2": "spine"}), "b": ("r", {"d1": "leaf"})}
TARGET: Sites = {"a": ("old", {"d2": "leaf", "d3": "leaf"}), "c": ("r", {"d1": "leaf"})}
NO_SITES = Select(model="site", action="create")
DEVICES = Select(model="device")
GONE = Select(action="delete")


def fresh(_: Bench) -> None:
    """Nothing was done before."""


def refused(bench: Bench) -> None:
    """A sync has met a record that the target refuses, with one below it."""

    def refuse(call: str) -> None:
        if call == "create site b":
            raise ValueError("no room")

    bench.system.before = refuse
    bench.saved().apply(bench.source(), bench.target(), flags=GO_ON)
    bench.system.before = lambda _: None


def stopped(bench: Bench) -> None:
    """A sync was stopped after three operations."""
    options = SyncOptions(should_stop=lambda: len(bench.system.calls()) >= 3)
    assert bench.saved().apply(bench.source(), bench.target(), options=options).applied == 3


def approved_in_part(bench: Bench) -> None:
    """Somebody has left the deletes out."""
    bench.saved().approve(by="ann", reason="", exclude=(GONE,))


def applied(bench: Bench) -> None:
    """All of it was applied."""
    bench.saved().apply(bench.source(), bench.target())


def left_alone(bench: Bench) -> None:
    """A sync has been stopped, before which a model has left an operation alone."""
    bench.adapter_class = Choosy
    options = SyncOptions(should_stop=lambda: len(bench.system.calls()) >= 3)
    assert bench.saved().apply(bench.source(), bench.target(), options=options).skipped


class ChoosyDevice(Device):
    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        return None if ids["site"] == "a" else super().create(adapter, ids, attrs)


class Choosy(Network):
    """Leaves one of its devices alone."""

    device = ChoosyDevice


@pytest.mark.parametrize("before", [fresh, refused, stopped, approved_in_part, applied, left_alone])
@pytest.mark.parametrize(
    "options",
    [
        SyncOptions(),
        SyncOptions(retry_rejected=True),
        SyncOptions(select=(DEVICES,)),
        SyncOptions(exclude=(NO_SITES,)),
        SyncOptions(select=(GONE,), exclude=(Select(unique_id="c__*"),)),
    ],
    ids=["all", "retry", "select", "exclude", "both"],
)
def test_the_dry_run_says_what_a_sync_does(bench: Bench, before: Callable[[Bench], None], options: SyncOptions) -> None:
    bench.load(SOURCE, TARGET)
    before(bench)
    planned = bench.saved().dry_run(options, flags=GO_ON)
    done = bench.saved().apply(bench.source(), bench.target(), options=options, flags=GO_ON)
    if before is left_alone:  # what a model will leave alone it says only when it is asked
        assert planned.skipped == 1
    assert planned.counts() == done.counts()
    assert listed(planned) == listed(done)
    assert planned.applied_before == done.applied_before


def listed(result: SyncResult) -> list[tuple[str, str, str, str, str]]:
    found = [*result.rejects, *result.suppressed_operations]
    return sorted((each.state, each.action, each.model, each.unique_id, each.reason) for each in found)


def test_a_dry_run_sends_and_writes_nothing(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    assert saved.dry_run(SyncOptions(exclude=(GONE,))).suppressed == 3
    assert saved.journal().is_empty()
    assert bench.system.calls() == []


def test_what_guards_suppress_is_suppressed_in_the_dry_run(bench: Bench) -> None:
    for side, sites in ((bench.source(), SOURCE), (bench.target(), TARGET)):
        with side.store.loading():
            side.put(sites)
            if side.name == "source":
                side.incomplete("device", "page 2: 502")
    bench.diffs.compare(bench.source(), bench.target(), bench.name, guards=Guards())
    planned = bench.saved().dry_run()
    assert (planned.created, planned.updated, planned.deleted, planned.suppressed) == (3, 2, 0, 3)
    assert any("page 2: 502" in one.reason for one in planned.suppressed_operations)


def test_operations_sent_by_a_killed_sync_are_unknown(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    first = next(saved.operations())
    saved.journal().write({first.id: Entry(State.SENT)})
    planned = saved.dry_run()
    assert (planned.unknown, planned.applied) == (1, 7)
    assert planned.rejects[0].unique_id == first.unique_id


def test_the_dry_run_of_a_rejected_diff_needs_an_approval(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.reject(by="bob", reason="not tonight")
    with pytest.raises(DiffNotApproved, match="bob rejected this diff"):
        saved.dry_run()
    assert saved.dry_run(SyncOptions(require_approval=True)).applied == 8


def test_a_skipped_operation_is_not_applied_when_the_diff_is_applied_again(bench: Bench) -> None:
    bench.load(SOURCE, TARGET)
    bench.adapter_class = Choosy
    first = bench.saved().apply(bench.source(), bench.target())
    again = bench.saved().apply(bench.source(), bench.target())
    assert (first.applied, first.skipped) == (7, 1)
    assert (again.applied, again.done_before, again.skipped) == (0, 7, 1)
