"""What a store has taken to be written, on its way to Redis."""

from __future__ import annotations

import time
from collections import deque

from diffsync_store.store.redis.connection.driver import redis_errors
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.writing.batch import Batch
from diffsync_store.store.redis.writing.pipeline import Pipeline
from diffsync_store.store.redis.writing.writer import NotAdmitted, Writer

Refused = list[tuple[str, str]]
"""Model and unique id of adds that were refused because the object is there already."""


class SendQueue:
    """Batches in the order in which they are to be written.

    Each is kept until Redis has said that it is written: where that fails, it is tried again with the next one, and a
    batch that Redis did write is not written twice. While this process is the store's one writer, batches may be sent
    `ahead`: their answers are read when the next ones are sent, so that Redis writes while the next ones are made.
    """

    def __init__(self, writer: Writer, pipe: Pipeline | None) -> None:
        self._writer = writer
        self._pipe = pipe
        self._waiting: deque[Batch] = deque()
        self._sent: deque[tuple[Batch, float]] = deque()
        """With the time at which each was sent."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def put(self, batch: Batch) -> None:
        """Append a batch."""
        self._waiting.append(batch)

    def has_taken(self, batch: Batch) -> bool:
        """Whether the batch is in the queue or was sent."""
        return batch.number > 0 or any(waiting is batch for waiting in self._waiting)

    def push(self) -> Refused:
        """Write all batches and wait for the answers."""
        refused = self._heard()
        while self._waiting:
            batch = self._waiting[0]
            refused += [(batch.model, uid) for uid in self._writer.write(batch)]
            self._waiting.popleft()
        return refused

    def push_ahead(self) -> Refused:
        """Send everything without waiting for it, if that can be done; tell what became of what was sent before."""
        new = len(self._waiting)
        refused = self._heard()
        is_certain = len(self._waiting) == new
        if self._pipe is None or not is_certain or time.monotonic() >= self._writer.lease_until:
            return refused + self.push()
        try:
            while self._waiting:
                started = time.monotonic()
                self._pipe.send(scripts.WRITE, *self._writer.call(self._waiting[0]))
                self._sent.append((self._waiting[0], started))
                self._waiting.popleft()
        except (redis_errors.RedisError, OSError):
            self._take_back()
            return refused + self.push()
        except BaseException:  # it may strike between two steps
            self._take_back()
            raise
        return refused

    def discard(self) -> None:
        """Write nothing of it any more; what is on the way may be written yet."""
        try:
            self._heard()
        finally:
            if self._waiting or self._sent:
                self._writer.change_token()
            self._waiting.clear()
            self._sent.clear()

    def _heard(self) -> Refused:
        """Read the answers to what was sent; what was not written, or nobody knows, waits again."""
        refused: Refused = []
        if self._pipe is None or not self._sent:
            return refused
        try:
            while self._sent:
                batch, started = self._sent[0]
                refused += [(batch.model, uid) for uid in self._writer.learn(self._pipe.answer(), started)]
                self._sent.popleft()
            self._pipe.release()
        except (redis_errors.RedisError, OSError, NotAdmitted):
            self._take_back()
        except BaseException:
            self._take_back()
            raise
        return refused

    def _take_back(self) -> None:
        """Of what was sent it is not known what became."""
        while self._sent:
            batch = self._sent[-1][0]
            if not self._waiting or self._waiting[0] is not batch:
                self._waiting.appendleft(batch)
            self._sent.pop()
        if self._pipe is not None:
            self._pipe.close()
