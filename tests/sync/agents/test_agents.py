"""Several agents apply one saved diff."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import DiffSyncFlags
from diffsync_store.agents import Agent, AgentState
from diffsync_store.exceptions import InvalidOptions, SyncTakenOver
from diffsync_store.result import SyncResult
from diffsync_store.selection import Select
from diffsync_store.sync.agents import heartbeat
from diffsync_store.sync.agents.heartbeat import Heartbeat
from diffsync_store.sync.options import SyncOptions
from tests.servers import RedisServer, wait_until
from tests.sync.agents.inventory import InventoryBench, Strict

NAMES = ("one", "two", "three", "four")
SECONDS = 100.0
"""Longer than anything takes that must come."""


@pytest.fixture
def bench(redis_server: RedisServer, tmp_path: Path) -> Iterator[InventoryBench]:
    made = InventoryBench(redis_server.url, tmp_path)
    yield made
    made.close()


def apply(
    bench: InventoryBench,
    agent: Agent,
    options: SyncOptions | None = None,
    before: Callable[[str], None] | None = None,
    after: Callable[[str], None] | None = None,
    **arguments: Any,
) -> SyncResult:
    """Apply as a process that has just started, with functions that are called before and after each call of the system."""
    saved, source, target = bench.new_process()
    assert target.system is not None
    target.system.before = before or target.system.before
    target.system.after = after or target.system.after
    try:
        return saved.apply(source, target, options=options, agent=agent, **arguments)
    finally:
        target.store.close()


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    """Return the results of functions that run at the same time, or their errors."""
    results: list[Any] = [None] * len(work)

    def run(number: int) -> None:
        try:
            results[number] = work[number]()
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * SECONDS)
        assert not thread.is_alive()
    return results


def agents(bench: InventoryBench) -> Sequence[AgentState]:
    found = bench.saved().round()
    return () if found is None else found.agents


def together(
    bench: InventoryBench, *names: str, before: Callable[[str], None] = lambda _: None, **arguments: Any
) -> list[Any]:
    """Apply with several agents. No call is made before all of them have joined: a late one would find nothing to do."""
    all_there = threading.Event()

    def call_together(call: str) -> None:
        if not all_there.is_set():
            wait_until(lambda: len(agents(bench)) == len(names), SECONDS, "all have joined")
            all_there.set()
        before(call)

    def one(name: str) -> SyncResult:
        return apply(bench, Agent(name=name), before=call_together, **arguments)

    return in_threads(*(partial(one, name) for name in names))


def test_agents_share_the_work_and_one_closes_the_diff(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    results = together(bench, *NAMES)
    calls = bench.system.calls()
    assert len(calls) == len(set(calls)) == saved.record.operations == sum(result.applied for result in results)
    bench.require_in_sync()
    assert isinstance(bench.system, Strict)
    assert bench.system.counted("sync_complete") == 1
    application, found, total = saved.journal().application(), saved.round(), saved.round_result()
    assert application is not None
    assert found is not None
    assert total is not None
    assert application.operations == saved.record.operations == total.applied
    assert sorted(agent.name for agent in found.agents) == sorted(NAMES)
    assert {agent.state for agent in found.agents} == {"ended"}
    assert sum(agent.operations for agent in found.agents) == saved.record.operations
    assert found.closed_by in NAMES
    assert not saved.journal().is_running()


def test_an_agent_that_comes_late_finds_nothing_to_do(bench: InventoryBench) -> None:
    bench.prepare(random.Random(1))
    assert apply(bench, Agent(name="first")).is_complete
    calls = bench.system.calls()
    late = apply(bench, Agent(name="late"))
    assert "Nothing was done" in late.applied_before
    assert bench.system.calls() == calls


def test_the_order_is_that_of_one_process(bench: InventoryBench) -> None:
    """Kinds come before sites, a site before its devices, deletes last; the system refuses what comes too early."""
    bench.prepare(random.Random(13))
    together(bench, *NAMES)
    actions = [call.split()[0] for call in bench.system.calls()]
    created = [call.split() for call in bench.system.calls() if call.startswith("create")]
    kinds = [number for number, (_, model, _) in enumerate(created) if model == "kind"]
    assert kinds == list(range(len(kinds)))
    first_delete = actions.index("delete")
    early = {call for call in bench.system.calls()[first_delete:] if not call.startswith("delete")}
    deleted = {tuple(call.split()[1:]) for call in bench.system.calls() if call.startswith("delete")}
    moved = {call for call in early if tuple(call.split()[1:]) in deleted}
    assert early >= moved


def test_the_first_failure_stops_all_agents(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    refused = [call for call in planned(bench) if call.startswith("create device")][3]

    def refuse(call: str) -> None:
        if call == refused:
            raise ValueError("the disk is full")

    results = together(bench, *NAMES, before=refuse)
    [error] = [result for result in results if isinstance(result, Exception)]
    assert "the disk is full" in str(error)
    assert any("The sync stopped at the create of device" in note for note in error.__notes__)
    others = [result for result in results if isinstance(result, SyncResult)]
    assert all("The sync stopped at the create of device" in result.stopped for result in others)
    assert saved.journal().application() is None
    total = saved.round_result()
    assert total is not None
    assert total.failed == 1
    assert total.stopped
    assert all(result.is_complete for result in together(bench, *NAMES))
    calls = bench.system.calls()
    assert len(calls) == len(set(calls)) == saved.record.operations
    bench.require_in_sync()


def planned(bench: InventoryBench) -> list[str]:
    return [f"{each.action} {each.model} {each.unique_id}" for each in bench.saved().operations()]


def test_failures_are_listed_and_the_rest_is_applied(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    refused = [call for call in planned(bench) if call.startswith("update device")][:2]

    def refuse(call: str) -> None:
        if call in refused:
            raise ValueError("no")

    results = together(bench, *NAMES, before=refuse, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert sum(result.failed for result in results) == 2
    total = saved.round_result()
    assert total is not None
    assert total.failed == 2 == len(total.rejects)
    assert total.applied == saved.record.operations - 2
    assert saved.journal().application() is None
    assert not saved.journal().is_running()
    retry = SyncOptions(retry_rejected=True)
    together(bench, *NAMES, options=retry)
    bench.require_in_sync()
    assert saved.journal().application() is not None


def test_an_agent_that_is_asked_to_stop_leaves_its_work_to_the_others(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    seen: list[str] = []
    stopping = SyncOptions(should_stop=lambda: len(seen) > 3)
    stopped, *others = in_threads(
        lambda: apply(bench, Agent(name="one"), stopping, seen.append),
        *(lambda name=name: apply(bench, Agent(name=name)) for name in NAMES[1:]),
    )
    assert "Stopped on request" in stopped.stopped or stopped.is_complete
    assert all(result.is_complete for result in others)
    assert saved.journal().application() is not None
    bench.require_in_sync()


def test_an_agent_that_leads_stops_all(bench: InventoryBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_MAX_PAUSE", 0.1)
    saved = bench.prepare(random.Random(11))
    seen: list[str] = []
    has_joined = threading.Event()
    stopping = SyncOptions(should_stop=lambda: has_joined.is_set() and len(seen) > 3 and "The window has closed.")

    def lead(call: str) -> None:
        """Wait until the other one has joined: it may have no unit as long as this call lasts."""
        seen.append(call)
        if len(seen) > 3:
            wait_until(lambda: len(agents(bench)) == 2, SECONDS)
            has_joined.set()

    leader, other = in_threads(
        lambda: apply(bench, Agent(name="one", leads=True), stopping, lead),
        lambda: apply(bench, Agent(name="two"), before=lambda _: time.sleep(0.1)),
    )
    total = saved.round_result()
    assert total is not None
    assert leader.stopped == other.stopped == total.stopped == "The window has closed."
    assert total.applied == sum(entry.is_applied for _, entry in saved.outcomes())
    assert saved.journal().application() is None
    assert apply(bench, Agent(name="one")).is_complete
    bench.require_in_sync()


def test_an_agent_with_other_options_is_refused(bench: InventoryBench) -> None:
    bench.prepare(random.Random(11))
    entered, go_on = threading.Event(), threading.Event()

    def block(_: str) -> None:
        entered.set()
        assert go_on.wait(SECONDS)

    def other() -> SyncResult:
        assert entered.wait(SECONDS)
        try:
            return apply(bench, Agent(name="two"), SyncOptions(exclude=(Select(model="device"),)))
        finally:
            go_on.set()

    first, second = in_threads(lambda: apply(bench, Agent(name="one"), before=block), other)
    assert isinstance(second, InvalidOptions)
    assert "one applies diff" in str(second)
    assert first.is_complete


def test_a_silent_agent_is_taken_over_and_writes_nothing_more(
    bench: InventoryBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = bench.prepare(random.Random(11))
    entered, go_on = threading.Event(), threading.Event()

    def block(_: str) -> None:
        entered.set()
        assert go_on.wait(SECONDS)

    def silent() -> SyncResult:
        """Without signs of life, as a process that is paused after a call of its system."""
        with monkeypatch.context() as patch:
            patch.setattr(Heartbeat, "_run", lambda _: None)
            return apply(bench, Agent(name="silent", lease=0.3), after=block)

    def other() -> SyncResult:
        assert entered.wait(SECONDS)
        try:
            return apply(bench, Agent(name="other", lease=30))
        finally:
            go_on.set()

    error, second = in_threads(silent, other)
    assert isinstance(error, SyncTakenOver)
    assert "gave no sign of life" in str(error)
    assert second.is_complete
    assert second.done_before == 1
    found = saved.round()
    assert found is not None
    assert found.closed_by == "other"
    states = {agent.name: agent for agent in found.agents}
    assert (states["other"].took_over, states["silent"].state) == (1, "taken over")
    assert states["other"].operations == saved.record.operations - second.done_before
    assert sum(agent.units for agent in found.agents) == found.units == found.units_done
    calls = bench.system.calls()
    assert len(calls) == len(set(calls)) == saved.record.operations
    bench.require_in_sync()


def test_a_sync_by_one_process_takes_over_from_the_agents(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    entered, go_on = threading.Event(), threading.Event()

    def block(_: str) -> None:
        entered.set()
        assert go_on.wait(SECONDS)

    def alone() -> SyncResult:
        assert entered.wait(SECONDS)
        found, source, target = bench.new_process()
        try:
            return found.apply(source, target, by="the only one")
        finally:
            target.store.close()
            go_on.set()

    error, one = in_threads(lambda: apply(bench, Agent(name="one"), after=block), alone)
    assert isinstance(error, SyncTakenOver)
    assert "the only one" in str(error)
    assert one.is_complete
    assert saved.round() is None
    assert saved.round_result() is None
    assert len(bench.system.calls()) == len(set(bench.system.calls()))
    bench.require_in_sync()


def test_agents_of_one_group_do_not_begin_again(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    refused = planned(bench)[5]

    def refuse(call: str) -> None:
        if call == refused:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        apply(bench, Agent(name="one", group="run 1"), before=refuse)
    calls = bench.system.calls()
    late = apply(bench, Agent(name="two", group="run 1"), before=refuse)
    assert "The sync stopped at" in late.stopped
    assert bench.system.calls() == calls
    assert apply(bench, Agent(name="one", group="run 2")).is_complete
    assert saved.journal().application() is not None


def test_the_rate_is_shared(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))
    began = time.monotonic()
    together(bench, *NAMES, options=SyncOptions(max_calls_per_second=100))
    assert time.monotonic() - began > saved.record.operations / 100 * 0.6


def test_the_failures_of_all_agents_count(bench: InventoryBench) -> None:
    saved = bench.prepare(random.Random(11))

    def refuse(_: str) -> None:
        raise ValueError("no")

    options = SyncOptions(max_failure_ratio=0.5, failure_ratio_after=4)
    flags = DiffSyncFlags.CONTINUE_ON_FAILURE
    results = together(bench, *NAMES, options=options, before=refuse, flags=flags)
    assert all(isinstance(result, SyncResult) and "operations failed" in result.stopped for result in results)
    total = saved.round_result()
    assert total is not None
    assert 4 <= total.failed <= 4 * len(NAMES)


@pytest.mark.parametrize("arguments", [{"of": 0}, {"lease": 0}, {"lease": float("nan")}])
def test_wrong_values_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptions, match="must be at least"):
        replace(Agent(), **arguments)
