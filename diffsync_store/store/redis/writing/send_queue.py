"""A queue of batches to send to Redis."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress

from diffsync_store.store.redis.connection.driver import redis_errors
from diffsync_store.store.redis.scripts.pipeline import Pipeline, TransactionFailed
from diffsync_store.store.redis.writing.batch import MAX_OBJECTS, Batch, joined
from diffsync_store.store.redis.writing.writer import NotAdmitted, Writer

Refused = list[tuple[str, str]]
"""Model and unique id of adds that were refused because the object exists."""


class SendQueue:
    """Batches in the order of writing.

    A batch stays in the queue until Redis has confirmed it. After a failure it is sent again with the next one; Redis writes it only
    once. While this process is the only writer of the store, batches may be sent ahead: their answers are read when the next ones are
    sent, so that Redis writes while this process encodes.

    Args:
        writer: the writer of the store.
        pipe: the connections on which batches are sent ahead; None if they cannot be.
        batch_objects: maximum objects that are sent in one batch, before it is split for the partitions.
    """

    def __init__(self, writer: Writer, pipe: Pipeline | None, batch_objects: int = MAX_OBJECTS) -> None:
        self._writer = writer
        self._pipe = pipe
        self._batch_objects = batch_objects
        self._waiting: deque[Batch] = deque()
        self._sent: deque[tuple[Batch, float]] = deque()
        """Unanswered batches, each with the monotonic time at which it was sent."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def put(self, batch: Batch) -> None:
        """Append a batch."""
        self._waiting.append(batch)
        batch.is_queued = True

    def contains(self, batch: Batch) -> bool:
        """Whether the objects of the batch are in the queue or were sent."""
        return batch.is_queued or any(waiting is batch for waiting in self._waiting)

    def push(self) -> Refused:
        """Write all batches and wait for the answers."""
        refused = self._read_answers()
        self._arrange()
        if len(self._waiting) > 1 and self._writer.has_partitions:
            self._send_all()
            refused += self._read_answers()
        while self._waiting:
            batch = self._waiting[0]
            refused += [(batch.model, uid) for uid in self._writer.write(batch)]
            self._waiting.popleft()
        return refused

    def push_ahead(self) -> Refused:
        """Send all batches, without waiting for the answers if possible; return the refused adds of answered batches."""
        new = len(self._waiting)
        refused = self._read_answers()
        are_all_answered = len(self._waiting) == new
        if self._pipe is None or not are_all_answered or time.monotonic() >= self._writer.claim_until:
            return refused + self.push()
        self._arrange()
        if not self._send_all():
            return refused + self.push()
        return refused

    def _arrange(self) -> None:
        """Join small batches, and split what has not been sent yet into the parts for the partitions.

        The waiting batches are replaced in one step, so that an interrupt loses none.
        """
        for batch in self._waiting:
            batch.is_queued = True
        self._waiting = deque(
            part
            for batch in joined(self._waiting, self._batch_objects)
            for part in ([batch] if batch.number or batch.whole is not None else self._writer.split(batch))
        )

    def _send_all(self) -> bool:
        """Send all batches; return False if they could not be, and wait again."""
        if self._pipe is None:
            return False
        try:
            while self._waiting:
                started = time.monotonic()
                self._writer.send(self._pipe, self._waiting[0])
                self._sent.append((self._waiting[0], started))
                self._waiting.popleft()
        except (redis_errors.RedisError, OSError):
            self._requeue_sent()
            return False
        except BaseException:  # an interrupt may occur between two steps
            self._requeue_sent()
            raise
        return True

    def discard(self) -> None:
        """Drop all batches. Redis may still write those that were sent."""
        try:
            self._read_answers()
        finally:
            if self._waiting or self._sent:
                self._writer.change_token()
            self._waiting.clear()
            self._sent.clear()

    def _read_answers(self) -> Refused:
        """Read the answers to all sent batches. Batches that were not written, or may not have been, wait again."""
        refused: Refused = []
        if self._pipe is None or not self._sent:
            return refused
        try:
            while self._sent:
                batch, started = self._sent[0]
                refused += [(batch.model, uid) for uid in self._writer.process(batch, self._pipe.answer(), started)]
                self._sent.popleft()
            self._pipe.release()
        except TransactionFailed:
            self._avoid_transactions(self._pipe)
        except (redis_errors.RedisError, OSError, NotAdmitted):
            self._requeue_sent()
        except BaseException:
            self._requeue_sent()
            raise
        return refused

    def _avoid_transactions(self, pipe: Pipeline) -> None:
        """Requeue the sent batches, and remove what the server has kept of their transactions, once it has run the last one."""
        refused = [batch for batch, _ in self._sent]
        try:
            with suppress(redis_errors.RedisError, OSError):
                pipe.skip_answers()
        finally:
            self._requeue_sent()
        self._writer.avoid_transactions(refused)

    def _requeue_sent(self) -> None:
        """Move sent batches, whose outcome is unknown, back to the waiting ones."""
        while self._sent:
            batch = self._sent[-1][0]
            if not self._waiting or self._waiting[0] is not batch:
                self._waiting.appendleft(batch)
            self._sent.pop()
        if self._pipe is not None:
            self._pipe.close()
