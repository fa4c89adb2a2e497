"""A diff in Redis, read page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from diffsync_store.diff import Diff
from diffsync_store.diffs.journal import RedisJournal
from diffsync_store.enum import DiffSyncFlags, OperationState
from diffsync_store.exceptions import (
    DiffNotApproved,
    DiffNotFound,
    ObjectStoreException,
)
from diffsync_store.guards.guards import Guards, count_operations
from diffsync_store.guards.suppression import Suppressions
from diffsync_store.journal import Approval, Entry
from diffsync_store.operation import Operation, OperationFilter, diff_of, id_in
from diffsync_store.result import SyncResult
from diffsync_store.selection import Select
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import DiffKeys, command, index_of_diffs
from diffsync_store.store.redis.record import server_time
from diffsync_store.sync.dry_run import Plan
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.sync import Sync, applied_before, refuse_rejected, within

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.store.redis.leases import Lease

from diffsync_store.diffs.namespaces import require_namespace
from diffsync_store.diffs.record import PAGE, DiffRecord
from diffsync_store.diffs.streamed_diff import StreamedDiff

PENDING = Entry(OperationState.PENDING, at=0.0)


def _digest_of(texts: list[bytes]) -> bytes:
    """The digest of a page of elements, each by its length too: no two pages have the same bytes."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(b"%d:%b" % (len(text), text))
    return digest.digest()


class SavedDiff:
    """A diff in Redis; nothing of it is in memory until it is asked for."""

    def __init__(self, client: Any, record: DiffRecord, namespace: str = "") -> None:
        self._redis = client
        self.namespace = namespace
        self._keys = DiffKeys(record.diff_id, namespace)
        self._digests: list[bytes] | None = None
        """Of each page of elements, once the checksum was asked for."""
        self.record = record

    def __str__(self) -> str:
        return self.record.diff_id

    def elements(self, start: int = 0, limit: int | None = None) -> Iterator[Operation]:
        """Operations and what stands above them, in the order of a sync, from position `start` on.

        Raises:
            DiffNotFound: the diff was dropped or expired meanwhile.
        """
        return map(Operation.model_validate_json, self._texts(start, limit))

    def elements_backwards(self) -> Iterator[Operation]:
        """As `elements`, from the last to the first."""
        for first in range((self.record.elements - 1) // PAGE * PAGE, -1, -PAGE):
            yield from reversed(list(self.elements(first, PAGE)))

    def operations(
        self,
        start: int = 0,
        limit: int | None = None,
        *,
        chosen: OperationFilter = OperationFilter(),  # noqa: B008 - it does not change
        state: OperationState | None = None,
    ) -> Iterator[Operation]:
        """Creates, updates and deletes in the order of a sync; what is left out is read, though not parsed.

        Args:
            start: how many of those that fit are passed over.
            limit: most of them.
            chosen: those of a model, an action, an object.
            state: those of which this has become; asks the journal for each that is read.
        """
        texts = (text for text in self._texts() if text in chosen)
        if state is not None:
            texts = self._in_state(texts, state)
        return map(Operation.model_validate_json, islice(texts, start, None if limit is None else start + limit))

    def _in_state(self, texts: Iterator[bytes], state: OperationState) -> Generator[bytes]:
        journal = self.journal()
        while batch := list(islice(texts, PAGE)):
            entries = journal.read([id_in(text) for text in batch])
            yield from (text for text in batch if entries.get(id_in(text), PENDING).state is state)

    def _texts(self, start: int = 0, limit: int | None = None) -> Iterator[bytes]:
        stop = self.record.elements if limit is None else min(self.record.elements, start + limit)
        for number in range(start // PAGE, -(-stop // PAGE)):
            first = number * PAGE
            texts = self._page(number)
            if self._digests is not None and self._digests[number] != _digest_of(texts):
                raise DiffNotApproved(
                    f"Elements {first} to {first + len(texts) - 1} of diff {self.record.diff_id!r} were changed in Redis after "
                    "they were checked: nothing of them was applied. Find out who has written there, and make a new diff."
                )
            yield from texts[max(0, start - first) : stop - first]

    def _page(self, number: int) -> list[bytes]:
        first = number * PAGE
        last = min(first + PAGE, self.record.elements) - 1
        with translated_errors():
            texts: list[bytes] = self._redis.lrange(self._keys.elements, first, last)
        if len(texts) != last - first + 1:
            raise DiffNotFound(f"Diff {self.record.diff_id!r} was dropped or expired while it was read. Make it anew.")
        return texts

    def streamed(self, suppressions: Suppressions | None = None) -> StreamedDiff:
        """The diff for a sync: its elements are read as the sync comes to them, and let go of behind it.

        Args:
            suppressions: what is left out; by default what was suppressed when the diff was made.
        """
        return StreamedDiff(self, Suppressions(self.record.suppressions) if suppressions is None else suppressions)

    def diff(self) -> Diff:
        """The diff as it was saved, in memory: same elements, same order, same counts; suppressed operations are in it."""
        diff = diff_of(self.elements(), self.record.source_name, self.record.target_name)
        summary = self.record.summary
        diff.unchanged = max(0, summary.get("no-change", 0) - (self.record.elements - self.record.operations))
        diff.skipped = summary.get("skip", 0)
        return diff

    def apply(
        self,
        source: Adapter,
        target: Adapter,
        *,
        options: SyncOptions | None = None,
        guards: Guards | None = None,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callable[[str, int, int], None] | None = None,
        by: str = "",
        lease: Lease | None = None,
    ) -> SyncResult:
        """Apply what is left of the diff; what was suppressed when it was made is suppressed, unless `guards` or `options.suppress` is given.

        Args:
            source: the adapter that is right; nothing is read of it but, with `guards`, the record of its store.
            target: the adapter that is changed, over the store that the diff was made from.
            options: how it is applied.
            guards: the change limits of the whole diff, and what is suppressed.
            flags: how to apply; with `CONTINUE_ON_FAILURE` what is refused is listed and the rest lands.
            callback: called with stage ("sync"), number done, number in all.
            by: who applies it; by default host and process.
            lease: the lease on the target, if there is one.

        Raises:
            StoreReloaded: the target's store was loaded anew since the diff was made.
            ObjectStoreException: the target is over another store than the diff was made from, or in another namespace.
            ChangeLimitExceeded: the diff changes more than the guards allow; nothing was applied.
            DiffNotApproved: also where an element was changed after the diff was checked against its approval; what stands
                on its page and behind it is not applied.
            SyncStopped: as for `Sync.run`.
        """
        if self.record.target_generation:
            self._require_store(target)
            require_namespace(self.namespace, target=target)
            target.store.require_load(self.record.target_generation)
        options = options or SyncOptions()
        suppressions = Suppressions(self.record.suppressions)
        if guards is not None:
            known = self.record.source_generation
            of_source = source.store.require_load(known) if known else source.store.record()
            suppressions = self.guarded(guards, target.store.record(), of_source)
        if options.suppress is None and suppressions.all:
            options = replace(options, suppress=suppressions)
        sync = Sync(
            self.streamed(Suppressions()),
            source,
            target,
            options,
            journal=self.journal(),
            flags=flags,
            callback=callback,
            checksum=self.checksum,
            by=by,
            lease=lease,
        )
        return sync.run()

    def dry_run(self, options: SyncOptions | None = None, *, flags: DiffSyncFlags = DiffSyncFlags.NONE) -> SyncResult:
        """What `apply` would do with these options now, if the target refused nothing and were what the diff saw.

        Neither system is asked and nothing is written. What a sync that died has sent is `unknown`; what moves counts
        where it goes and where it comes from. What is suppressed is as by `apply`: without `options.suppress`, what was suppressed
        when the diff was made.

        Raises:
            DiffNotApproved: somebody has rejected the diff, and the options do not ask for an approval.
        """
        options, journal = options or SyncOptions(), self.journal()
        approval, before = journal.approval(), journal.application()
        if not options.require_approval:
            refuse_rejected(approval)
        if before is not None:
            return applied_before(before)
        if options.suppress is None and self.record.suppressions:
            options = replace(options, suppress=Suppressions(self.record.suppressions))
        return Plan(self.streamed(Suppressions()), journal, within(approval, options), flags).counted()

    def guarded(self, guards: Guards, target: StoreRecord, source: StoreRecord | None) -> Suppressions:
        """What of the diff is suppressed, the rest being within the change limits.

        Args:
            guards: the guards.
            target: the record of the target's store.
            source: the record of the source's store; None where it is known that nothing is suppressed.

        Raises:
            ChangeLimitExceeded: the rest is over the change limits.
        """
        # The target as the diff saw it: what a sync that was stopped has deleted does not make the others more.
        target = target.model_copy(update={"counts": self.record.target_counts or target.counts})
        suppressions = Suppressions() if source is None else guards.suppressions(source, target)
        counts = count_operations(self.streamed(suppressions)) if suppressions.is_scoped else self.record.by_model
        guards.check(counts, target, suppressions)
        return suppressions

    def _require_store(self, target: Adapter) -> None:
        wanted, given = self.record.target_store_id, target.store.store_id
        if given != wanted:
            raise ObjectStoreException(
                f"Diff {self.record.diff_id!r} was made from the target's store {wanted!r}, and this target has "
                f"{given or 'another one'!r}: give it RedisStore(store_id={wanted!r})."
            )

    def journal(self) -> RedisJournal:
        """What became of the diff's operations, who has approved it, who has applied it."""
        made = self.record.model_dump_json(include={"created"}).strip("{}")
        return RedisJournal(self._redis, self._keys, self.record.ttl, made)

    def outcomes(self) -> Iterator[tuple[Operation, Entry]]:
        """All operations in the order of a sync, each with what became of it."""
        journal, operations = self.journal(), self.operations()
        while batch := list(islice(operations, PAGE)):
            entries = journal.read([operation.id for operation in batch])
            yield from ((operation, entries.get(operation.id, PENDING)) for operation in batch)

    def resolve(self, operation_id: str, *, is_done: bool) -> None:
        """Say of an operation with unknown outcome what a look at the target has shown.

        Raises:
            ObjectStoreException: nothing is unknown of it.
        """
        entry = self.journal().read([operation_id]).get(operation_id)
        if entry is None or entry.state is not OperationState.SENT:
            is_ = f"is {entry.state.value}" if entry else "was never sent"
            raise ObjectStoreException(
                f"Operation {operation_id!r} of diff {self.record.diff_id!r} {is_}, so there is nothing to resolve: "
                f"`{command(self.namespace)} changes {self.record.diff_id} --state sent --json` shows what is unknown."
            )
        state = OperationState.DONE if is_done else OperationState.PENDING
        self.journal().write({operation_id: Entry(state, "resolved by hand")})

    def approve(
        self, *, by: str, reason: str, checksum: str | None = None, exclude: tuple[Select, ...] = ()
    ) -> Approval:
        """Approve the diff.

        Args:
            by: who approves it.
            reason: why.
            checksum: what it had when it was looked at; as it is now, where nothing is given.
            exclude: leave these out of every sync of the diff, until it is approved again without them.
        """
        checksum = self.checksum() if checksum is None else checksum
        approval = Approval(by=by, reason=reason, at=self.now(), checksum=checksum, excluded=exclude)
        self.journal().approve(approval)
        return approval

    def reject(self, *, by: str, reason: str) -> Approval:
        """Say that the diff is not to be applied; `approve` takes it back."""
        rejection = Approval(by=by, reason=reason, at=self.now(), checksum="", is_rejected=True)
        self.journal().approve(rejection)
        return rejection

    def now(self) -> datetime:
        """The time in UTC by the clock of Redis, by which records and journals have their times."""
        return server_time(self._redis, self._keys.record)

    def checksum(self) -> str:
        """What the diff's record and its elements add up to; reads all of them.

        What this object reads of the diff from now on is what the checksum is of: an element that has become another one
        meanwhile raises `DiffNotApproved`, and nothing of the page that it stands on is given away.
        """
        facts = self.record.model_dump_json(exclude_defaults=True).encode()
        return hashlib.sha256(facts + b"\n" + self._content()).hexdigest()

    def content(self) -> str:
        """What the elements alone add up to: equal for two diffs of the same changes; as `checksum` else."""
        return hashlib.sha256(self._content()).hexdigest()

    def _content(self) -> bytes:
        pages = range(-(-self.record.elements // PAGE))
        self._digests = [_digest_of(self._page(number)) for number in pages]
        return b"".join(self._digests)

    def drop(self) -> None:
        """Remove the diff."""
        with translated_errors():
            self._redis.unlink(*self._keys.all())
            self._redis.zrem(index_of_diffs(self.namespace), self.record.diff_id)
