"""The journal of a saved diff in Redis; it expires with the diff."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from threading import Lock
from typing import Any, NoReturn

from diffsync_store.exceptions import DiffNotFound, JournalLost, SyncTakenOver
from diffsync_store.journal import (
    Application,
    Approval,
    ApprovalRequest,
    Entry,
    Journal,
    RehearsalReport,
    WindowOverride,
)
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.connection.driver import redis_errors
from diffsync_store.store.redis.keys import DiffKeys
from diffsync_store.store.redis.record import server_time, time_of
from diffsync_store.store.redis.scripts import journal as scripts
from diffsync_store.store.redis.scripts.pipeline import Pipeline
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.values.readable import readable

_BATCH = 1000
_CHANGED = 2
"""Answer of the script that records a decision, if there is another one than was read."""
_RENEW_AFTER = 60.0
"""Seconds after which a write renews the time to live."""


class RedisJournal(Journal):
    """The journal of one saved diff.

    Any number of threads and forked child processes may write to it.

    Args:
        client: a redis-py client.
        keys: the keys of the diff.
        ttl: seconds without use after which the diff expires.
        created: the creation time in the diff's record: a diff that replaces this one has another journal.
        pipeline: a connection that a sync keeps from `begin` to `end`; a write on it takes half the CPU of one by the client.
    """

    def __init__(
        self, client: Any, keys: DiffKeys, ttl: int, created: str, *, pipeline: Pipeline | None = None
    ) -> None:
        self._redis = client
        self._pipeline = pipeline
        self._pipeline_lock = Lock()
        self._keys = keys
        self._ttl = ttl
        self._created = created
        self._renewed = 0.0
        self._number = ""
        """Number of this sync. Without one, writes are not fenced: somebody resolves an operation by hand."""
        self._clock_offset: float | None = None
        """Seconds by which the server's clock is ahead of this machine's; None before it was asked."""
        self._free_streams: deque[str] = deque()
        """Streams that no thread is writing to. Each stream numbers its batches."""
        self._stream_numbers = count()
        self._stream_prefix = ""
        self._batches: dict[str, int] = {}
        self._process = os.getpid()

    # The sync that writes

    def begin(self, by: str) -> bool:
        with translated_errors():
            keys = [self._keys.record, self._keys.writer, self._keys.journal]
            answer = scripts.BEGIN(self._redis, keys, [self._created, readable(by), self._ttl])
        number, may_lack_entries, now = answer or self._raise_gone()
        self._start(number.decode(), time_of(now).timestamp() - time.time())
        return bool(may_lack_entries)

    def _start(self, number: str, clock_offset: float) -> None:
        self._number = number
        self._clock_offset = clock_offset
        self._free_streams.clear()
        self._batches.clear()

    def close(self) -> None:
        """Release the connection that a sync keeps."""
        if self._pipeline is not None and self._process == os.getpid():
            with self._pipeline_lock:
                self._pipeline.release()

    def end(self) -> None:
        self.close()
        if self._number:
            with translated_errors():
                scripts.END(self._redis, [self._keys.writer], [self._number])

    def is_running(self) -> bool:
        """True if a sync of the diff has begun and not ended; a sync that was killed counts as running."""
        with translated_errors():
            begun, ended = self._redis.hmget(self._keys.writer, "number", "ended")
        return begun is not None and ended is None

    def last_written(self) -> datetime | None:
        """Return when a sync of the diff last began or wrote; None if no sync has begun."""
        with translated_errors():
            at = self._redis.hget(self._keys.writer, "alive")
        return time_of(at) if at else None

    def last_writer(self) -> str:
        """Return who last began to apply the diff; empty if nobody has."""
        with translated_errors():
            by = self._redis.hget(self._keys.writer, "by")
        return by.decode() if by else ""

    # Entries

    def is_empty(self) -> bool:
        with translated_errors():
            return not self._redis.exists(self._keys.journal)

    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            with translated_errors():
                texts = self._redis.hmget(self._keys.journal, batch)
            found.update((name, Entry.from_json(text)) for name, text in zip(batch, texts, strict=True) if text)
        return found

    def entries(self, most: int) -> list[Entry] | None:
        """Return all entries, in any order; None if there are more than `most`."""
        with translated_errors():
            if self._redis.hlen(self._keys.journal) > most:
                return None
            return [Entry.from_json(text) for text in self._redis.hvals(self._keys.journal)]

    def write(self, entries: Mapping[str, Entry]) -> None:
        if not entries:
            return
        if self._clock_offset is None:
            self._clock_offset = server_time(self._redis, self._keys.journal).timestamp() - time.time()
        pairs = ((name, entry.to_json(self._clock_offset)) for name, entry in entries.items())
        while batch := [part for pair in islice(pairs, _BATCH) for part in pair]:
            self._write(batch)
        if time.monotonic() - self._renewed > _RENEW_AFTER or not self._renewed:
            self._renew()

    def _write(self, parts: list[str]) -> None:
        if not self._number:
            with translated_errors():
                self._redis.hset(self._keys.journal, mapping=dict(zip(parts[::2], parts[1::2], strict=True)))
            return
        stream = self._take_stream()
        batch = self._batches[stream] = self._batches.get(stream, 0) + 1
        with translated_errors():
            answer = self._write_batch(*self._arguments(stream, batch, parts))
        self._free_streams.append(stream)
        if answer:
            self._raise_refused(*(part.decode() for part in answer))

    def _arguments(self, stream: str, batch: int, parts: list[str]) -> tuple[Script, list[str], list[Any]]:
        """Return the script that writes a batch, its keys and its arguments."""
        return scripts.WRITE, [self._keys.writer, self._keys.journal], [self._number, stream, batch, *parts]

    def _write_batch(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """Write a batch on the kept connection; if that fails, by the client. A batch has a number and is written once."""
        pipeline = self._pipeline
        if pipeline is None or not self._pipeline_lock.acquire(blocking=False):  # another thread writes
            return script(self._redis, keys, arguments)
        try:
            pipeline.send(script, keys, arguments)
            return pipeline.answer()
        except redis_errors.RedisError:
            pipeline.close()
        except BaseException:  # an answer that nobody reads would be taken for the next one
            pipeline.close()
            raise
        finally:
            self._pipeline_lock.release()
        return script(self._redis, keys, arguments)

    def _take_stream(self) -> str:
        if self._process != os.getpid():  # streams and connection are those of the parent process
            self._process = os.getpid()
            self._free_streams, self._batches = deque(), {}
            self._pipeline = None
        try:
            return self._free_streams.pop()
        except IndexError:
            return f"{self._stream_prefix}{self._process}-{next(self._stream_numbers)}"

    def _raise_refused(self, number: str, by: str, at: str) -> NoReturn:
        if int(number) > int(self._number):
            raise taken_over_by(by, at)
        raise JournalLost(
            "Redis has lost entries of this sync's journal, in a restart or a failover. Nothing more was sent. Operations "
            "without an entry may have been done. Load the target again, make a new diff and apply it."
        )

    def _raise_gone(self) -> NoReturn:
        raise DiffNotFound(
            f"Diff {self._keys.diff_id!r} was dropped, has expired, or was replaced by another diff of the same id since it "
            "was opened. Open it again, or make a new diff."
        )

    def _renew(self) -> None:
        with translated_errors():
            for key in self._keys.all():
                self._redis.expire(key, self._ttl)
        self._renewed = time.monotonic()

    # Application and approval

    def application(self) -> Application | None:
        with translated_errors():
            text = self._redis.get(self._keys.application)
        return Application.model_validate_json(text) if text else None

    def conclude(self, application: Application) -> None:
        at, by = server_time(self._redis, self._keys.application), readable(application.by)
        application = application.model_copy(update={"at": at, "by": by})
        with translated_errors():
            self._redis.set(self._keys.application, application.model_dump_json(), ex=self._ttl)
        self._renew()

    def window_override(self) -> WindowOverride | None:
        """Return why a sync has last written outside of the windows; None if none has."""
        with translated_errors():
            text = self._redis.get(self._keys.window_override)
        return WindowOverride.model_validate_json(text) if text else None

    def override_windows(self, by: str, reason: str) -> None:
        """Record that somebody applies the diff outside of the windows of its sync."""
        key = self._keys.window_override
        override = WindowOverride(by=readable(by), at=server_time(self._redis, key), reason=readable(reason))
        with translated_errors():
            self._redis.set(key, override.model_dump_json(), ex=self._ttl)

    def approval(self) -> Approval | None:
        with translated_errors():
            text = self._redis.get(self._keys.approval)
        return Approval.model_validate_json(text) if text else None

    def approve(self, approval: Approval) -> None:
        approval = approval.model_copy(update={"by": readable(approval.by), "reason": readable(approval.reason)})
        keys = [self._keys.record, self._keys.approval]
        is_set: Any = [_CHANGED]
        while is_set and is_set[0] == _CHANGED:  # another person has decided meanwhile
            with translated_errors():
                before = self._redis.get(self._keys.approval) or b""
                whole = approval.after(Approval.model_validate_json(before) if before else None)
                arguments = [self._created, whole.model_dump_json(), self._ttl, before]
                is_set = scripts.APPROVE(self._redis, keys, arguments)
        self._renew()
        if not is_set:
            self._raise_gone()

    def rehearsal(self) -> RehearsalReport | None:
        with translated_errors():
            text = self._redis.get(self._keys.rehearsal)
        return RehearsalReport.model_validate_json(text) if text else None

    def record_rehearsal(self, report: RehearsalReport) -> None:
        report = report.model_copy(update={"at": server_time(self._redis, self._keys.rehearsal)})
        with translated_errors():
            self._redis.set(self._keys.rehearsal, readable(report.model_dump_json()), ex=self._ttl)
        self._renew()

    def approval_requests(self) -> dict[str, ApprovalRequest]:
        """Return the runs that wait for an approval, by the id of each; without those that have stopped waiting."""
        with translated_errors():
            found = self._redis.hgetall(self._keys.approval_requests)
        if not found:
            return {}
        now = server_time(self._redis, self._keys.approval_requests)
        requests = {name.decode(): ApprovalRequest.model_validate_json(text) for name, text in found.items()}
        return {name: request for name, request in requests.items() if request.until is None or request.until > now}

    def request_approval(
        self,
        request_id: str,
        *,
        by: str,
        link: str = "",
        seconds: float | None = None,
        earlier_decision: datetime | None = None,
        rehearsed_at: datetime | None = None,
    ) -> None:
        """Record that somebody waits for an approval, until `withdraw_request`.

        Args:
            request_id: id of the request.
            by: who waits.
            link: where to decide.
            seconds: for how long it waits; without end by default.
            earlier_decision: time of the decision that the diff has; it does not answer the request.
            rehearsed_at: time of the rehearsal that the request shows.
        """
        key = self._keys.approval_requests
        until = server_time(self._redis, key) + timedelta(seconds=seconds) if seconds else None
        request = ApprovalRequest(
            by=by, link=link, until=until, earlier_decision=earlier_decision, rehearsed_at=rehearsed_at
        )
        with translated_errors():
            self._redis.hset(key, request_id, request.model_dump_json())
        self._renew()

    def withdraw_request(self, request_id: str) -> None:
        """Remove a request, because it is answered or nobody waits any more."""
        with translated_errors():
            self._redis.hdel(self._keys.approval_requests, request_id)


def taken_over_by(by: str, at: str) -> SyncTakenOver:
    """Return the error of a sync after another one has begun.

    Args:
        by: who has begun it.
        at: when, in ms since 1970.
    """
    return SyncTakenOver(
        f"Another sync of this diff, by {by}, began at "
        f"{datetime.fromtimestamp(int(at) / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC and continues where this one ends. "
        "If nobody meant to start it, stop it and apply the diff again."
    )
