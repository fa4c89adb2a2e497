"""Threads that make the calls of a sync concurrently."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WorkerPool(Generic[T, R]):
    """Processes items in threads and returns the results to the one thread that uses it. A context manager.

    The threads run in copies of the creating thread's context variables.

    Args:
        number: Number of threads.
        work: Processes one item.
    """

    def __init__(self, number: int, work: Callable[[T], R]) -> None:
        self._number = number
        self._work = work
        self._tasks: SimpleQueue[T | None] = SimpleQueue()
        self._done: deque[tuple[T, R | None, BaseException | None]] = deque()
        self._signals: SimpleQueue[None] = SimpleQueue()
        """One for each finished item. An interrupt during a wait loses no item."""
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._running = 0
        """Items that are not processed yet."""
        self.busy = 0
        """Items whose results were not taken yet."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._tasks.put(None)

    @property
    def is_full(self) -> bool:
        """Whether all threads are busy."""
        return self.busy >= self._number

    def give(self, item: T) -> None:
        """Give an item to a thread."""
        if len(self._threads) < min(self._number, self.busy + 1):
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(self._run,), name="sync", daemon=True)
            self._threads.append(thread)
            thread.start()
        self.busy += 1
        with self._lock:
            self._running += 1
        self._tasks.put(item)

    def take(self) -> tuple[T, R | None, BaseException | None]:
        """Wait for a finished item; return it with its result or its exception."""
        self._signals.get()
        found = self._done.popleft()
        self.busy -= 1
        return found

    def drain(self) -> Iterator[tuple[T, R | None, BaseException | None]]:
        """Wait for all items, also after an interrupted `take`."""
        while True:
            is_last = not self._running
            while self._done:
                yield self._done.popleft()
            if is_last:
                self.busy = 0
                return
            with suppress(Empty):
                self._signals.get(timeout=0.05)

    def _run(self) -> None:
        while (item := self._tasks.get()) is not None:
            try:
                found: tuple[T, R | None, BaseException | None] = item, self._work(item), None
            except BaseException as error:  # noqa: BLE001  # raised in the thread that uses the pool
                found = item, None, error
            self._done.append(found)
            self._signals.put(None)
            with self._lock:
                self._running -= 1
