"""A canary of random diffs on a target with foreign keys: it changes when operations come, and never what is done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from diffsync_store import DiffSyncFlags, LocalStore, Sync, SyncOptions
from diffsync_store.canary import Canary, read_canary
from diffsync_store.diff import walk
from diffsync_store.journal import MemoryJournal
from diffsync_store.rules import Decision, Rule, Rules
from diffsync_store.selection import Select
from diffsync_store.sync.rulings import Rulings
from tests.adapters.memory import MemoryAdapter, MemorySystem
from tests.sync.constrained import Data, ManyRing, Ring, Row
from tests.sync.test_order import can_go, flags, networks, options, window_of
from tests.sync.test_references import loaded, whole

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


class Killed(BaseException):
    """The process is killed."""


def with_lookups(ring: type[Ring]) -> type[Ring]:
    """Return the adapter with models that can be looked up."""

    def lookup(cls: type[Row], adapter: Any, ids: Data) -> Data | None:
        found: Data | None = adapter.system.records.get(cls.key(ids))
        return found

    names = ("site", "device", "interface", "address", "vlan")
    models = {name: type(name, (getattr(ring, name),), {"lookup": classmethod(lookup)}) for name in names}
    return type(ring.__name__, (ring,), {**models, "__module__": __name__})


def with_moves(ring: type[Ring]) -> type[Ring]:
    """Return the adapter with devices that move in one call."""

    def move(self: Any, _old: Any, _new: Any, attrs: Data) -> Any:
        self.adapter.system.call("update", [self.changed(attrs)])
        return self.update_base(attrs)

    device = type("device", (ring.device,), {"move": move})
    return type(ring.__name__, (ring,), {"device": device, "__module__": __name__})


rings = st.sampled_from([with_lookups(Ring), with_lookups(ManyRing)])
firsts = st.integers(1, 12)
sizes = st.sampled_from([1, 4, 20_000])


def sync(diff: Any, wanted: Ring, there: Ring, journal: MemoryJournal, asked: SyncOptions, **more: Any) -> Any:
    fields = {"batch_size": asked.batch_size, "workers": asked.workers, **more}
    return Sync(diff, wanted, there, SyncOptions(**fields), journal=journal, flags=GO_ON).run()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), networks(), flags, rings, options, sizes, firsts)
def test_a_canary_is_the_beginning_of_the_sync(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, flagged: Data, ring: type[Ring], asked: SyncOptions, window: int, first: int
) -> None:
    assume(can_go(source, target, flagged))
    wanted, there = ring("source").fill(source), ring("target").fill({**target, "flags": flagged})
    diff, journal = there.diff_from(wanted), MemoryJournal()
    with window_of(window):
        planned = len([1 for element, _ in walk(diff.get_children(), None) if element.action])
        result = sync(diff, wanted, there, journal, asked, canary=Canary(first=first))
    assert there.system.faults == []
    assert result.is_complete
    assert result.canary is not None
    assert result.canary.state == ("passed" if planned else "none")
    assert result.done_before == 0
    assert result.applied <= planned
    assert max(there.system.done.values(), default=1) == 1
    assert there.system.records == there.content() == wanted.content()
    record = read_canary(journal)
    assert record is not None
    assert record.is_over


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), networks(), rings, options, sizes, firsts, st.data())
def test_nothing_beyond_the_canary_is_written_unless_it_has_passed(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, ring: type[Ring], asked: SyncOptions, window: int, first: int, data: st.DataObject
) -> None:
    wanted, there = ring("source").fill(source), ring("target").fill(target)
    diff, journal = there.diff_from(wanted), MemoryJournal()
    calls = {f"{one.action} {one.type} {one.uid}" for one, _ in walk(diff.get_children(), None) if one.action}
    assume(calls)
    poisoned = data.draw(st.sets(st.sampled_from(sorted(calls)), min_size=1, max_size=3))

    def refuse(call: str) -> None:
        if call in poisoned:
            raise ValueError(call)

    there.system.before = refuse
    with window_of(window):
        canary = Canary(first=first)
        result = sync(diff, wanted, there, journal, asked, canary=canary)
        assert result.canary is not None
        if result.canary.state == "failed":
            assert result.canary.not_applied or result.canary.not_settled
            assert len(there.system.log) <= result.canary.operations
            assert result.stopped
        else:
            assert result.canary.not_applied == 0
        there.system.before = lambda _: None
        for _ in range(4):  # what refers to an operation that has failed fails with it
            result = sync(diff, wanted, there, journal, asked, canary=canary, retry_rejected=bool(result.rejects))
    result = sync(diff, wanted, there, journal, asked, canary=canary)
    assert result.is_complete, result
    assert max(there.system.done.values(), default=1) == 1
    assert there.system.records == there.content() == wanted.content()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), networks(), flags, rings, sizes, firsts, st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_a_sync_that_is_killed_again_and_again_does_everything_once(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, flagged: Data, ring: type[Ring], window: int, first: int, kills: list[int]
) -> None:
    assume(can_go(source, target, flagged))
    wanted, there = ring("source").fill(source), ring("target").fill({**target, "flags": flagged})
    diff, journal = there.diff_from(wanted), MemoryJournal()
    chosen: set[tuple[str, ...]] = set()
    with window_of(window):
        for kill in kills:
            left = [kill]

            def die(_: str, left: list[int] = left) -> None:
                left[0] -= 1
                if not left[0]:
                    raise Killed

            there.system.before = die
            try:
                sync(diff, wanted, there, journal, SyncOptions(batch_size=1), canary=Canary(first=first))
            except Killed:
                if (record := read_canary(journal)) is not None:
                    chosen.add(record.ids)
        there.system.before = lambda _: None
        result = sync(diff, wanted, there, journal, SyncOptions(batch_size=1), canary=Canary(first=first))
    assert len(chosen) <= 1
    assert not result.stopped, result.stopped
    assert max(there.system.done.values(), default=1) == 1
    assert there.system.records == there.content() == wanted.content()


actions, kinds = (
    st.sampled_from(["*", "create", "update", "delete"]),
    st.sampled_from(["*", "site", "device", "interface"]),
)
left_out = st.fixed_dictionaries(
    {},
    optional={
        "exclude": st.tuples(st.builds(Select, model=kinds, action=actions)),
        "select": st.tuples(st.builds(Select, model=kinds, action=actions)),
        "rulings": st.builds(
            Rule, model=kinds, action=actions, then=st.sampled_from([Decision.HOLD, Decision.REVIEW, Decision.IGNORE])
        ).map(lambda rule: Rulings(Rules(all=(rule,)))),
    },
)
canaries = st.builds(Canary, first=firsts, model=kinds, action=actions)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(networks(), networks(), rings.map(with_moves) | rings, left_out, canaries, st.booleans())
def test_what_a_sync_leaves_out_its_canary_leaves_out(  # noqa: PLR0917  # what is drawn
    source: Data, target: Data, ring: type[Ring], less: Data, canary: Canary, deletes_last: bool
) -> None:
    source, target = (
        {**data, "addresses": {}, "vlans": {}} for data in (source, target)
    )  # nobody knows to what they refer
    found = []
    for asked in (None, canary):
        wanted, there = ring("source").fill(source), ring("target").fill(target)
        how: Data = {"canary": asked, "deletes_last": deletes_last, **less}
        result = sync(there.diff_from(wanted), wanted, there, MemoryJournal(), SyncOptions(batch_size=1), **how)
        assume(asked or not (there.system.faults or result.failed or result.conflicts or result.blocked))
        assert not result.stopped, result.stopped
        found.append((there.system.records, there.content(), sorted(there.system.log), there.system.faults))
    assert found[0] == found[1]


WHERE: list[Data] = [
    {"model": "port"},
    {"model": "device", "where": {"name": "d4"}},
    {"model": "rack", "action": "create", "first": 1},
    {"model": "site", "where": {"name": ["4", "3"]}},
    {"action": "delete", "model": "kind"},
    {"action": "update"},
]


@pytest.mark.parametrize("chosen", WHERE, ids=str)
@pytest.mark.parametrize("batch", [1, 100])
def test_what_a_canary_needs_by_reference_comes_with_it(
    chosen: Data, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryAdapter, "look_up_records", lambda *_: NotImplemented)  # it shows ids instead of names
    before, after = whole(), whole(6)
    before["kind"].append({"name": "old"})
    before["device"].append({"name": "x", "kind": {"name": "old"}})
    before["device"].append({"name": "y", "kind": {"name": "old"}})
    after["device"].append({"name": "x", "kind": {"name": "new"}})
    after["kind"].append({"name": "new"})
    system = MemorySystem()
    target = loaded(system, LocalStore())
    how: Data = {"flags": DiffSyncFlags.NONE}
    start = loaded(MemorySystem(**before), LocalStore())
    Sync(target.diff_from(start), start, target, SyncOptions(batch_size=batch), **how).run()
    wanted = loaded(MemorySystem(**after), LocalStore())
    asked = SyncOptions(batch_size=batch, canary=Canary.model_validate(chosen))
    result = Sync(target.diff_from(wanted), wanted, target, asked, **how).run()
    assert result.canary is not None
    assert result.canary.state == "passed", result.stopped
    assert result.canary.not_read == result.canary.applied == result.canary.operations < result.applied
    assert result.is_complete
    assert not target.diff_from(wanted).has_diffs()
