"""Saved diffs in Redis: the exact list of operations that a sync applies, in another process, at another time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from pydantic import BaseModel

from diffsync_store.canonical import readable
from diffsync_store.diff import Diff, DiffElement, paths
from diffsync_store.differ import Differ
from diffsync_store.enum import DiffSyncFlags, OperationState
from diffsync_store.exceptions import (
    DiffExists,
    DiffNotApproved,
    DiffNotFound,
    ObjectNotFound,
    ObjectStoreException,
    StoreInUse,
)
from diffsync_store.guards import Guards, Hold, Holds, counted
from diffsync_store.guards.withhold import place_of, withhold, withhold_below
from diffsync_store.operation import Chosen, Operation, diff_of, id_in, operations_at, operations_of
from diffsync_store.result import SyncResult
from diffsync_store.store import redis_scripts as scripts
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis_connection import Connection, translated_errors
from diffsync_store.store.redis_history import Past
from diffsync_store.store.redis_journal import RedisJournal
from diffsync_store.store.redis_keys import DEFAULT_TTL, DiffKeys, check_namespace, command, index_of_diffs
from diffsync_store.store.redis_record import server_time
from diffsync_store.store.redis_stores import newest_first
from diffsync_store.store.tally import Subtree, Tally
from diffsync_store.sync import Sync, applied_before, refuse_rejected, within
from diffsync_store.sync.journal import Approval, Entry
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.plan import Plan
from diffsync_store.sync.selection import Select

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.store.redis_lease import Lease

_BATCH = 500
"""Elements of a page: what is read at once, and what has a digest of its own in the checksum."""
_PENDING = Entry(OperationState.PENDING, at=0.0)


class DiffRecord(BaseModel):
    """What a saved diff says of itself."""

    diff_id: str
    source_name: str
    target_name: str
    source_store_id: str = ""
    target_store_id: str = ""
    source_generation: str = ""
    """The generations that the two stores had when they were compared."""
    target_generation: str = ""
    flags: int = 0
    """The `DiffSyncFlags` that the diff was made with, as a number."""
    summary: dict[str, int]
    operations: int
    """Number of creates, updates and deletes."""
    by_model: dict[str, dict[str, int]] = {}
    """The same by model and action."""
    largest: tuple[Subtree, ...] = ()
    """The objects of the top with most operations below them, their own included, the largest first; ten at most."""
    target_counts: dict[str, int] = {}
    """Objects that the target had by model, of which a budget's percents are."""
    holds: tuple[Hold, ...] = ()
    """What of it is held, with what allows it."""
    elements: int
    """Number of elements stored: operations, and what stands above them."""
    created: datetime
    ttl: int


@dataclass(frozen=True)
class _About:
    """What is known of a diff beside its elements."""

    source_name: str
    target_name: str
    source: StoreRecord | None
    target: StoreRecord | None
    flags: int
    holds: tuple[Hold, ...] = ()

    def facts(self) -> dict[str, Any]:
        """What the record says of it."""
        source, target = self.source, self.target
        return {
            "source_name": readable(self.source_name),
            "target_name": readable(self.target_name),
            "source_store_id": source.store_id if source else "",
            "target_store_id": target.store_id if target else "",
            "source_generation": source.generation if source else "",
            "target_generation": target.generation if target else "",
            "flags": self.flags,
            "holds": self.holds,
        }

    def held_in(self, element: DiffElement) -> Iterator[Hold]:
        """For each operation at and below an element, what holds it; only where that depends on its place."""
        holds = Holds(self.holds)
        if holds.is_scoped:
            for below, above in paths(iter([element])):
                hold = holds.holding(below.type, below.action, tuple(map(place_of, above)))
                if hold is not None:
                    yield hold

    def is_of(self, record: DiffRecord) -> bool:
        """Whether it is all that is known of the diff that has this record."""
        facts = self.facts()
        return bool(record.source_generation) and all(getattr(record, name) == fact for name, fact in facts.items())


def _about(source: Adapter, target: Adapter, flags: DiffSyncFlags, guards: Guards | None) -> _About:
    """What is known of a comparison before it begins.

    Raises:
        StoreNotFound, StoreNotComplete: one of the stores cannot be compared.
    """
    names = str(source.name), str(target.name)
    if guards is None:
        return _About(*names, source.store.require_complete(), target.store.require_complete(), flags.value)
    of_source, of_target = source.store.require_loaded(), target.store.require_loaded()
    return _About(*names, of_source, of_target, flags.value, guards.holds(of_source, of_target).all)


def _require_namespace(namespace: str, **sides: Adapter) -> None:
    """Refuse stores in Redis of another namespace than the diff's: nothing there knows of the diff that needs them.

    Raises:
        ObjectStoreException: one of them is.
    """
    spaces = {name: getattr(side.store, "namespace", None) for name, side in sides.items()}
    if all(space in {None, namespace} for space in spaces.values()):
        return
    told = [
        f"the {name}'s store {sides[name].store.store_id!r} is in {_space(space)}"
        for name, space in spaces.items()
        if space is not None
    ]
    raise ObjectStoreException(
        f"A saved diff and its stores are in one namespace, but the diff is in {_space(namespace)}, {' and '.join(told)}. "
        "Give RedisDiffs and each RedisStore the same `namespace`, and load what is in another one again."
    )


def _space(namespace: str) -> str:
    return f"the namespace {namespace!r}" if namespace else "none"


_ANOTHER = "A diff of the same id is being saved by another process. Let only one do it."


class _SavedByAnother(StoreInUse):
    """Two processes save under one id."""


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
        for first in range((self.record.elements - 1) // _BATCH * _BATCH, -1, -_BATCH):
            yield from reversed(list(self.elements(first, _BATCH)))

    def operations(
        self,
        start: int = 0,
        limit: int | None = None,
        *,
        chosen: Chosen = Chosen(),  # noqa: B008 - it does not change
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
        while batch := list(islice(texts, _BATCH)):
            entries = journal.read([id_in(text) for text in batch])
            yield from (text for text in batch if entries.get(id_in(text), _PENDING).state is state)

    def _texts(self, start: int = 0, limit: int | None = None) -> Iterator[bytes]:
        stop = self.record.elements if limit is None else min(self.record.elements, start + limit)
        for number in range(start // _BATCH, -(-stop // _BATCH)):
            first = number * _BATCH
            texts = self._page(number)
            if self._digests is not None and self._digests[number] != _digest_of(texts):
                raise DiffNotApproved(
                    f"Elements {first} to {first + len(texts) - 1} of diff {self.record.diff_id!r} were changed in Redis after "
                    "they were checked: nothing of them was applied. Find out who has written there, and make a new diff."
                )
            yield from texts[max(0, start - first) : stop - first]

    def _page(self, number: int) -> list[bytes]:
        first = number * _BATCH
        last = min(first + _BATCH, self.record.elements) - 1
        with translated_errors():
            texts: list[bytes] = self._redis.lrange(self._keys.elements, first, last)
        if len(texts) != last - first + 1:
            raise DiffNotFound(f"Diff {self.record.diff_id!r} was dropped or expired while it was read. Make it anew.")
        return texts

    def streamed(self, holds: Holds | None = None) -> StreamedDiff:
        """The diff for a sync: its elements are read as the sync comes to them, and let go of behind it.

        Args:
            holds: what is left out; by default what was held when the diff was made.
        """
        return StreamedDiff(self, Holds(self.record.holds) if holds is None else holds)

    def diff(self) -> Diff:
        """The diff as it was saved, in memory: same elements, same order, same counts; what is held is in it."""
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
        """Apply what is left of the diff; what was held when it was made is held, unless `guards` or `options.hold` is given.

        Args:
            source: the adapter that is right; nothing is read of it but, with `guards`, the record of its store.
            target: the adapter that is changed, over the store that the diff was made from.
            options: how it is applied.
            guards: the budget that all of the diff has to keep to, and what is held.
            flags: how to apply; with `CONTINUE_ON_FAILURE` what is refused is listed and the rest lands.
            callback: called with stage ("sync"), number done, number in all.
            by: who applies it; by default host and process.
            lease: the lease on the target, if there is one.

        Raises:
            StoreReloaded: the target's store was loaded anew since the diff was made.
            ObjectStoreException: the target is over another store than the diff was made from, or in another namespace.
            BudgetExceeded: the diff changes more than the guards allow; nothing was applied.
            DiffNotApproved: also where an element was changed after the diff was checked against its approval; what stands
                on its page and behind it is not applied.
            SyncStopped: as for `Sync.run`.
        """
        if self.record.target_generation:
            self._require_store(target)
            _require_namespace(self.namespace, target=target)
            target.store.require_load(self.record.target_generation)
        options = options or SyncOptions()
        holds = Holds(self.record.holds)
        if guards is not None:
            known = self.record.source_generation
            of_source = source.store.require_load(known) if known else source.store.record()
            holds = self.guarded(guards, target.store.record(), of_source)
        if options.hold is None and holds.all:
            options = replace(options, hold=holds)
        sync = Sync(
            self.streamed(Holds()),
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

    def planned(self, options: SyncOptions | None = None, *, flags: DiffSyncFlags = DiffSyncFlags.NONE) -> SyncResult:
        """What `apply` would do with these options now, if the target refused nothing and were what the diff saw.

        Neither system is asked and nothing is written. What a sync that died has sent is `unknown`; what moves counts
        where it goes and where it comes from. What is held is held as by `apply`: without `options.hold`, what was held
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
        if options.hold is None and self.record.holds:
            options = replace(options, hold=Holds(self.record.holds))
        return Plan(self.streamed(Holds()), journal, within(approval, options), flags).counted()

    def guarded(self, guards: Guards, target: StoreRecord, source: StoreRecord | None) -> Holds:
        """What of the diff is held, the rest being within the budget.

        Args:
            guards: the guards.
            target: the record of the target's store.
            source: the record of the source's store; None where it is known that nothing is held.

        Raises:
            BudgetExceeded: the rest is over the budget.
        """
        # The target as the diff saw it: what a sync that was stopped has deleted does not make the others more.
        target = target.model_copy(update={"counts": self.record.target_counts or target.counts})
        holds = Holds() if source is None else guards.holds(source, target)
        counts = counted(self.streamed(holds)) if holds.is_scoped else self.record.by_model
        guards.check(counts, target, holds)
        return holds

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
        while batch := list(islice(operations, _BATCH)):
            entries = journal.read([operation.id for operation in batch])
            yield from ((operation, entries.get(operation.id, _PENDING)) for operation in batch)

    def settle(self, operation_id: str, *, is_done: bool) -> None:
        """Say of an operation with unknown outcome what a look at the target has shown.

        Raises:
            ObjectStoreException: nothing is unknown of it.
        """
        entry = self.journal().read([operation_id]).get(operation_id)
        if entry is None or entry.state is not OperationState.SENT:
            is_ = f"is {entry.state.value}" if entry else "was never sent"
            raise ObjectStoreException(
                f"Operation {operation_id!r} of diff {self.record.diff_id!r} {is_}, so there is nothing to settle: "
                f"`{command(self.namespace)} changes {self.record.diff_id} --state sent --json` shows what is unknown."
            )
        state = OperationState.DONE if is_done else OperationState.PENDING
        self.journal().write({operation_id: Entry(state, "settled by hand")})

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
        pages = range(-(-self.record.elements // _BATCH))
        self._digests = [_digest_of(self._page(number)) for number in pages]
        return b"".join(self._digests)

    def drop(self) -> None:
        """Remove the diff."""
        with translated_errors():
            self._redis.unlink(*self._keys.all())
            self._redis.zrem(index_of_diffs(self.namespace), self.record.diff_id)


class StreamedDiff(Diff):
    """A saved diff that is read piece by piece, without what is held.

    One thread reads it. `get_children` reads it anew each time it is called. What cannot be told without all of it, such as its text, reads
    all of it.
    """

    has_operation_ids: ClassVar[bool] = True

    def __init__(self, saved: SavedDiff, holds: Holds) -> None:
        super().__init__()
        del self.children
        self._saved = saved
        self._holds = holds
        self.held: Counter[tuple[str, str, str]] = Counter()
        """Operations that were left out, as far as it was read the last time: by model, action and reason."""
        summary = saved.record.summary
        self.skipped = summary.get("skip", 0)
        self.unchanged = max(0, summary.get("no-change", 0) - (saved.record.elements - saved.record.operations))

    def __getattr__(self, name: str) -> Any:
        if name == "children":
            diff = self._saved.diff()
            withhold(diff, self._holds)
            return diff.children
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __len__(self) -> int:
        return self.unchanged + (sum(map(len, self.get_children())) if self._holds.all else self._saved.record.elements)

    def size(self) -> int:
        return super().size() if self._holds.all else self._saved.record.elements

    def has_diffs(self) -> bool:
        return super().has_diffs() if self._holds.all else self._saved.record.operations > 0

    def summary(self) -> dict[str, int]:
        return super().summary() if self._holds.all else dict(self._saved.record.summary)

    def get_children(self) -> Iterator[DiffElement]:
        self.held.clear()
        for element in self._elements():
            found, is_held = withhold_below(element, self._holds)
            self.held.update((held.type, str(held.action), reason) for held, reason in found)
            if not is_held:
                yield element

    def get_children_backwards(self) -> Iterator[DiffElement]:
        """The elements of the top as the saved diff has them, the last first; read piece by piece too."""
        names = self._saved.record.source_name, self._saved.record.target_name
        tree: list[Operation] = []
        for operation in self._saved.elements_backwards():
            tree.append(operation)
            if not operation.parents:
                [element] = diff_of(reversed(tree), *names).get_children()
                if not withhold_below(element, self._holds)[1]:
                    yield element
                tree = []

    def _elements(self) -> Iterator[DiffElement]:
        names = self._saved.record.source_name, self._saved.record.target_name
        tree: list[Operation] = []
        for operation in self._saved.elements():
            if tree and not operation.parents:
                yield from diff_of(tree, *names).get_children()
                tree = []
            tree.append(operation)
        yield from diff_of(tree, *names).get_children()


class RedisDiffs:
    """The saved diffs of one Redis, in one namespace; threads may share it, and child processes that are forked.

    Takes the connection arguments of RedisStore, and its `namespace`; `ttl` is the number of seconds without use after which a diff expires.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        port: int = 6379,
        url: str | None = None,
        db: int = 0,
        client: Any = None,
        ttl: int = DEFAULT_TTL,
        namespace: str = "",
        **options: Any,
    ) -> None:
        self.namespace = check_namespace(namespace)
        if ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection(host=host, port=port, url=url, db=db, client=client, options=options)
        self._redis = self._connection.client
        self._ttl = ttl

    def close(self) -> None:
        """Close the connection if it was opened here."""
        self._connection.close()

    def save(
        self,
        diff: Diff,
        diff_id: str | None = None,
        *,
        source: StoreRecord | None = None,
        target: StoreRecord | None = None,
        source_name: str | None = None,
        target_name: str | None = None,
        flags: int = 0,
    ) -> str:
        """Save a diff under `diff_id`; a new id is made up without one.

        A reader sees the whole diff or none: its record is written last. A diff that has the id already is replaced,
        unless somebody has approved or rejected it, or begun to apply it.

        Args:
            diff: the diff.
            diff_id: 1 to 128 letters, digits, `.`, `_`, `-`.
            source: the record, from before the comparison, of the store that was the source.
            target: the record of the store that was the target, likewise.
            source_name: name of the source; by default what the diff or the store says.
            target_name: name of the target, likewise.
            flags: the value of the `DiffSyncFlags` that the diff was made with.

        Returns:
            The `diff_id`.

        Raises:
            DiffExists: a diff of this id is there, and is not replaced.
        """
        first = next(diff.get_children(), None)
        about = _About(
            source_name or (first.source_name if first else source.name if source else "source"),
            target_name or (first.dest_name if first else target.name if target else "dest"),
            source,
            target,
            flags,
        )
        return self._save(diff_id, operations_of(diff), diff.summary, about)

    def compare(
        self,
        source: Adapter,
        target: Adapter,
        diff_id: str | None = None,
        *,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callable[[str, int, int], None] | None = None,
        guards: Guards | None = None,
    ) -> str:
        """Compare two adapters over complete stores and save the diff as it comes, so that it need not fit in memory.

        A reader sees the whole diff or none. A diff that was saved under the id before is gone when this begins, unless
        it is refused to replace it, as by `save`. With guards the stores may be partial: what that does not prove is saved
        too, and held.

        Args:
            source: the adapter that is right.
            target: the adapter that is to be changed.
            diff_id: as for `save`.
            flags: how to compare.
            callback: called with stage ("diff"), number of objects done, number in all.
            guards: say what is held.

        Returns:
            The `diff_id`.

        Raises:
            StoreNotFound, StoreNotComplete: one of the stores cannot be compared.
            StoreReloaded: one of them was loaded anew meanwhile.
            ObjectStoreException: a store is in another namespace than the diffs.
            DiffExists: a diff of this id is there, and is not replaced.
        """
        _require_namespace(self.namespace, source=source, target=target)
        about = _about(source, target, flags, guards)
        differ = Differ(source, target, flags, callback=callback)
        totals: Counter[str] = Counter()
        held: Counter[Hold] = Counter()

        def require_same_loads() -> None:
            for side, record in ((source, about.source), (target, about.target)):
                if record is not None:
                    side.store.require_load(record.generation)

        def operations() -> Iterator[Operation]:
            try:
                for position, element in enumerate(differ.elements()):
                    totals.update(element.summary())
                    held.update(about.held_in(element))
                    yield from operations_at(element, position)
            except ObjectNotFound:
                require_same_loads()  # or else that is the reason
                raise
            require_same_loads()

        def summary() -> dict[str, int]:
            counts = differ.diff.summary()
            return {action: count + totals[action] for action, count in counts.items()}

        return self._save(diff_id, operations(), summary, about, held)

    def compare_once(
        self,
        source: Adapter,
        target: Adapter,
        diff_id: str,
        *,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callable[[str, int, int], None] | None = None,
        guards: Guards | None = None,
    ) -> str:
        """As `compare`; where the diff of this id is what `compare` would have made before, nothing is done.

        For what may run twice, as a task that is tried again: a diff of the same loads of the same two stores, with the
        same flags and with the same operations held, is left as it is, with its approval and its journal. What a sync has
        brought into the stores since then does not count.
        """
        _require_namespace(self.namespace, source=source, target=target)
        about = _about(source, target, flags, guards)
        with suppress(DiffNotFound):
            if about.is_of(self.open(diff_id).record):
                return diff_id
        return self.compare(source, target, diff_id, flags=flags, callback=callback, guards=guards)

    def _save(
        self,
        diff_id: str | None,
        found: Iterator[Operation],
        summary: Callable[[], dict[str, int]],
        about: _About,
        held: Counter[Hold] | None = None,
    ) -> str:
        diff_id = str(uuid4()) if diff_id is None else diff_id
        keys = DiffKeys(diff_id, self.namespace)
        self._make_room(keys)
        try:
            tally = self._save_elements(found, keys)
        except _SavedByAnother:  # what stands there now is not of this diff
            raise
        except BaseException:
            self._clear(keys)
            raise
        by_model = tally.by_model()
        record = DiffRecord(
            diff_id=diff_id,
            summary=summary(),
            operations=sum(sum(actions.values()) for actions in by_model.values()),
            by_model=by_model,
            largest=tally.largest(),
            target_counts=dict(about.target.counts) if about.target else {},
            elements=tally.elements,
            created=server_time(self._redis, keys.record),
            ttl=self._ttl,
            **about.facts()
            | {
                "holds": tuple(
                    replace(hold, number=held[hold] if held is not None and hold.below else None)
                    for hold in about.holds
                )
            },
        )
        with translated_errors():
            is_whole = scripts.FINISH(
                self._redis, [keys.elements, keys.record], [record.elements, self._ttl, record.model_dump_json()]
            )
        if not is_whole:
            raise _SavedByAnother(_ANOTHER)
        with translated_errors():
            self._redis.zadd(index_of_diffs(self.namespace), {diff_id: record.created.timestamp()})
        return diff_id

    def _save_elements(self, found: Iterator[Operation], keys: DiffKeys) -> Tally:
        tally = Tally()
        while batch := list(islice(found, _BATCH)):
            texts = [operation.text() for operation in batch]
            with translated_errors():
                life = max(self._ttl, scripts.LOAD_LIFE)
                answer = scripts.APPEND(self._redis, [keys.elements], [tally.elements, life, *texts])
            if answer < 0:
                raise ObjectStoreException(
                    f"What was saved of diff {keys.diff_id!r} is gone: it was dropped, or Redis has lost it. Make it anew."
                )
            if not answer:
                raise _SavedByAnother(_ANOTHER)
            tally.add(batch)
        return tally

    def _make_room(self, keys: DiffKeys) -> None:
        why = self._clear(keys)
        if why:
            what = "somebody has approved or rejected it" if why == "approval" else "a sync has begun to apply it"
            raise DiffExists(
                f"There is a diff {keys.diff_id!r} already, and {what}: it is not replaced. Give another diff_id, or none; "
                f"or drop that one first: `{command(self.namespace)} drop {keys.diff_id} --force`.",
                keys.diff_id,
            )

    def _clear(self, keys: DiffKeys) -> str:
        """Remove what is saved under the id, or say why it stays."""
        made = [keys.approval, keys.journal, keys.writer, keys.application, keys.record, keys.elements]
        with translated_errors():
            why: bytes = scripts.CLEAR(self._redis, made, [])
        return why.decode()

    def list(self) -> Iterator[DiffRecord]:
        """The records of the saved diffs, the newest first; read as they are asked for. It is no use that keeps them."""
        return newest_first(self._redis, index_of_diffs(self.namespace), self._record_of)

    def history(self, model: str, unique_id: str) -> Iterator[Past]:
        """What the saved diffs that are still kept have done to one object, the newest first.

        Reads every element of every diff that changes objects of the model.
        """
        for record in self.list():
            if model not in record.by_model:
                continue
            saved = self.saved(record)
            with suppress(DiffNotFound):  # it has expired meanwhile
                for operation in saved.operations(chosen=Chosen(model, unique_id=unique_id)):
                    journal = saved.journal()
                    entry = journal.read([operation.id]).get(operation.id, _PENDING)
                    yield Past(record, operation, entry, journal.approval(), journal.last_writer())

    def expires_in(self, diff_id: str) -> int | None:
        """Seconds until a diff expires if nobody uses it; None where it is not there."""
        with translated_errors():
            seconds = self._redis.ttl(DiffKeys(diff_id, self.namespace).record)
        return int(seconds) if seconds >= 0 else None

    def open(self, diff_id: str) -> SavedDiff:
        """The diff saved under this id; its time to live counts anew from now on.

        Raises:
            DiffNotFound: there is none.
        """
        keys = DiffKeys(diff_id, self.namespace)
        record = self._record(keys, diff_id)
        with translated_errors():
            for key in keys.all():
                self._redis.expire(key, record.ttl)
        return self.saved(record)

    def saved(self, record: DiffRecord) -> SavedDiff:
        """The diff that has this record. It is no use that keeps it, and it may have expired."""
        return SavedDiff(self._redis, record, self.namespace)

    def _record_of(self, diff_id: str) -> DiffRecord:
        return self._record(DiffKeys(diff_id, self.namespace), diff_id)

    def _record(self, keys: DiffKeys, diff_id: str) -> DiffRecord:
        with translated_errors():
            text = self._redis.get(keys.record)
        if text is None:
            raise DiffNotFound(
                f"There is no diff {diff_id!r}: it was never saved, was dropped, or expired. Make it anew."
            )
        return DiffRecord.model_validate_json(text)
