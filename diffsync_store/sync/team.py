"""Workers of one sync, and the store that they share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from diffsync_store.store import BaseStore

T = TypeVar("T")


class _Elsewhere(AbstractContextManager[None]):
    def __init__(self, turn: threading.RLock) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        self._turn.release()

    def __exit__(self, *_: object) -> None:
        self._turn.acquire()


class Team:
    """A number of threads that work one at a time, but for when they wait for somebody else.

    The engine, the store and the journal's bookkeeping are used by the one thread that has the turn; it gives the turn
    away while it is in the target's system or in Redis.
    """

    def __init__(self, workers: int, store: BaseStore) -> None:
        self._workers = workers
        self._turn = threading.RLock()
        self._elsewhere = _Elsewhere(self._turn)
        self._store = store
        self._let_go: deque[Any] = deque()

    def elsewhere(self) -> AbstractContextManager[None]:
        """Give the turn away for as long as the block takes; whoever enters has it."""
        return self._elsewhere

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The time in which the store is used by several threads."""
        if self._workers == 1:
            with self._turn:
                yield
            return
        changed, let_go = self._store.changed, self._store.let_go

        def changed_in_turn(obj: Any) -> None:
            with self._turn:
                changed(obj)

        # Objects are let go of by the garbage collection, in any thread and at any place: that must not wait.
        vars(self._store).update(changed=changed_in_turn, let_go=self._let_go.append)
        try:
            yield
        finally:
            for name in ("changed", "let_go"):
                del vars(self._store)[name]
            while self._let_go:
                let_go(self._let_go.popleft())

    def do(self, work: Callable[[T], None], items: Iterable[T], give_up: Callable[[], None]) -> None:
        """Do the work for each item, and wait for it; the first exception is raised when all have ended."""
        if self._workers == 1:
            for item in items:
                work(item)
            return
        with ThreadPoolExecutor(self._workers, thread_name_prefix="sync") as pool:
            futures = [pool.submit(self._in_turn, work, item) for item in items]
            done, open_ones = wait(futures, return_when=FIRST_EXCEPTION)
            if any(future.exception() for future in done):
                give_up()
                for future in open_ones:
                    future.cancel()
        self._settle_let_go()
        _raise_first(futures)

    def _in_turn(self, work: Callable[[T], None], item: T) -> None:
        with self._turn:
            work(item)

    def _settle_let_go(self) -> None:
        let_go = type(self._store).let_go
        while self._let_go:
            let_go(self._store, self._let_go.popleft())


def _raise_first(futures: list[Future[None]]) -> None:
    for future in futures:
        if not future.cancelled() and (error := future.exception()):
            raise error
