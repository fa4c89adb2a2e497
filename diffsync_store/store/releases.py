"""Objects that the program released: reported at any moment, in any thread, and taken in when the store can."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol


class Tracked(Protocol):
    """What a store knows one object by."""

    def let_go(self, obj: Any) -> None:
        """The program releases the object."""


class Releases:
    """Objects that the program released, each with a reference that one store had of it.

    Python tells of them between any two steps of any thread: the store may be at work, in this thread or in another. Whoever
    tells never waits, and what is reported in the middle of something is taken in at the next beginning.
    """

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.waiting: deque[tuple[Any, Any]] = deque()

    def tell(self, reference: Any, obj: Any) -> None:
        """The program releases an object; None if it is gone already."""
        lock = self._lock
        if self.waiting and not lock._is_owned() and lock.acquire(blocking=False):
            try:
                self.take()
            finally:
                lock.release()
        # Last: who tells of an object has it as long as this takes, and it would look as if it were held.
        self.waiting.append((reference, obj))

    def take(self) -> None:
        """Take in what was reported; for who has the lock."""
        while self.waiting:
            let_go = self.waiting[0]
            let_go[0].buffer.note_release(let_go)
            if self.waiting and self.waiting[0] is let_go:  # what an interrupt leaves is taken in again
                self.waiting.popleft()
