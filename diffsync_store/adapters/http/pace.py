"""The distance in time between the calls of all threads."""

from __future__ import annotations

import threading
import time


class Pace:
    """Keeps a distance between calls, and a pause that the API has asked for. Threads share it.

    Args:
        calls_per_second: how many calls a second at most; None for no limit.
    """

    def __init__(self, calls_per_second: float | None = None) -> None:
        self._distance = 1.0 / calls_per_second if calls_per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Wait for the turn of this call."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._distance
        if turn > now:
            time.sleep(turn - now)

    def pause(self, seconds: float) -> None:
        """Let no thread call before this time has passed."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
