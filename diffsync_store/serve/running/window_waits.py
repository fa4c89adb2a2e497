"""Begin a run when a window of its sync opens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from diffsync_store.runs import OpenWindow

_LOOK_SECONDS = 60.0
"""Pause between two looks at the clock at most: it may be changed while a run waits."""


class WindowWaits:
    """The runs that wait for a window. Threads may share it.

    Args:
        keep: called with the diff of a run at each look at the clock, so that it does not expire while the run waits; raises nothing.
        look_seconds: pause between two looks at the clock at most.
    """

    def __init__(self, keep: Callable[[str], object], look_seconds: float = _LOOK_SECONDS) -> None:
        self._keep = keep
        self._look_seconds = look_seconds
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def add(self, run_id: str, window: OpenWindow, begin: Callable[[], object]) -> None:
        """Call `begin` in a thread as soon as a window is open, unless the run is dropped before."""
        timer = threading.Timer(window.seconds_left(self._look_seconds), self._look, (run_id, window, begin))
        timer.daemon = True
        with self._lock:
            if not self._is_closed:
                self._timers[run_id] = timer
                timer.start()

    def drop(self, run_id: str) -> bool:
        """Let a run wait no longer; return whether it did."""
        with self._lock:
            timer = self._timers.pop(run_id, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def close(self) -> list[str]:
        """Let no run wait any longer; return those that did."""
        with self._lock:
            self._is_closed = True
            waiting = list(self._timers)
        return [run_id for run_id in waiting if self.drop(run_id)]

    def _look(self, run_id: str, window: OpenWindow, begin: Callable[[], object]) -> None:
        self._keep(window.request.diff_id)
        if not self.drop(run_id):
            return
        if window.is_closed:
            self.add(run_id, window, begin)
        else:
            begin()
