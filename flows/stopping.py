"""A flow run that is cancelled ends between two operations, and not in the middle of one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Put off SIGTERM, by which a worker cancels a run, to the end of the body; whether it came is asked meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append((number, frame)))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)
        if asked:
            signal.raise_signal(signal.SIGTERM)
