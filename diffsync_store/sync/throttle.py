"""How fast a sync may go, what it tries again, and when it gives up."""

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


class Ended(SyncStopped):
    """The sync has ended before its time, by its options; its result says what was done."""


class Throttle:
    """The pace of one sync, shared by its workers. Thread-safe.

    Args:
        options: the rate, the retries and when to stop.
        transient: the exceptions after which a call may be made again, or a function that tells them.
    """

    def __init__(self, options: SyncOptions, transient: Transient = ()) -> None:
        self._options = options
        self._transient = transient
        self._lock = threading.Lock()
        self._next = 0.0
        """When the rate allows the next call."""
        self._quiet_until = 0.0
        """When the system asks to be called again."""
        self._tried = 0
        self._failed = 0
        self._ended = threading.Event()

    def is_transient(self, error: BaseException) -> bool:
        """Whether a call that raised this may be made again."""
        return isinstance(error, self._transient) if isinstance(self._transient, tuple) else self._transient(error)

    def call(self, function: Callable[[], T], landed: Callable[[], T | None] = lambda: None) -> T:
        """Call at the allowed rate; after a transient error again, unless `landed` shows that it was done after all.

        Once the sync has ended, nothing is tried again.
        """
        for attempt in count():
            self.turn()
            try:
                return function()
            except Exception as error:
                if not self.is_transient(error) or not self.pause(error, attempt):
                    raise
                done = landed()
                if done is not None:
                    return done
        raise AssertionError("unreachable")

    def turn(self) -> bool:
        """Wait until the next call may be made; False where the sync has ended meanwhile, and none is to be made."""
        rate = self._options.max_calls_per_second
        if rate is not None or self._quiet_until:
            with self._lock:
                now = time.monotonic()
                turn = max(now, self._next, self._quiet_until)
                self._next = turn + 1 / rate if rate is not None else 0.0
            self._wait(turn - now)
        return not self.has_ended

    def pause(self, error: BaseException, attempt: int) -> bool:
        """Wait before a call is made again; False where it is not to be made again.

        Where the system says when to come back (`Retry-After`), all workers wait for that.

        Args:
            error: what the call has raised.
            attempt: how often it was made again before.
        """
        if attempt >= self._options.retries or self.has_ended:
            return False
        asked = retry_after(error)
        if asked is None:
            self._wait(self._options.backoff * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
        else:
            with self._lock:
                self._quiet_until = max(self._quiet_until, time.monotonic() + asked)
            self._wait(asked)
        return not self.has_ended

    def count(self, operations: int, failed: int) -> None:
        """Count how operations ended.

        Raises:
            Ended: too large a share has failed.
        """
        share = self._options.max_failure_ratio
        if share is None:
            return
        with self._lock:
            self._tried += operations
            self._failed += failed
            if not failed or self._tried < self._options.failure_ratio_after:
                return
            if self._failed > share * self._tried:
                self._ended.set()
                raise Ended(
                    f"Stopped: {self._failed} of {self._tried} operations failed, more than {share:.0%}. "
                    "What was not tried is pending: mend the cause and apply the diff again for it, "
                    "or raise SyncOptions.max_failure_ratio."
                )

    def check(self) -> None:
        """Raise Ended where the caller asks to stop."""
        if self._options.should_stop is not None and self._options.should_stop():
            self._ended.set()
            raise Ended(
                "Stopped as asked, between two operations. What was not tried is pending: apply the diff again to go on."
            )

    def end(self) -> None:
        """Let nobody wait any longer, and nothing be tried again."""
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        """Whether no new call is to be made."""
        return self._ended.is_set()

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._ended.wait(seconds)
