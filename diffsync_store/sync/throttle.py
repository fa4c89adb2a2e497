"""Limits of a sync: calls per second, retries, failure ratio."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from diffsync_store.exceptions import SyncStopped
from diffsync_store.sync.options import SyncOptions
from diffsync_store.transient import retry_after

T = TypeVar("T")
Transient = tuple[type[Exception], ...] | Callable[[BaseException], bool]


_ON_REQUEST = (
    "Stopped on request, between two operations. The remaining operations are pending: apply the diff again to resume."
)


class Ended(SyncStopped):
    """The options have stopped the sync. The done operations are in its result."""


class Throttle:
    """The limits of one sync, shared by its workers. Thread-safe.

    Args:
        options: Options of the sync.
        transient: Exceptions after which a call may be repeated, or a function that recognizes them.
    """

    def __init__(self, options: SyncOptions, transient: Transient = ()) -> None:
        self._options = options
        self._transient = transient
        self._lock = threading.Lock()
        self._next = 0.0
        """Time of the next call that the rate allows."""
        self._quiet_until = 0.0
        """End of the wait that the system has asked for."""
        self._tried = 0
        self._failed = 0
        self._agents = 1
        """Agents that share the rate."""
        self._ended = threading.Event()

    def is_transient(self, error: BaseException) -> bool:
        """Whether a call that raised this may be repeated."""
        return isinstance(error, self._transient) if isinstance(self._transient, tuple) else self._transient(error)

    def call(self, function: Callable[[], T], find_result: Callable[[], T | None] = lambda: None) -> T:
        """Call at the allowed rate; repeat the call after a transient error, unless `find_result` returns a result.

        Nothing is repeated after the sync has ended.
        """
        for attempt in count():
            self.turn()
            try:
                return function()
            except Exception as error:
                if not self.is_transient(error) or not self.pause(error, attempt):
                    raise
                done = find_result()
                if done is not None:
                    return done
        raise AssertionError("unreachable")

    def turn(self) -> bool:
        """Wait until the next call may be made; return False if the sync has ended."""
        rate = self._options.max_calls_per_second
        if rate is not None or self._quiet_until:
            rate = rate and rate / self._agents
            with self._lock:
                now = time.monotonic()
                turn = max(now, self._next, self._quiet_until)
                self._next = turn + 1 / rate if rate is not None else 0.0
            self._wait(turn - now)
        return not self.has_ended

    def pause(self, error: BaseException, attempt: int) -> bool:
        """Wait before a call is repeated; return False if it must not be.

        If the system sends a `Retry-After`, all workers wait for it.

        Args:
            error: The exception of the call.
            attempt: Number of earlier retries.
        """
        if attempt >= self._options.retries or self.has_ended:
            return False
        seconds = retry_after(error)
        if seconds is None:
            self._wait(self._options.backoff * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
        else:
            with self._lock:
                self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)
            self._wait(seconds)
        return not self.has_ended

    def count(self, operations: int, failed: int) -> None:
        """Count finished operations.

        Raises:
            Ended: The failure ratio is exceeded.
        """
        ratio = self._options.max_failure_ratio
        if ratio is None:
            return
        with self._lock:
            self._tried += operations
            self._failed += failed
            if not failed or self._tried < self._options.failure_ratio_after:
                return
            if self._failed > ratio * self._tried:
                self._ended.set()
                raise Ended(
                    f"Stopped: {self._failed} of {self._tried} operations failed, more than {ratio:.0%}. "
                    "The remaining operations are pending: fix the cause and apply the diff again, "
                    "or raise SyncOptions.max_failure_ratio."
                )

    def share(self, agents: int, tried: int, failed: int) -> None:
        """Share the limits with other agents.

        Args:
            agents: number of agents, this one included.
            tried: operations that all have finished so far; they replace those that were counted here.
            failed: those of them that have failed.
        """
        with self._lock:
            self._agents, self._tried, self._failed = agents, tried, failed

    @property
    def counted(self) -> tuple[int, int]:
        """Return how many operations were tried, and how many of them have failed; without a failure ratio, nothing is counted."""
        with self._lock:
            return self._tried, self._failed

    def check(self) -> None:
        """Raise Ended if the caller asks to stop."""
        if self._options.should_stop is not None and (why := self._options.should_stop()):
            self._ended.set()
            raise Ended(why if isinstance(why, str) else _ON_REQUEST)

    def end(self) -> None:
        """End all waits and retries."""
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        """Whether the sync has ended, so that no more calls are allowed."""
        return self._ended.is_set()

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._ended.wait(seconds)
