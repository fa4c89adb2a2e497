"""What a guarded sync remembers: applied once, resumed where it stood, nothing done twice, nothing overwritten."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import Diff, DiffSyncFlags, DiffSyncModelFlags
from diffsync_store.diffs import RedisDiffs
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import (
    DiffExists,
    DiffNotApproved,
    DiffNotFound,
    JournalLost,
    LeaseLost,
    StoreReloaded,
    SyncTakenOver,
)
from diffsync_store.guards import Guards, Suppression
from diffsync_store.journal import Entry
from diffsync_store.result import SyncResult
from diffsync_store.selection import Select
from diffsync_store.store.redis import RedisLeases, RedisStore
from diffsync_store.store.redis.keys import DiffKeys
from diffsync_store.sync import journal_writer, scheduler
from diffsync_store.sync.options import SyncOptions
from tests.saved_pages import write_element
from tests.servers import RedisServer, wait_until
from tests.store.child import Child, listen, say
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Device, Mute, Network, Silent, Site, System

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
SOURCE = {"a": ("new", {"d1": "leaf", "d2": "spine"}), "b": ("r", {"d1": "leaf"})}
TARGET = {"a": ("old", {"d2": "leaf", "d3": "leaf"}), "c": ("r", {"d1": "leaf"})}
OPERATIONS = 8


def die_at(bench: Bench, number: int, *, after: bool) -> None:
    """Apply in another process that is killed at a call, before or after the system has done it."""
    process = os.fork()
    if process == 0:
        try:
            target, calls = bench.target(), count()
            assert target.system is not None

            def die(call: str) -> None:
                if next(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            setattr(target.system, "after" if after else "before", die)
            RedisDiffs(url=bench.url).open(bench.name).apply(bench.source(), target)
        finally:
            os._exit(1)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL


def test_a_sync_applies_the_diff_and_its_journal_says_so(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    result = saved.apply(bench.source(), bench.target(), by="ann")
    assert (result.created, result.updated, result.deleted, result.is_complete) == (3, 2, 3, True)
    assert len(bench.system.calls()) == OPERATIONS
    assert {entry.state for _, entry in bench.saved().outcomes()} == {State.DONE}
    assert bench.is_in_sync()


def test_a_diff_is_applied_once(bench: Bench) -> None:
    bench.load(SOURCE, TARGET).apply(bench.source(), bench.target(), by="ann")
    again = bench.saved().apply(bench.source(), bench.target(), by="bob")
    assert "ann applied this diff at " in again.applied_before
    assert (again.applied, len(bench.system.calls())) == (0, OPERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("number", range(OPERATIONS))
def test_a_killed_sync_continues_and_repeats_nothing(bench: Bench, number: int, *, after: bool) -> None:
    bench.load(SOURCE, TARGET)
    die_at(bench, number, after=after)
    result = bench.saved().apply(bench.source(), bench.target())
    calls = bench.system.calls()
    assert (len(calls), len(set(calls))) == (OPERATIONS, OPERATIONS)
    assert result.done_before + result.applied == OPERATIONS
    assert result.is_complete
    assert bench.is_in_sync()


def test_without_a_lookup_a_sent_operation_is_reported_and_not_repeated(bench: Bench) -> None:
    bench.adapter_class = Silent
    bench.load({"a": ("new", {})}, {"a": ("old", {})})
    die_at(bench, 0, after=True)
    result = bench.saved().apply(bench.source(), bench.target())
    [reject] = result.rejects
    assert (reject.state, result.unknown, len(bench.system.calls())) == ("unknown", 1, 1)
    bench.saved().resolve(reject.operation_id, is_done=True)
    assert bench.saved().apply(bench.source(), bench.target()).is_complete
    assert len(bench.system.calls()) == 1
    assert bench.is_in_sync()


def test_a_record_that_changed_meanwhile_is_a_conflict_and_is_not_changed(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    with bench.store("target") as store:
        other = bench.adapter_class("target", store)
        other.get(Site, "a").region = "theirs"
    result = saved.apply(bench.source(), bench.target())
    [conflict] = [reject for reject in result.rejects if reject.state == "conflict"]
    assert conflict.unique_id == "a"
    assert conflict.reason == "The record was changed since the diff was made: region was 'old' and is 'theirs'."
    assert (result.conflicts, result.blocked) == (1, 3)
    assert bench.target().get(Site, "a").region == "theirs"


def test_lookup_first_reads_the_current_record(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    bench.system.call("update", "device", "a__d2", {"role": "theirs"})
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(lookup_first=True))
    assert [(reject.state, reject.unique_id) for reject in result.rejects] == [("conflict", "a__d2")]
    record = bench.system.read("device", "a__d2")
    assert record is not None
    assert record["role"] == "theirs"


def test_the_targets_store_must_be_of_the_same_load(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    with bench.target().store.loading():
        pass
    with pytest.raises(StoreReloaded):
        saved.apply(bench.source(), bench.target())


def test_a_sync_that_asks_for_approval_refuses_without_one(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    careful = SyncOptions(require_approval=True)
    with pytest.raises(DiffNotApproved, match="is not approved"):
        saved.apply(bench.source(), bench.target(), options=careful)
    approval = saved.approve(by="ann", reason="change 4711")
    assert (approval.by, approval.reason) == ("ann", "change 4711")
    first = next(saved.elements()).model_copy(update={"source": {"region": "theirs", "tags": []}})
    write_element(bench.diffs._redis, saved._keys.elements, 0, first.model_dump_json())
    with pytest.raises(DiffNotApproved, match="ann approved"):
        saved.apply(bench.source(), bench.target(), options=careful)
    assert bench.system.calls() == []
    saved.approve(by="bob", reason="seen")
    saved.apply(bench.source(), bench.target(), options=careful, flags=GO_ON)
    assert bench.system.calls()


def test_what_an_approval_leaves_out_is_applied_by_no_sync_until_it_is_approved_too(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.approve(by="ann", reason="no deletes tonight", exclude=(Select(action="delete"),))
    for options in (SyncOptions(require_approval=True), SyncOptions()):
        result = bench.saved().apply(bench.source(), bench.target(), options=options)
        assert (result.deleted, result.suppressed, result.is_complete) == (0, 3, False)
    assert len(bench.system.calls()) == OPERATIONS - 3
    bench.saved().approve(by="bob", reason="now those too")
    result = bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(require_approval=True))
    assert (result.deleted, result.done_before, result.is_complete) == (3, OPERATIONS - 3, True)
    assert bench.is_in_sync()


def test_an_approval_is_for_the_reviewed_content(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    seen = saved.checksum()
    first = next(saved.elements()).model_copy(update={"source": {"region": "theirs", "tags": []}})
    write_element(bench.diffs._redis, saved._keys.elements, 0, first.model_dump_json())
    saved.approve(by="ann", reason="read an hour ago", checksum=seen)
    with pytest.raises(DiffNotApproved, match="ann approved"):
        saved.apply(bench.source(), bench.target(), options=SyncOptions(require_approval=True))
    assert bench.system.calls() == []


@pytest.mark.parametrize("options", [SyncOptions(require_approval=True), SyncOptions()], ids=["required", "given"])
@pytest.mark.parametrize("what", ["source", "flags", "identifiers"])
def test_an_element_that_is_changed_between_approval_and_apply_is_not_applied(
    bench: Bench, options: SyncOptions, what: str
) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.approve(by="ann", reason="CHG-1")
    last = list(saved.elements())[-1]
    theirs = {"source": {"theirs": 1}, "flags": DiffSyncModelFlags.IGNORE, "identifiers": {"name": "theirs"}}
    write_element(
        bench.diffs._redis, saved._keys.elements, -1, last.model_copy(update={what: theirs[what]}).model_dump_json()
    )
    with pytest.raises(DiffNotApproved, match="not the diff that ann approved"):
        bench.saved().apply(bench.source(), bench.target(), options=options)
    assert bench.system.calls() == []


@pytest.mark.parametrize("field", ["by_model", "target_name", "suppressions", "flags"])
def test_a_record_that_is_changed_between_approval_and_apply_is_not_applied(bench: Bench, field: str) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.approve(by="ann", reason="CHG-1")
    theirs: dict[str, Any] = {
        "by_model": {}, "target_name": "prod", "flags": 1, "suppressions": (Suppression("site", "delete", "theirs", "partial:site"),)
    }  # fmt: skip
    record = saved.record.model_copy(update={field: theirs[field]})
    bench.diffs._redis.set(saved._keys.record, record.model_dump_json())
    with pytest.raises(DiffNotApproved, match="not the diff that ann approved"):
        bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(require_approval=True))
    assert bench.system.calls() == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_an_element_that_is_changed_during_the_apply_is_noticed_before_its_page_is_applied(
    bench: Bench, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_WINDOW", 500)
    monkeypatch.setattr(scheduler, "_MAX_WINDOW", 500)
    sites: Sites = {f"s{number:04}": ("new", {}) for number in range(1700)}
    saved = bench.load(sites, {})
    saved.approve(by="ann", reason="CHG-1")
    theirs = list(saved.elements())[1200].model_copy(update={"source": {"region": "theirs", "tags": []}})

    def change(call: str) -> None:
        if call.startswith("create site s0100"):
            write_element(bench.diffs._redis, saved._keys.elements, 1200, theirs.model_dump_json())

    target = bench.target()
    bench.system.before = change
    options = SyncOptions(require_approval=True, workers=workers)
    with pytest.raises(DiffNotApproved, match=r"Elements 1000 to 1499 .* were changed in Redis after they were"):
        bench.saved().apply(bench.source(), target, options=options)
    done = {uid for _, uid in bench.system.records()}
    assert "s0100" in done
    assert not any(uid >= "s1000" for uid in done)
    bench.system.before = lambda _: None
    with pytest.raises(DiffNotApproved, match="not the diff that ann approved"):
        bench.saved().apply(bench.source(), bench.target(), options=options)


def test_what_is_looked_at_after_the_checksum_is_what_the_checksum_is_of(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.checksum()
    first = next(saved.elements())
    write_element(
        bench.diffs._redis, saved._keys.elements, 0, first.model_copy(update={"name": "theirs"}).model_dump_json()
    )
    with pytest.raises(DiffNotApproved, match="Elements 0 to"):
        list(saved.operations(limit=1))


@pytest.mark.parametrize("decided", ["approved", "rejected", "begun", "applied"])
def test_a_decided_diff_is_not_replaced(bench: Bench, decided: str) -> None:
    saved = bench.load(SOURCE, TARGET)
    source, target = bench.source(), bench.target()
    match decided:
        case "approved":
            saved.approve(by="ann", reason="CHG-1")
        case "rejected":
            saved.reject(by="ann", reason="no")
        case "begun":
            saved.journal().begin("ann")
        case "applied":
            saved.apply(source, target)
    before = list(saved.elements()), saved.journal().approval(), saved.journal().application()
    saves: list[Callable[[], object]] = [
        lambda: bench.diffs.compare(source, target, bench.name),
        lambda: bench.diffs.save(Diff(), bench.name),
        lambda: bench.diffs.compare_once(target, source, bench.name),
    ]
    for save in saves:
        with pytest.raises(DiffExists, match=f"`diffsync-store drop {bench.name} --force`") as refused:
            save()
        assert refused.value.diff_id == bench.name
    again = bench.saved()
    assert again.record == saved.record
    assert (list(again.elements()), again.journal().approval(), again.journal().application()) == before
    again.drop()
    bench.diffs.compare(source, target, bench.name)


def test_a_sync_of_a_diff_that_was_replaced_since_it_was_opened_does_nothing(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    bench.diffs.compare(bench.source(), bench.target(), bench.name)
    decisions: list[Callable[[], object]] = [
        lambda: saved.apply(bench.source(), bench.target()),
        lambda: saved.approve(by="ann", reason="", checksum="of what was looked at"),
    ]
    for decide in decisions:
        with pytest.raises(DiffNotFound, match="or was replaced by another diff of the same id since it was opened"):
            decide()
    assert bench.system.calls() == []
    assert bench.saved().journal().approval() is None
    assert bench.saved().apply(bench.source(), bench.target()).is_complete


def test_compare_once_keeps_an_existing_diff(bench: Bench) -> None:
    """Only of the same loads, with the same flags and suppressions; then the second time keeps what somebody has decided."""
    first = bench.load(SOURCE, TARGET).record
    source, target = bench.source(), bench.target()
    bench.saved().approve(by="ann", reason="CHG-1")
    assert bench.diffs.compare_once(source, target, bench.name) == bench.name
    assert bench.saved().record == first
    assert bench.saved().journal().approval() is not None
    with pytest.raises(DiffExists):
        bench.diffs.compare_once(source, target, bench.name, flags=DiffSyncFlags.SKIP_UNMATCHED_DST)
    bench.saved().apply(source, target)
    bench.diffs.compare_once(source, target, bench.name)
    assert bench.saved().journal().application() is not None


def test_a_diff_of_another_load_is_made_again(bench: Bench) -> None:
    first = bench.load(SOURCE, TARGET).record
    with (source := bench.source()).store.loading():
        source.put(SOURCE)
    bench.diffs.compare_once(bench.source(), bench.target(), bench.name)
    assert bench.saved().record.source_generation != first.source_generation
    with (empty := bench.source()).store.loading():
        empty.put({})
    bench.diffs.compare_once(bench.source(), bench.target(), bench.name, guards=Guards())
    held = bench.saved().record
    assert held.suppressions
    bench.diffs.compare_once(bench.source(), bench.target(), bench.name, guards=Guards())
    assert bench.saved().record == held
    bench.diffs.compare_once(bench.source(), bench.target(), bench.name, guards=Guards().allowing(["empty:site"]))
    assert bench.saved().record != held


def test_the_journal_lives_as_long_as_the_diff(bench: Bench) -> None:
    saved = bench.load(SOURCE, TARGET)
    saved.apply(bench.source(), bench.target())
    client = bench.diffs._redis
    assert all(0 < client.ttl(key) <= saved.record.ttl for key in (saved._keys.journal, saved._keys.application))
    saved.drop()
    bench.diffs.compare(bench.source(), bench.target(), bench.name)
    assert saved.journal().is_empty()


def test_the_same_change_at_two_places_is_two_operations(bench: Bench) -> None:
    source, target = bench.source(), bench.target()
    for side, of_target in ((source, False), (target, True)):
        for name in "ab":
            site = Site(name=name)
            side.add(site)
            site.devices.append("x__d")
        side.add(Device(site="x", name="d", role="old" if of_target else "new"))
        side.store.flush()
    bench.diffs.save(target.diff_from(source), bench.name)
    ids = [operation.id for operation in bench.saved().operations()]
    assert (len(ids), len(set(ids))) == (2, 2)


def test_an_entry_survives_its_text() -> None:
    entry = Entry(State.FAILED, 'no "room"', "{}", 12.5)
    assert Entry.from_json(entry.to_json()) == entry


@pytest.mark.slow
@pytest.mark.parametrize("options", [SyncOptions(), SyncOptions(workers=2)], ids=["one worker", "two workers"])
@pytest.mark.parametrize("adapter", [Mute, Network])
def test_a_sync_that_another_one_takes_over_sends_nothing_more(
    bench: Bench, adapter: type[Network], options: SyncOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "_MAX_SILENCE", 0)  # as if each call took longer
    bench.load(SOURCE, TARGET)
    bench.adapter_class = adapter
    first, lock = bench.target(), threading.Lock()
    first.system = System(bench.system.path)  # as in a process of its own
    begun, ended = set[str](), set[str]()
    in_time: frozenset[str] = frozenset()
    by_bob: SyncResult | None = None

    def begin(call: str) -> None:
        with lock:
            begun.add(call)

    def take_over(call: str) -> None:
        nonlocal by_bob, in_time
        with lock:
            ended.add(call)
            if len(ended) == 3:
                in_time = frozenset(ended)
                by_bob = bench.saved().apply(bench.source(), bench.target(), by="bob", flags=GO_ON)

    first.system.before, first.system.after = begin, take_over
    with pytest.raises(SyncTakenOver, match=r"Another sync of this diff, by bob, began at .* stop it and apply"):
        bench.saved().apply(bench.source(), first, by="ann", options=options, flags=GO_ON)
    under_way = begun - in_time
    assert len(under_way) < options.workers  # one call at most of ann's other worker
    done = Counter(bench.system.calls())
    assert {call for call, times in done.items() if times > 1} <= under_way  # what ann had sent, nobody did again
    assert by_bob is not None
    assert OPERATIONS - len(done) <= by_bob.unknown + by_bob.blocked + by_bob.failed


def test_a_lost_journal_ends_the_sync(bench: Bench) -> None:
    bench.load(SOURCE, TARGET)
    bench.adapter_class = Mute
    target = bench.target()
    keys = DiffKeys(bench.name)

    def forget(call: str) -> None:
        bench.diffs._redis.delete(keys.journal, keys.writer)

    assert target.system is not None
    target.system.after = forget
    with pytest.raises(JournalLost, match=r"Redis has lost .* Load the target again, make a new diff"):
        bench.saved().apply(bench.source(), target)
    assert len(bench.system.calls()) == 1


def test_an_answer_of_the_journal_that_is_lost_writes_nothing_twice(bench: Bench) -> None:
    journal = bench.load(SOURCE, TARGET).journal()
    journal.begin("ann")
    journal.write({"a": Entry(State.SENT)})
    journal._batches[next(iter(journal._batches))] -= 1  # as if it had not been heard that the batch was taken
    journal.write({"a": Entry(State.SENT)})
    journal.write({"a": Entry(State.DONE)})
    assert journal.read(["a"])["a"].state is State.DONE


@pytest.mark.slow
def test_after_a_broken_lease_nothing_more_is_sent(bench: Bench) -> None:
    bench.load(SOURCE, TARGET)
    target, leases = bench.target(), RedisLeases(url=bench.url)
    assert target.system is not None
    with leases.take("target", "sync", ttl=2) as lease:
        lease._ended.set()  # nobody renews it any more, as if the process had been paused
        lease._renewer.join()

        def lose(call: str) -> None:
            leases.break_lease("target")
            wait_until(lambda: leases.holder("target") is None and lease.silence > 2, 100)

        target.system.after = lose
        with pytest.raises(LeaseLost, match="make a new diff"):
            bench.saved().apply(bench.source(), target, lease=lease)
    leases.close()
    assert len(bench.system.calls()) == 1


def apply_and_pause(url: str, name: str, system: str) -> str:
    """A sync under a lease that is paused in the middle, in a process of its own."""
    target = Network("target", RedisStore(store_id=f"{name}-target", url=url), System(system))
    source = Network("source", RedisStore(store_id=f"{name}-source", url=url))
    calls = count(1)

    def pause(call: str) -> None:
        if next(calls) == 3:
            say(os.getpid())
            listen()

    assert target.system is not None
    target.system.after = pause
    with closing(RedisLeases(url=url)) as leases, leases.take("target", "the first sync", ttl=0.5) as lease:
        try:
            RedisDiffs(url=url).open(name).apply(source, target, lease=lease)
        except (LeaseLost, SyncTakenOver) as error:
            return str(error)
    return "went on"


@pytest.mark.slow
def test_a_sync_that_was_paused_past_its_lease_sends_nothing_more(bench: Bench) -> None:
    bench.load(SOURCE, TARGET)
    leases = RedisLeases(url=bench.url)
    with Child(apply_and_pause, url=bench.url, name=bench.name, system=bench.system.path) as child:
        pid = child.heard()
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: leases.holder("target") is None, 100)
            with leases.take("target", "the second sync") as lease:
                assert bench.saved().apply(bench.source(), bench.target(), lease=lease).is_complete
                os.kill(pid, signal.SIGCONT)
                child.tell()
                message = child.result()
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    leases.close()
    calls = bench.system.calls()
    assert (len(calls), len(set(calls))) == (OPERATIONS, OPERATIONS)
    assert "was lost" in message or "Another sync of this diff" in message


def test_threads_share_the_connection_that_a_sync_keeps_for_its_journal(redis_kind: str, tmp_path: Path) -> None:
    with RedisServer(redis_kind) as server, closing(RedisDiffs(url=server.url)) as diffs:
        bench = Bench(server.url, tmp_path)
        bench.load(SOURCE, TARGET)
        journal = diffs.open(bench.name).journal()
        journal.begin("a test")
        failures: list[Exception] = []

        def write(thread: int) -> None:
            try:
                for number in range(50):
                    journal.write({f"{thread}-{number}": Entry(State.DONE)})
            except Exception as error:  # noqa: BLE001  # whatever it is, the test fails
                failures.append(error)

        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: journal.read(["0-0"]), 100, "they write")
        with closing(server.client()) as client:
            client.client_kill_filter(_type="normal", skipme=True)  # the kept connection is among these
        journal.write({"0-0": Entry(State.DONE)})
        for thread in threads:
            thread.join()
        assert not failures
        ids = [f"{thread}-{number}" for thread in range(8) for number in range(50)]
        assert {entry.state for entry in journal.read(ids).values()} == {State.DONE}
        assert len(journal.read(ids)) == len(ids)
        journal.end()
        assert not journal.is_running()
