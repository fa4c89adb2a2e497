"""A sync that is cut off: at most the calls that are under way are made, what they did is kept, and the rest goes on later."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from diffsync_store import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.throttle import Throttle
from tests.servers import wait_until
from tests.sync.conftest import Bench, Sites
from tests.sync.systems import Network
from tests.sync.test_workers_and_batches import Bulk

GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE
WORKERS = 4
SECONDS = 100.0
"""Longer than anything takes that must come."""


def sites(number: int, role: str = "new") -> Sites:
    return {f"s{site:03}": (role, {}) for site in range(number)}


class Terminated(BaseException):
    """What a handler of SIGTERM may raise."""


@contextmanager
def raising_on_term() -> Iterator[None]:
    def handle(*_: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def functions_of(thread: threading.Thread) -> set[str]:
    """Return the names of the functions that a thread is in."""
    frame = sys._current_frames()[thread.ident or 0]
    return {each.f_code.co_name for each, _ in traceback.walk_stack(frame)}


def wait_until_main_is_in(function: str) -> None:
    wait_until(lambda: function in functions_of(threading.main_thread()), SECONDS, f"the sync is in {function}")


def interrupting(number: signal.Signals, begun: list[str], workers: int) -> Callable[[str], None]:
    """Sends the signal with the eighth call, while each worker makes one and the sync waits for them."""
    lock, is_sent = threading.Lock(), threading.Event()

    def interrupt(call: str) -> None:
        with lock:
            begun.append(call)
            turn = len(begun)
        if turn == 8:
            if workers > 1:
                wait_until_main_is_in("take")
            os.kill(os.getpid(), number)
            if workers > 1:
                wait_until_main_is_in("drain")
            is_sent.set()
        elif turn > 8 - workers:
            assert is_sent.wait(SECONDS)

    return interrupt


@pytest.mark.parametrize("workers", [1, WORKERS])
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_waits_for_the_calls_under_way_alone(
    bench: Bench, workers: int, number: signal.Signals, error: type[BaseException]
) -> None:
    saved = bench.load(sites(60), {})
    begun: list[str] = []
    bench.system.before = interrupting(number, begun, workers)
    with raising_on_term(), pytest.raises(error):
        saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=workers))
    assert len(begun) < 8 + workers
    done = bench.system.calls()
    states = {operation.unique_id: entry.state for operation, entry in bench.saved().outcomes()}
    assert all(states[call.split()[-1]] in {State.DONE, State.SENT} for call in done)
    if workers > 1:  # the thread that is interrupted makes no calls
        assert {uid for uid, state in states.items() if state is State.DONE} == {call.split()[-1] for call in done}
        assert State.SENT not in states.values()
        assert bench.target().store.count(model="site") == len(done)
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(workers=workers)).is_complete
    assert max(Counter(bench.system.calls()).values()) == 1
    assert bench.is_in_sync()


@pytest.mark.slow
def test_a_second_interrupt_waits_for_nothing(bench: Bench) -> None:
    saved = bench.load(sites(60), {})
    release, begun = threading.Event(), threading.Barrier(WORKERS)

    def hang(_: str) -> None:
        if begun.wait(SECONDS) == 0:
            os.kill(os.getpid(), signal.SIGINT)
            # A second signal while the handler of the first one runs would raise a single exception.
            wait_until_main_is_in("drain")
            os.kill(os.getpid(), signal.SIGINT)
        release.wait(SECONDS)

    bench.system.before = hang
    try:
        with pytest.raises(KeyboardInterrupt):
            saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=WORKERS))
        assert not release.is_set()
        states = Counter(entry.state for _, entry in bench.saved().outcomes())
        assert (states[State.SENT], states[State.DONE]) == (WORKERS, 0)
    finally:
        release.set()
    wait_until(lambda: len(bench.system.calls()) >= WORKERS, SECONDS, "they end as they would have")
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target()).is_complete
    assert max(Counter(bench.system.calls()).values()) == 1
    assert bench.is_in_sync()


@pytest.mark.parametrize("adapter", [Network, Bulk])
def test_a_failure_without_the_flag_keeps_what_the_others_have_done(bench: Bench, adapter: type[Network]) -> None:
    bench.adapter_class = adapter
    saved = bench.load({f"s{number}": ("new", {f"d{each}": "leaf" for each in range(10)}) for number in range(20)}, {})
    together = threading.Barrier(WORKERS)

    def refuse(call: str) -> None:
        if call == "create site s3":
            together.wait(SECONDS)
            raise ValueError("no room")
        if call in {"create site s0", "create site s1", "create site s2"}:
            together.wait(SECONDS)

    bench.system.before = refuse
    with pytest.raises(ValueError, match="no room"):
        saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=WORKERS))
    assert {"create site s0", "create site s1", "create site s2"} <= set(bench.system.calls())
    assert len(bench.system.calls()) < 2 * WORKERS
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(workers=WORKERS)).is_complete
    assert max(Counter(bench.system.calls()).values()) == 1
    assert bench.is_in_sync()


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_a_stop_is_heard_before_the_next_call(bench: Bench, workers: int) -> None:
    saved = bench.load(sites(60), {})
    options = SyncOptions(workers=workers, should_stop=lambda: len(bench.system.calls()) >= 10)
    result = saved.apply(bench.source(), bench.target(), options=options)
    assert result.stopped.startswith("Stopped on request")
    assert 10 <= result.created == len(bench.system.calls()) < 10 + workers
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(workers=workers)).is_complete
    assert bench.is_in_sync()


class Busy(Network):
    transient_errors = (RuntimeError,)


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_once_the_breaker_is_open_nothing_is_tried_again(bench: Bench, workers: int) -> None:
    """The first workers fail for good while another one waits to try again."""
    bench.adapter_class = Busy
    saved = bench.load(sites(60), {})
    begun: list[float] = []

    def refuse(call: str) -> None:
        begun.append(time.monotonic())
        raise (RuntimeError if call == "create site s000" and workers > 1 else ValueError)(call)

    bench.system.before = refuse
    options = SyncOptions(workers=workers, retries=20, backoff=1000, max_failure_ratio=0.5, failure_ratio_after=6)
    begin = time.monotonic()
    result = saved.apply(bench.source(), bench.target(), flags=GO_ON, options=options)
    assert result.stopped.startswith("Stopped: ")
    assert time.monotonic() - begin < 250  # not even the first wait of its retries
    assert len(begun) <= 6 + 2 * workers
    assert result.failed == len(begun)
    bench.system.before = lambda _: None
    assert bench.saved().apply(bench.source(), bench.target(), flags=GO_ON).created == 60 - len(begun)
    assert bench.saved().apply(bench.source(), bench.target(), options=SyncOptions(retry_rejected=True)).is_complete
    assert bench.is_in_sync()


class TooMany(Exception):
    """HTTP 429."""

    status_code = 429
    retry_after = 0.4


def test_what_the_system_asks_for_holds_for_all_workers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = bench.load(sites(12), {})
    lock, times, is_heard = threading.Lock(), list[float](), threading.Event()
    wait = Throttle._wait

    def hear_and_wait(throttle: Throttle, seconds: float) -> None:
        is_heard.set()
        wait(throttle, seconds)

    def refuse(_: str) -> None:
        with lock:
            times.append(time.monotonic())
            number = len(times)
            if number == 4:
                raise TooMany
        if number == 5:  # it may have begun before the worker of the fourth one has heard the answer
            assert is_heard.wait(SECONDS)

    monkeypatch.setattr(Throttle, "_wait", hear_and_wait)

    bench.system.before = refuse
    result = saved.apply(bench.source(), bench.target(), options=SyncOptions(workers=2, retries=2, backoff=0))
    assert (result.created, result.is_complete) == (12, True)
    begun_later = [moment - times[3] for moment in times[4:]]
    assert begun_later[1] >= 0.35  # the other worker's call may have been under way
    assert bench.is_in_sync()


def test_a_pace_that_has_ended_calls_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "_wait", lambda *_: pytest.fail("waits"))
    pace, calls = Throttle(SyncOptions(retries=5, backoff=1.0), (OSError,)), []
    pace.end()

    def fail() -> None:
        calls.append(1)
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        pace.call(fail)
    assert (len(calls), pace.turn()) == (1, False)
