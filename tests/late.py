"""Begin threads and processes late, as a busy machine does: `pytest --late SEED`.

A test that fails with it hopes that two threads meet, or that one is faster than another.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pytest

MOST_SECONDS = 1.5
MOST_STARTS = 30
"""How many starts of a test may be late: some tests make thousands."""
_ROOT = Path(__file__).parents[1]
_LATE = (str(_ROOT / "tests"), str(_ROOT / "diffsync_store/sync/worker_pool.py"))
"""Whose threads and processes are late. A sign of life that came as late would be none."""
_BETWEEN = (threading.__file__, subprocess.__file__, str(Path(threading.__file__).with_name("concurrent")))


@contextmanager
def starts(seed: str | None, test: str) -> Iterator[None]:
    """Let what a test starts begin up to some seconds later; with None, change nothing."""
    if seed is None:
        yield
        return
    dice, left = Random(f"{seed} {test}"), iter(range(MOST_STARTS))
    start, submit, open_process = threading.Thread.start, ThreadPoolExecutor.submit, subprocess.Popen.__init__

    def seconds() -> float:
        is_late = _is_started_by_a_test() and dice.random() < 0.6 and next(left, None) is not None
        return dice.uniform(0, MOST_SECONDS) if is_late else 0

    def start_late(thread: threading.Thread) -> None:
        if late := seconds():
            thread.run = _after(late, thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_late(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        late = seconds()
        return submit(pool, _after(late, work) if late else work, *args, **kwargs)

    def open_late(process: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
        """Let the process be ahead of the test: that it is behind is usual."""
        late = seconds()
        open_process(process, *args, **kwargs)
        sleep(late)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start_late)
        patch.setattr(ThreadPoolExecutor, "submit", submit_late)
        patch.setattr(subprocess.Popen, "__init__", open_late)
        yield


def _after(seconds: float, work: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        sleep(seconds)
        return work(*args, **kwargs)

    return late


def _is_started_by_a_test() -> bool:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((*_BETWEEN, __file__)):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(_LATE)
