"""Long work says how far it is, every few seconds."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event, Thread
from time import monotonic

SECONDS = 5.0


class Progress:
    """A callback for the library's diff and sync that logs at most one line every few seconds."""

    def __init__(self, log: "logging.Logger | logging.LoggerAdapter[logging.Logger]", seconds: float = SECONDS) -> None:
        self._log = log
        self._seconds = seconds
        self._due = monotonic() + seconds

    def __call__(self, stage: str, done: int, total: int) -> None:
        if monotonic() < self._due:
            return
        self._due = monotonic() + self._seconds
        self._log.info("%s: %s of %s elements", stage, f"{done:,}", f"{total:,}")


@contextmanager
def repeated(report: Callable[[], None], seconds: float = SECONDS) -> Iterator[None]:
    """Call `report` every few seconds from a thread of its own while the body runs."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            report()

    thread = Thread(target=copy_context().run, args=(repeat,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
