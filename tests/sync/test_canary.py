"""A sync applies its canary first, checks it, and applies the rest only if it has passed."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from diffsync_store import Agent, SyncResult
from diffsync_store.canary import Canary, read_canary
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import InvalidRule, ObjectNotCreated
from diffsync_store.rules import Decision, Rule, Rules
from diffsync_store.selection import Select
from diffsync_store.sync import SyncOptions
from diffsync_store.sync.agents import agent_sync
from diffsync_store.sync.agents.unit_executor import UnitExecutor
from diffsync_store.sync.canary import choice, read_back
from diffsync_store.sync.moves import find_moves
from diffsync_store.sync.rulings import Rulings
from tests.servers import RedisServer
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Mute, System
from tests.sync.test_moves import Halls, MovableHalls, assert_settled, prepare

SITES: Sites = {f"s{number}": ("eu", {f"d{number}": "leaf"}) for number in range(10)}
GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """Ten sites with a device each, of which the target has none."""
    bench.load(SITES, {"old": ("eu", {"gone": "leaf"})})
    return bench


def apply(
    bench: Bench,
    canary: Canary | None,
    *,
    flags: Any = GO_ON,
    agent: Agent | None = None,
    callback: Any = None,
    **more: Any,
) -> SyncResult:
    source, target = bench.source(), bench.target()
    try:
        options = SyncOptions(canary=canary, **more)
        return bench.saved().apply(source, target, options=options, flags=flags, agent=agent, callback=callback)
    finally:
        source.store.close()
        target.store.close()


def written(bench: Bench) -> list[str]:
    return [call.split(" ", 1)[1] for call in bench.system.calls()]


def lose(system: System, *lost: str) -> None:
    """Let the system forget what it has acknowledged."""

    def after(call: str) -> None:
        action, model, uid = call.split(" ", 2)
        if uid in lost and action != "delete":
            system.call_many("delete", model, [(uid, {})])

    system.after = after


def test_a_canary_that_passes_changes_only_the_order(filled: Bench) -> None:
    seen: list[tuple[str, int, int]] = []
    result = apply(filled, Canary(first=3), callback=lambda *progress: seen.append(progress))
    assert ("canary", 3, 3) in seen
    assert seen[-1] == ("sync", 22, 22)
    assert all(done <= total for _, done, total in seen)
    assert result.canary is not None
    assert result.canary.state == "passed"
    assert result.canary.text == "3 of 3 applied, settled"
    assert result.is_complete
    assert (result.created, result.deleted, result.done_before) == (20, 2, 0)
    assert written(filled)[:3] == ["site s0", "site s1", "site s2"]
    assert filled.is_in_sync()
    assert filled.saved().journal().application() is not None


def test_nothing_else_is_written_if_the_target_does_not_hold_what_was_written(filled: Bench) -> None:
    lose(filled.system, "s1")
    result = apply(filled, Canary(first=3))
    assert written(filled) == ["site s0", "site s1", "site s1", "site s2"]
    assert result.canary is not None
    assert result.canary.state == "failed"
    assert (result.canary.settled, result.canary.not_settled) == (2, 1)
    assert "site s1 is missing, and should be there after its create" in result.stopped
    assert "Nothing else was written" in result.stopped
    assert "--skip-canary" in result.stopped
    assert not result.is_complete
    assert filled.saved().journal().application() is None


def test_the_same_operations_are_checked_again_by_the_next_sync(filled: Bench) -> None:
    lose(filled.system, "s1")
    apply(filled, Canary(first=3))
    again = apply(filled, Canary(first=3))
    assert "site s1 is missing" in again.stopped
    assert len(filled.system.calls()) == 4
    filled.system.after = lambda _: None
    filled.system.call("create", "site", "s1", {"region": "eu", "tags": []})  # a person puts it right
    result = apply(filled, Canary(first=3))
    assert result.is_complete
    assert (result.created, result.deleted, result.done_before) == (17, 2, 3)
    assert filled.is_in_sync()


def test_a_value_that_is_not_what_was_written_is_listed_with_both(bench: Bench) -> None:
    bench.load({"a": ("eu", {}), "b": ("us", {})}, {"a": ("x", {}), "b": ("y", {})})

    def after(call: str) -> None:
        if call == "update site a":
            bench.system.after = lambda _: None
            bench.system.call("update", "site", "a", {"region": "moon"})

    bench.system.after = after
    result = apply(bench, Canary(first=1))
    assert "site a: region is 'moon', and 'eu' was written" in result.stopped
    assert result.canary is not None
    [found] = result.canary.unsettled
    assert (found.attribute, found.written, found.found) == ("region", "eu", "moon")
    assert "site b" not in written(bench)


def test_an_object_that_is_still_there_after_its_delete_is_listed(bench: Bench) -> None:
    bench.load({"a": ("eu", {})}, {"a": ("eu", {}), "b": ("us", {}), "c": ("us", {})})

    def after(call: str) -> None:
        if call == "delete site c":
            bench.system.call("create", "site", "c", {})

    bench.system.after = after
    result = apply(bench, Canary(action="delete", first=1))
    assert "site c is still there, and should be gone after its delete" in result.stopped
    assert "site b" not in written(bench)


def test_one_failure_is_too_many_unless_the_canary_allows_it(filled: Bench) -> None:
    def refuse(call: str) -> None:
        if call == "create site s1":
            raise ObjectNotCreated("no room")

    filled.system.before = refuse
    result = apply(filled, Canary(first=4))
    assert written(filled) == ["site s0", "site s2", "site s3"]
    assert result.failed == 1
    assert "1 of 4 operations were not applied" in result.stopped
    assert "create of site s1: no room" in result.stopped
    again = apply(filled, Canary(first=4, failures=0.25))
    assert again.canary is not None
    assert again.canary.text == "3 of 4 applied, 1 not applied, settled"
    assert not again.stopped
    assert (again.failed, again.blocked) == (1, 1)
    assert len(again.rejects) == 2


def test_failed_operations_are_tried_again_by_the_next_sync(filled: Bench) -> None:
    def refuse(call: str) -> None:
        if call == "create site s1":
            raise ObjectNotCreated("no room")

    filled.system.before = refuse
    apply(filled, Canary(first=4))
    filled.system.before = lambda _: None
    result = apply(filled, Canary(first=4))
    assert result.is_complete
    assert result.created == 17
    assert filled.is_in_sync()


def test_without_the_flag_to_go_on_the_first_failure_ends_the_sync(filled: Bench) -> None:
    def refuse(call: str) -> None:
        if call == "create site s1":
            raise ObjectNotCreated("no room")

    filled.system.before = refuse
    with pytest.raises(ObjectNotCreated):
        apply(filled, Canary(first=4, failures=0.5), flags=DiffSyncFlags.NONE)
    assert written(filled) == ["site s0"]


def test_where_chooses_operations_and_what_they_need(filled: Bench) -> None:
    result = apply(filled, Canary(model="device", where={"name": "d[78]"}))
    assert result.canary is not None
    assert result.canary.operations == 4
    assert sorted(written(filled)[:4]) == ["device s7__d7", "device s8__d8", "site s7", "site s8"]
    assert filled.is_in_sync()


def test_where_that_fits_nothing_is_no_canary_and_is_said(filled: Bench) -> None:
    result = apply(filled, Canary(model="device", where={"name": "lab-*"}))
    assert result.is_complete
    assert result.canary is not None
    assert result.canary.text == "none: this sync applies no operation that fits (device where name is lab-*)"
    assert filled.is_in_sync()


def test_a_field_that_no_model_has_is_refused_before_anything_is_written(filled: Bench) -> None:
    with pytest.raises(InvalidRule, match="device has no field 'colour'"):
        apply(filled, Canary(model="device", where={"colour": "red"}))
    with pytest.raises(InvalidRule, match="no model has the name 'vlan'"):
        apply(filled, Canary(model="vlan"))
    assert written(filled) == []


def test_a_model_without_lookup_is_not_read_back_and_that_is_said(filled: Bench) -> None:
    filled.adapter_class = Mute
    result = apply(filled, Canary(first=3))
    assert result.is_complete
    assert result.canary is not None
    assert result.canary.text == "3 of 3 applied, 3 not read back (no `lookup`: site)"


def test_a_canary_that_cannot_be_read_back_does_not_pass(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: str, uid: str) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(filled.system, "read", refuse)
    result = apply(filled, Canary(first=2))
    assert "site s0 is unreadable (ConnectionError: nobody answers)" in result.stopped
    assert written(filled) == ["site s0", "site s1"]


def test_a_canary_can_be_skipped_for_a_reason_that_the_journal_keeps(filled: Bench) -> None:
    lose(filled.system, "s1")
    assert apply(filled, Canary(first=3)).stopped
    filled.system.after = lambda _: None
    result = apply(filled, Canary(first=3), skip_canary="checked by hand")
    assert result.is_complete
    canary = filled.saved().canary()
    assert canary is not None
    assert canary.text == f"skipped by {canary.by}: checked by hand"
    assert canary.by


def test_a_sync_that_is_killed_after_its_canary_checks_it_again(filled: Bench) -> None:
    class Killed(BaseException):
        pass

    def kill(call: str) -> None:
        if call == "create site s3":
            raise Killed

    filled.system.before = kill
    with pytest.raises(Killed):
        apply(filled, Canary(first=3))
    filled.system.before = lambda _: None
    filled.system.call_many("delete", "site", [("s0", {})])
    result = apply(filled, Canary(first=3))
    assert "site s0 is missing" in result.stopped
    filled.system.call("create", "site", "s0", {"region": "eu", "tags": []})
    result = apply(filled, Canary(first=3))
    assert result.is_complete
    assert filled.is_in_sync()


def test_a_stop_while_the_target_settles_leaves_the_check_to_the_next_sync(filled: Bench) -> None:
    result = apply(filled, Canary(first=3, settle=3600), should_stop=lambda: len(filled.system.calls()) == 3)
    assert "Stopped on request" in result.stopped
    assert result.canary is not None
    assert result.canary.state == "open"
    assert len(filled.system.calls()) == 3
    assert apply(filled, Canary(first=3)).is_complete
    assert len(filled.system.calls()) == 22


@pytest.mark.parametrize("agents", [1, 3])
def test_agents_wait_for_the_canary(redis_server: RedisServer, tmp_path: Path, agents: int) -> None:
    bench = Bench(redis_server.url, tmp_path)
    bench.load(SITES, {})
    lose(bench.system, "s1")
    with ThreadPoolExecutor(agents) as pool:
        found = [pool.submit(apply, bench, Canary(first=3), agent=Agent(of=agents, group="one")) for _ in range(agents)]
        results = [each.result() for each in found]
    assert all("site s1 is missing" in result.stopped for result in results)
    assert len(bench.system.calls()) == 4
    bench.system.after = lambda _: None
    bench.system.call("create", "site", "s1", {"region": "eu", "tags": []})
    with ThreadPoolExecutor(agents) as pool:
        found = [pool.submit(apply, bench, Canary(first=3), agent=Agent(of=agents, group="two")) for _ in range(agents)]
        results = [each.result() for each in found]
    total = bench.saved().round_result()
    assert total is not None
    assert (total.created, total.done_before) == (17, 3)
    assert total.canary is not None
    assert total.canary.text == "3 of 3 applied, settled"
    assert bench.is_in_sync()
    bench.close()


def test_an_agent_reads_the_canary_once_for_all_units(filled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[object] = []
    units: list[Any] = []
    skip = UnitExecutor.skip_handled

    def read(journal: Any) -> Any:
        reads.append(journal)
        return read_canary(journal)

    def skip_handled(unit: UnitExecutor, ids: Any) -> None:
        units.append(ids)
        skip(unit, ids)

    monkeypatch.setattr(agent_sync, "read_canary", read)
    monkeypatch.setattr(UnitExecutor, "skip_handled", skip_handled)
    result = apply(filled, Canary(first=3), agent=Agent(of=4))
    assert result.is_complete, result.stopped
    assert len(reads) == 2  # for the units, and for the result
    assert len(units) > 1
    assert all(isinstance(ids, frozenset) and ids is units[0] and len(ids) == 3 for ids in units)
    assert filled.is_in_sync()


@pytest.mark.parametrize("agent", [None, Agent()], ids=["alone", "agent"])
def test_a_canary_without_first_that_fits_too_many_is_refused(
    filled: Bench, monkeypatch: pytest.MonkeyPatch, agent: Agent | None
) -> None:
    monkeypatch.setattr(choice, "MAX_OPERATIONS", 9)
    canary = Canary(model="device", action="create")
    with pytest.raises(InvalidRule, match="fits more than 10,000 operations"):
        filled.saved().dry_run(SyncOptions(canary=canary))
    with pytest.raises(InvalidRule, match="fits more than 10,000 operations"):
        apply(filled, canary, agent=agent)
    assert written(filled) == []
    assert filled.saved().canary() is None
    monkeypatch.setattr(choice, "MAX_OPERATIONS", 10)
    result = apply(filled, canary, agent=agent)
    assert result.is_complete, result.stopped
    assert filled.is_in_sync()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "it names no operations"),
        ({"first": 0}, "greater than or equal to 1"),
        ({"first": "10"}, "valid integer"),
        ({"first": 1, "failures": "200%"}, "a percent from 0% to 100%"),
        ({"first": 1, "failures": 5}, "a ratio from 0 to 1"),
        ({"first": 1, "failures": True}, "a ratio from 0 to 1"),
        ({"first": 1, "settle": -1}, "greater than or equal to 0"),
        ({"first": 1, "last": 1}, "Extra inputs"),
        ({"action": "destroy"}, "'create', 'update' or 'delete'"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Canary.model_validate(wrong)


def test_a_ratio_may_be_a_percent() -> None:
    assert Canary(first=1, failures="5%").failures == 0.05  # type: ignore[arg-type]  # as in the file


def test_an_agent_that_is_killed_in_the_canary_is_taken_over(filled: Bench) -> None:
    process = os.fork()
    if process == 0:
        try:
            target, number = filled.target(), count(1)
            target.system = System(filled.system.path)
            target.system.before = lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(number) == 3 else None
            options = SyncOptions(canary=Canary(first=4), batch_size=1)
            saved = RedisDiffs(url=filled.url).open(filled.name)
            saved.apply(filled.source(), target, options=options, flags=GO_ON, agent=Agent(lease=1, group="all"))
        finally:
            os._exit(1)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    result = apply(filled, Canary(first=4), agent=Agent(lease=1, group="all"), batch_size=1)
    total = filled.saved().result_of_all(result, Agent(group="all"))
    assert total.canary is not None
    assert total.canary.text == "4 of 4 applied, settled"
    assert not total.stopped
    assert len(filled.system.calls()) == 22
    assert filled.is_in_sync()


def test_an_object_that_moves_comes_with_both_of_its_places(bench: Bench) -> None:
    old = {"a": {"r1": (42, ["x"]), "r2": (42, ["y"])}, "b": {}}
    new = {"a": {}, "b": {"r1": (21, ["x"]), "r2": (42, ["y"])}}
    target = prepare(bench, MovableHalls, new, old)
    options = SyncOptions(canary=Canary(model="rack", where={"name": "r1"}))
    source = MovableHalls("source", bench.store("source"))
    assert bench.saved().dry_run(options).canary is not None
    result = bench.saved().apply(source, target, options=options)
    assert result.canary is not None
    assert result.canary.state == "passed", result.stopped
    assert target.moves[0].startswith("r1:")
    assert result.moved == 2
    assert_settled(bench, target)


@pytest.mark.parametrize("old", ["a", "z"])
def test_a_move_that_fails_is_one_operation_with_its_reason(bench: Bench, old: str) -> None:
    target = prepare(
        bench, MovableHalls, {"a": {}, "z": {}, "m": {"r": (42, [])}}, {"a": {}, "z": {}} | {old: {"r": (42, [])}}
    )

    def refuse(call: str) -> None:
        if "rack" in call:
            raise ValueError("bolted down")

    bench.system.before = refuse
    options = SyncOptions(canary=Canary(model="rack"))
    result = bench.saved().apply(Halls("source", bench.store("source")), target, options=options, flags=GO_ON)
    assert "1 of 2 operations were not applied" in result.stopped
    assert "create of rack r: ValueError: bolted down" in result.stopped
    assert (result.failed, result.created) == (1, 1)
    states = {entry.state.value for one, entry in bench.saved().outcomes() if one.model == "rack"}
    assert states == {"failed"}
    bench.system.before = lambda _: None
    again = bench.saved().apply(Halls("source", bench.store("source")), target, options=options, flags=GO_ON)
    assert again.is_complete, again.stopped
    assert again.canary is not None
    assert again.canary.text == "2 of 2 applied, settled"
    assert again.canary.settled == 2
    assert_settled(bench, target)


def bring_back(bench: Bench, uid: str) -> None:
    """Let a rack be there again after its delete."""

    def after(call: str) -> None:
        if call == f"delete rack {uid}":
            bench.system.call("create", "rack", uid, {})

    bench.system.after = after


@pytest.mark.parametrize("deletes_last", [True, False])
@pytest.mark.parametrize(
    "chosen", [{"action": "delete"}, {"first": 2}, {"model": "rack", "where": {"name": "r1"}}], ids=str
)
def test_an_object_that_is_deleted_in_one_place_is_created_in_the_other(
    bench: Bench, chosen: dict[str, Any], deletes_last: bool
) -> None:
    old = {"a": {"gone": (42, []), "r1": (42, ["x"]), "r2": (42, [])}, "z": {}}
    new = {"a": {"r2": (21, [])}, "z": {}, "new": {"r1": (42, ["x"])}}
    target = prepare(bench, Halls, new, old)
    bring_back(bench, "gone")
    options = SyncOptions(canary=Canary.model_validate(chosen), deletes_last=deletes_last)
    result = bench.saved().apply(Halls("source", bench.store("source")), target, options=options)
    records = bench.system.records()
    assert ("rack", "r1") in records
    assert ("device", "r1__x") in records
    assert result.canary is not None
    if result.canary.state == "failed":
        assert "rack gone is still there" in result.stopped
        assert records["rack", "r2"] == {"height": 42}
    bench.system.after = lambda _: None
    bench.system.call_many("delete", "rack", [("gone", {})])
    target.store.flush()
    assert bench.saved().apply(Halls("source", bench.store("source")), target, options=options).is_complete
    assert_settled(bench, target)


RULES = Rules(all=(Rule(model="rack", action="delete", then=Decision.HOLD),))
REVIEW = Rules(all=(Rule(model="rack", action="delete", then=Decision.REVIEW),))


@pytest.mark.parametrize(
    "left_out",
    [
        {"exclude": (Select(action="delete"),)},
        {"exclude": (Select(model="rack", action="create", unique_id="r1"),)},
        {"exclude": (Select(model="device", action="create"),)},
        {"exclude": (Select(model="device", action="delete"),)},
        {"exclude": (Select(model="site", action="create"),)},
        {"select": (Select(model="rack", action="create"),)},
        {"rulings": Rulings(RULES)},
        {"rulings": Rulings(REVIEW)},
    ],
    ids=lambda left_out: str(left_out)[:60],
)
@pytest.mark.parametrize("chosen", [{"first": 3}, {"action": "delete"}, {"action": "create"}], ids=str)
def test_a_move_of_which_something_is_left_out_is_as_without_a_canary(
    bench: Bench, tmp_path: Path, left_out: dict[str, Any], chosen: dict[str, Any]
) -> None:
    old = {"a": {"r1": (42, ["x", "y"]), "gone": (42, [])}, "b": {}}
    new = {"a": {}, "b": {"r3": (42, [])}, "new": {"r1": (42, ["x", "z"])}}
    found: list[Any] = []
    for canary in (None, Canary.model_validate(chosen)):
        (folder := tmp_path / str(len(found))).mkdir()
        own = Bench(bench.url, folder)
        target = prepare(own, MovableHalls, new, old)
        options = SyncOptions(canary=canary, **left_out)
        result = own.saved().apply(MovableHalls("source", own.store("source")), target, options=options, flags=GO_ON)
        assert (result.stopped, result.failed, result.conflicts) == ("", 0, 0)
        found.append((own.system.records(), target.moves, sorted(own.system.calls())))
        target.store.close()
        own.close()
    assert found[0] == found[1]


def test_the_diff_is_read_twice_at_most_to_tell_deletes_from_moves(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    racks: Any = {f"r{number}": (42, []) for number in range(30)}
    target = prepare(bench, Halls, {"a": {}, "b": racks}, {"a": racks, "b": {}})
    passes: list[set[str]] = []

    def find(diff: Any, key: Any, models: set[str]) -> Any:
        passes.append(models)
        return find_moves(diff, key, models)

    monkeypatch.setattr(read_back, "find_moves", find)
    options = SyncOptions(canary=Canary(action="delete"))
    result = bench.saved().apply(Halls("source", bench.store("source")), target, options=options)
    assert result.is_complete, result.stopped
    assert passes == [{"rack"}]
    assert_settled(bench, target)
