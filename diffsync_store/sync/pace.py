"""How fast a sync may go, what it tries again, and when it gives up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from diffsync_store.exceptions import SyncStopped
from diffsync_store.sync.options import SyncOptions

T = TypeVar("T")


class Ended(SyncStopped):
    """The sync has ended before its time, by its options; its result says what was done."""


class Pace:
    """The pace of one sync, shared by its workers."""

    def __init__(self, options: SyncOptions, transient: tuple[type[Exception], ...]) -> None:
        self._options = options
        self._transient = transient
        self._lock = threading.Lock()
        self._next = 0.0
        self._tried = 0
        self._failed = 0
        self._ended = threading.Event()

    @property
    def is_plain(self) -> bool:
        """Whether calls are made once and at any rate."""
        return not self._options.retries and self._options.rate is None

    def call(self, function: Callable[[], T], landed: Callable[[], T | None]) -> T:
        """Call at the allowed rate; after a transient error again, unless `landed` shows that it was done after all."""
        for attempt in range(self._options.retries):
            self._wait_turn()
            try:
                return function()
            except self._transient:
                self._wait(self._options.backoff * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
                done = landed()
                if done is not None:
                    return done
        self._wait_turn()
        return function()

    def count(self, operations: int, failed: int) -> None:
        """Count how operations ended.

        Raises:
            Ended: too large a share has failed.
        """
        share = self._options.stop_at_share
        if share is None:
            return
        with self._lock:
            self._tried += operations
            self._failed += failed
            if not failed or self._tried < self._options.stop_after:
                return
            if self._failed > share * self._tried:
                self._ended.set()
                raise Ended(
                    f"Stopped: {self._failed} of {self._tried} operations failed, more than {share:.0%}. "
                    "What was not tried is pending: mend the cause and apply the diff again for it, "
                    "or raise SyncOptions.stop_at_share."
                )

    def check(self) -> None:
        """Raise Ended where the caller asks to stop."""
        if self._options.stop is not None and self._options.stop():
            self._ended.set()
            raise Ended(
                "Stopped as asked, between two operations. What was not tried is pending: apply the diff again to go on."
            )

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._ended.set()

    @property
    def has_ended(self) -> bool:
        """Whether no new operation is to begin."""
        return self._ended.is_set()

    def _wait_turn(self) -> None:
        if self._options.rate is None:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 1 / self._options.rate
        self._wait(turn - now)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._ended.wait(seconds)
