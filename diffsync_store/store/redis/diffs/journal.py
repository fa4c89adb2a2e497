"""The journal of a saved diff in Redis: it lives and expires with the diff."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any, NoReturn

from diffsync_store.exceptions import DiffNotFound, JournalLost, SyncTakenOver
from diffsync_store.journal import Application, Approval, Entry, Journal, Question
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import DiffKeys
from diffsync_store.store.redis.record import server_time, time_of
from diffsync_store.store.redis.scripts import journal as scripts
from diffsync_store.values.readable import readable

_BATCH = 1000
_RENEWED_AFTER = 60.0
"""Seconds after which a write renews the time to live."""


class RedisJournal(Journal):
    """The journal of the diff that has these keys.

    Any number of threads may write to it, and child processes that are forked. `made` is when the diff was made, as its record
    has it: another diff of its id has a journal of its own.
    """

    def __init__(self, client: Any, keys: DiffKeys, ttl: int, made: str) -> None:
        self._redis = client
        self._keys = keys
        self._ttl = ttl
        self._made = made
        self._renewed = 0.0
        self._number = ""
        """Of this sync; without one it is not fenced, as for somebody who resolves an operation by hand."""
        self._ahead: float | None = None
        """Seconds by which the server's clock is ahead of this machine's, once it was asked."""
        self._free: deque[str] = deque()
        """Streams of batches that no thread is writing to; their batches are numbered, each stream's for itself."""
        self._streams = count()
        self._batches: dict[str, int] = {}
        self._process = os.getpid()

    def begin(self, by: str) -> bool:
        with translated_errors():
            keys = [self._keys.record, self._keys.writer, self._keys.journal]
            answer = scripts.BEGIN(self._redis, keys, [self._made, readable(by), self._ttl])
        number, suspect, now = answer or self._raise_gone()
        self._number = number.decode()
        self._ahead = time_of(now).timestamp() - time.time()
        self._free.clear()
        self._batches.clear()
        return bool(suspect)

    def end(self) -> None:
        if self._number:
            with translated_errors():
                scripts.END(self._redis, [self._keys.writer], [self._number])

    def is_running(self) -> bool:
        """Whether a sync of the diff has begun, and has not said that it has ended; one that was killed says nothing."""
        with translated_errors():
            begun, ended = self._redis.hmget(self._keys.writer, "number", "ended")
        return begun is not None and ended is None

    def _raise_gone(self) -> NoReturn:
        raise DiffNotFound(
            f"Diff {self._keys.diff_id!r} was dropped, has expired, or was replaced by another one of its id since it was "
            "opened. Open it again, or make it anew."
        )

    def is_empty(self) -> bool:
        with translated_errors():
            return not self._redis.exists(self._keys.journal)

    def read(self, ids: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            with translated_errors():
                texts = self._redis.hmget(self._keys.journal, batch)
            found.update((name, Entry.parsed(text)) for name, text in zip(batch, texts, strict=True) if text)
        return found

    def write(self, entries: Mapping[str, Entry]) -> None:
        if not entries:
            return
        if self._ahead is None:
            self._ahead = server_time(self._redis, self._keys.journal).timestamp() - time.time()
        values = ((name, entry.dumped(self._ahead)) for name, entry in entries.items())
        while batch := [part for pair in islice(values, _BATCH) for part in pair]:
            self._write(batch)
        with translated_errors():
            if time.monotonic() - self._renewed > _RENEWED_AFTER or not self._renewed:
                self._renew()

    def _write(self, parts: list[str]) -> None:
        if not self._number:
            with translated_errors():
                self._redis.hset(self._keys.journal, mapping=dict(zip(parts[::2], parts[1::2], strict=True)))
            return
        if self._process != os.getpid():  # those streams are the parent process's
            self._process = os.getpid()
            self._free, self._batches = deque(), {}
        try:
            stream = self._free.pop()
        except IndexError:
            stream = f"{self._process}-{next(self._streams)}"
        batch = self._batches[stream] = self._batches.get(stream, 0) + 1
        with translated_errors():
            answer = scripts.WRITE(
                self._redis, [self._keys.writer, self._keys.journal], [self._number, stream, batch, *parts]
            )
        self._free.append(stream)
        if answer:
            self._refuse(*(part.decode() for part in answer))

    def _refuse(self, number: str, by: str, at: str) -> None:
        if int(number) > int(self._number):
            raise SyncTakenOver(
                f"Another sync of this diff, by {by}, has begun at "
                f"{datetime.fromtimestamp(int(at) / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC and goes on where this one ends. "
                "If nobody meant to start it, stop it and apply the diff again."
            )
        raise JournalLost(
            "Redis has lost what this sync had set down in its journal, in a restart or a failover: nothing more was "
            "sent. What is not in the journal may have been done. Load the target again, make a new diff and apply it."
        )

    def _renew(self) -> None:
        for key in self._keys.all():
            self._redis.expire(key, self._ttl)
        self._renewed = time.monotonic()

    def last_written(self) -> datetime | None:
        """When a sync of the diff has begun or last written here; None where there was none."""
        with translated_errors():
            at = self._redis.hget(self._keys.writer, "alive")
        return time_of(at) if at else None

    def last_writer(self) -> str:
        """Who has applied the diff last, or has begun to; empty where nobody has."""
        with translated_errors():
            by = self._redis.hget(self._keys.writer, "by")
        return by.decode() if by else ""

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

    def approval(self) -> Approval | None:
        with translated_errors():
            text = self._redis.get(self._keys.approval)
        return Approval.model_validate_json(text) if text else None

    def approve(self, approval: Approval) -> None:
        approval = approval.model_copy(update={"by": readable(approval.by), "reason": readable(approval.reason)})
        with translated_errors():
            keys = [self._keys.record, self._keys.approval]
            is_set = scripts.APPROVE(self._redis, keys, [self._made, approval.model_dump_json(), self._ttl])
            self._renew()
        if not is_set:
            self._raise_gone()

    def questions(self) -> dict[str, Question]:
        """What waits for a decision, by the name that each has given itself; without those whose time is over."""
        with translated_errors():
            found = self._redis.hgetall(self._keys.questions)
        if not found:
            return {}
        now = server_time(self._redis, self._keys.questions)
        questions = {name.decode(): Question.model_validate_json(text) for name, text in found.items()}
        return {name: asked for name, asked in questions.items() if asked.until is None or asked.until > now}

    def ask(
        self, name: str, *, by: str, link: str = "", seconds: float | None = None, decided: datetime | None = None
    ) -> None:
        """Set down that a decision is waited for, until it is `answered`.

        Args:
            name: of the question.
            by: what waits.
            link: where it can be answered.
            seconds: for how long it waits; for good, where nothing is given.
            decided: when the decision was made that was there before.
        """
        until = server_time(self._redis, self._keys.questions) + timedelta(seconds=seconds) if seconds else None
        question = Question(by=by, link=link, until=until, decided=decided)
        with translated_errors():
            self._redis.hset(self._keys.questions, name, question.model_dump_json())
            self._renew()

    def answered(self, name: str) -> None:
        """Forget the question that has this name."""
        with translated_errors():
            self._redis.hdel(self._keys.questions, name)
