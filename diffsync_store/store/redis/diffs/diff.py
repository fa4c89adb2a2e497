"""A saved diff as Redis stores it, read page by page."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic_core import from_json

from diffsync_store.agents import Agent, Element, Round
from diffsync_store.diff import Diff
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import DiffNotApproved, DiffNotFound, DiffUnreadable, ObjectStoreException
from diffsync_store.field_rules.left_alone import LeftAlone
from diffsync_store.field_rules.recording import Recorder
from diffsync_store.journal import PENDING, Approval, Entry
from diffsync_store.operation import Operation, OperationFilter, diff_of, id_in
from diffsync_store.selection import Select
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.diffs.agents import AgentJournal, RedisAgents, read_round
from diffsync_store.store.redis.diffs.journal import RedisJournal
from diffsync_store.store.redis.diffs.pages import PAGE, digest_of, pages, unpack
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.redis.keys import DiffKeys, command, index_of_diffs
from diffsync_store.store.redis.memory import RedisTargetMemory
from diffsync_store.store.redis.record import server_time
from diffsync_store.store.redis.scripts.pipeline import Pipeline, new_pipeline

_EVERY_OPERATION = OperationFilter()


class RedisDiff:
    """The record, the elements and the journal of a saved diff. Elements are read when they are asked for.

    Threads may share it; another process opens it by its `diff_id`.
    """

    def __init__(
        self, client: Any, record: DiffRecord, namespace: str = "", *, connection: Connection | None = None
    ) -> None:
        self._redis = client
        self._connection = connection
        self.namespace = namespace
        self._keys = DiffKeys(record.diff_id, namespace)
        self._digests: list[bytes] | None = None
        """The digest of each page, once the checksum was computed."""
        self.record = record

    def __str__(self) -> str:
        return self.record.diff_id

    # Elements

    def elements(self, start: int = 0, limit: int | None = None) -> Iterator[Operation]:
        """Yield the operations and the objects above them in the order of a sync, from position `start` on.

        Raises:
            DiffNotFound: the diff was dropped or has expired.
            DiffUnreadable: another version of the library has saved it.
        """
        return map(Operation.model_validate_json, self.texts(start, limit))

    def elements_backwards(self) -> Iterator[Operation]:
        """Yield the same as `elements`, last first."""
        for first in range((pages(self.record.elements) - 1) * PAGE, -1, -PAGE):
            yield from reversed(list(self.elements(first, PAGE)))

    def elements_in(self, ranges: Sequence[tuple[int, int]]) -> Iterator[Operation]:
        """Yield the elements of several ranges, each with its start and its length, in rising order. Each page is read once."""
        number, page = -1, list[bytes]()
        for start, length in ranges:
            for at in range(start, start + length):
                if at // PAGE != number:
                    number = at // PAGE
                    page = self._checked_page(number)
                yield Operation.model_validate_json(page[at % PAGE])

    def operations(
        self,
        start: int = 0,
        limit: int | None = None,
        *,
        matching: OperationFilter = _EVERY_OPERATION,
        state: OperationState | Collection[OperationState] | None = None,
    ) -> Iterator[Operation]:
        """Yield creates, updates and deletes in the order of a sync.

        Args:
            start: number of matching operations to skip.
            limit: maximum number of operations.
            matching: selects by model, action and object, without parsing the others.
            state: selects by one or several states; reads the journal entry of each matching operation.
        """
        texts = (text for text in self.texts() if text in matching)
        if state is not None:
            texts = self._in_states(texts, {state} if isinstance(state, OperationState) else {*state})
        return map(Operation.model_validate_json, islice(texts, start, None if limit is None else start + limit))

    def outcomes(self) -> Iterator[tuple[Operation, Entry]]:
        """Yield each operation with its journal entry, in the order of a sync."""
        journal, operations = self.journal(), self.operations()
        while batch := list(islice(operations, PAGE)):
            entries = journal.read([operation.id for operation in batch])
            yield from ((operation, entries.get(operation.id, PENDING)) for operation in batch)

    def _in_states(self, texts: Iterator[bytes], states: set[OperationState]) -> Generator[bytes]:
        journal = self.journal()
        while batch := list(islice(texts, PAGE)):
            entries = journal.read([id_in(text) for text in batch])
            yield from (text for text in batch if entries.get(id_in(text), PENDING).state in states)

    def plan_elements(self) -> Iterator[Element]:
        """Yield what the plan of several agents has to know of each element."""
        for text in self.texts():
            fields = from_json(text)
            yield Element(
                not fields.get("parents"), fields["model"], fields["unique_id"] or fields["name"], fields["action"]
            )

    def texts(self, start: int = 0, limit: int | None = None) -> Iterator[bytes]:
        """Yield the same as `elements`, as JSON that is not parsed."""
        stop = self.record.elements if limit is None else min(self.record.elements, start + limit)
        for number in range(start // PAGE, pages(stop)):
            first = number * PAGE
            yield from self._checked_page(number)[max(0, start - first) : stop - first]

    def _checked_page(self, number: int) -> list[bytes]:
        texts = self._page(number)
        if self._digests is not None and self._digests[number] != digest_of(texts):
            first = number * PAGE
            raise DiffNotApproved(
                f"Elements {first} to {first + len(texts) - 1} of diff {self.record.diff_id!r} were changed in Redis after "
                "they were checked. None of them was applied. Find out who wrote there, and make a new diff."
            )
        return texts

    def _page(self, number: int) -> list[bytes]:
        with translated_errors():
            page: bytes | None = self._redis.lindex(self._keys.elements, number)
        texts = [] if page is None else self._unpacked(page)
        if len(texts) != min(PAGE, self.record.elements - number * PAGE):
            raise DiffNotFound(
                f"Diff {self.record.diff_id!r} was dropped or expired while it was read. Make a new diff."
            )
        return texts

    def _unpacked(self, page: bytes) -> list[bytes]:
        try:
            return unpack(page)
        except ValueError as error:
            raise DiffUnreadable(
                f"Diff {self.record.diff_id!r} was saved by another version of this library, or somebody has changed it in Redis, so "
                f"it cannot be read. Drop it: `{command(self.namespace)} drop {self.record.diff_id}`, and make it again."
            ) from error

    def diff(self) -> Diff:
        """Return the whole diff in memory as it was saved, suppressed operations included."""
        diff = diff_of(self.elements(), self.record.source_name, self.record.target_name)
        summary = self.record.summary
        diff.unchanged = max(0, summary.get("no-change", 0) - (self.record.elements - self.record.operations))
        diff.skipped = summary.get("skip", 0)
        return diff

    # What field rules leave alone

    def left_alone(self, start: int = 0, limit: int | None = None) -> Iterator[LeftAlone]:
        """Yield what the field rules of the sync leave alone, in the order of the diff; secrets are redacted.

        Args:
            start: number of entries to skip.
            limit: maximum number of entries.
        """
        total = sum(sum(counts.values()) for counts in self.record.left_alone.values())
        stop = total if limit is None else min(total, start + limit)
        for first in range(start, stop, PAGE):
            with translated_errors():
                texts = self._redis.lrange(self._keys.left_alone, first, min(first + PAGE, stop) - 1)
            yield from map(LeftAlone.model_validate_json, texts)

    def conflicts(self) -> Iterator[LeftAlone]:
        """Yield the values that `unless_changed` leaves alone, because they are not the ones that a sync wrote last."""
        return (one for one in self.left_alone() if one.is_conflict) if self.record.left_alone else iter(())

    def memory(self) -> RedisTargetMemory:
        """Return what syncs have written to the target of the diff."""
        return RedisTargetMemory(self._redis, self.record.target_name, self.namespace)

    def recorder(self) -> Recorder | None:
        """Return what remembers the operations of a sync of the diff; None if its field rules remember nothing."""
        if not self.record.field_rules:
            return None
        memory = self.memory()
        offset = memory.now() - time.time()
        return Recorder(memory, self.record.field_rules, self.record.source_name, lambda: time.time() + offset)

    # Checksums

    def checksum(self) -> str:
        """Return the checksum of the record and the elements; reads all elements.

        Afterwards this object checks each page that it reads against the checksum: a page with a changed element raises
        `DiffNotApproved`.
        """
        return self.checksum_of(self.read_digests())

    def checksum_of(self, digests: list[bytes]) -> str:
        """Return the checksum of the record and of elements whose pages have these digests; otherwise as `checksum`."""
        self._digests = digests
        facts = self.record.model_dump_json(exclude_defaults=True).encode()
        return hashlib.sha256(facts + b"\n" + b"".join(digests)).hexdigest()

    def content(self) -> str:
        """Return the checksum of the elements alone, which two diffs of the same changes share; otherwise as `checksum`."""
        self._digests = self.read_digests()
        return hashlib.sha256(b"".join(self._digests)).hexdigest()

    def read_digests(self) -> list[bytes]:
        """Return the digest of each page; reads all elements."""
        return [digest_of(self._page(number)) for number in range(pages(self.record.elements))]

    # Journal and decisions

    def journal(self) -> RedisJournal:
        """Return the journal: states of the operations, approval, application."""
        return RedisJournal(self._redis, self._keys, self.record.ttl, self._created, pipeline=self._pipeline())

    def agents(self, agent: Agent) -> RedisAgents:
        """Return an agent that applies the diff together with others."""
        journal = AgentJournal(self._redis, self._keys, self.record.ttl, self._created, pipeline=self._pipeline())
        return RedisAgents(self._redis, self._keys, journal, self.record.ttl, self._created, agent)

    def round(self) -> Round | None:
        """Return the last application by several agents; None if one process has applied the diff, or nobody."""
        return read_round(self._redis, self._keys)

    @property
    def _created(self) -> str:
        return self.record.model_dump_json(include={"created"}).strip("{}")

    def _pipeline(self) -> Pipeline | None:
        return None if self._connection is None else new_pipeline(self._connection)

    def resolve(self, operation_id: str, *, is_done: bool) -> None:
        """Record whether an operation with an unknown outcome was done, after somebody has checked the target.

        Raises:
            ObjectStoreException: the outcome of the operation is not unknown.
        """
        entry = self.journal().read([operation_id]).get(operation_id)
        if entry is None or entry.state is not OperationState.SENT:
            status = f"is {entry.state.value}" if entry else "was never sent"
            raise ObjectStoreException(
                f"Operation {operation_id!r} of diff {self.record.diff_id!r} {status}, so there is nothing to resolve. "
                f"`{command(self.namespace)} changes {self.record.diff_id} --state sent --json` lists the operations with "
                "an unknown outcome."
            )
        state = OperationState.DONE if is_done else OperationState.PENDING
        self.journal().write({operation_id: Entry(state, "resolved by hand")})

    def approve(
        self,
        *,
        by: str,
        reason: str,
        checksum: str | None = None,
        exclude: tuple[Select, ...] = (),
        allow: Iterable[str] = (),
        select: Iterable[Select] = (),
    ) -> Approval:
        """Approve the diff, as a sync with these allowances and this selection applies it, and no more.

        Args:
            by: who approves it.
            reason: why.
            checksum: the checksum of the reviewed diff; by default the current one.
            exclude: operations that no sync of the diff applies, until the diff is approved again without them.
            allow: what the guards let through in the sync that was shown.
            select: the operations that were shown; all by default.
        """
        checksum = self.checksum() if checksum is None else checksum
        approval = Approval(
            by=by,
            reason=reason,
            at=self.now(),
            checksum=checksum,
            excluded=exclude,
            allowed=tuple(allow),
            selected=tuple(select),
        )
        self.journal().approve(approval)
        return approval

    def reject(self, *, by: str, reason: str) -> Approval:
        """Reject the diff: no sync applies it, until it is approved."""
        rejection = Approval(by=by, reason=reason, at=self.now(), checksum="", is_rejected=True)
        self.journal().approve(rejection)
        return rejection

    def now(self) -> datetime:
        """Return the time in UTC by the clock of Redis, as in records and journals."""
        return server_time(self._redis, self._keys.record)

    def drop(self) -> None:
        """Remove the diff, its journal and its approval."""
        with translated_errors():
            self._redis.unlink(*self._keys.all())
            self._redis.zrem(index_of_diffs(self.namespace), self.record.diff_id)
