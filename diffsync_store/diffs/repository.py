"""The saved diffs of one Redis: save, compare, open, list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from diffsync_store.diff import Diff, DiffElement, paths
from diffsync_store.differ import Differ
from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.summary import DiffSummary
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import (
    DiffExists,
    DiffNotFound,
    ObjectNotFound,
    ObjectStoreException,
    StoreInUse,
)
from diffsync_store.guards.guards import Guards
from diffsync_store.guards.suppression import Suppression, Suppressions, place_of
from diffsync_store.operation import Operation, OperationFilter, operations_at, operations_of
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.catalog import newest_first
from diffsync_store.store.redis.connection import Connection, translated_errors
from diffsync_store.store.redis.keys import DEFAULT_TTL, DiffKeys, check_namespace, command, index_of_diffs
from diffsync_store.store.redis.record import server_time
from diffsync_store.store.redis.scripts import catalog as scripts
from diffsync_store.values.readable import readable

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter

from diffsync_store.diffs.namespaces import require_namespace
from diffsync_store.diffs.record import PAGE, DiffRecord
from diffsync_store.diffs.saved_diff import PENDING, SavedDiff


@dataclass(frozen=True)
class _About:
    """What is known of a diff beside its elements."""

    source_name: str
    target_name: str
    source: StoreRecord | None
    target: StoreRecord | None
    flags: int
    suppressions: tuple[Suppression, ...] = ()

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
            "suppressions": self.suppressions,
        }

    def suppressed_in(self, element: DiffElement) -> Iterator[Suppression]:
        """For each operation at and below an element, what suppresses it; only where that depends on its place."""
        suppressions = Suppressions(self.suppressions)
        if suppressions.is_scoped:
            for below, above in paths(iter([element])):
                found = suppressions.find(below.type, below.action, tuple(map(place_of, above)))
                if found is not None:
                    yield found

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
    return _About(*names, of_source, of_target, flags.value, guards.suppressions(of_source, of_target).all)


_ANOTHER = "A diff of the same id is being saved by another process. Let only one do it."


class _SavedByAnother(StoreInUse):
    """Two processes save under one id."""


class RedisDiffs:
    """The saved diffs of one Redis, in one namespace; threads may share it, and child processes that are forked.

    Args:
        connection: a connection to share; the caller closes it.
        ttl: seconds without use after which a diff expires.
        namespace: the namespace of the stores that the diffs compare, as RedisStore takes it.
        where: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        connection: Connection | None = None,
        ttl: int = DEFAULT_TTL,
        namespace: str = "",
        **where: Any,
    ) -> None:
        self.namespace = check_namespace(namespace)
        if ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection.share_or_open(connection, **where)
        self._redis = self._connection.client
        self._ttl = ttl

    def close(self) -> None:
        """Close the connection, unless it is shared."""
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
        too, as suppressed operations.

        Args:
            source: the adapter that is right.
            target: the adapter that is to be changed.
            diff_id: as for `save`.
            flags: how to compare.
            callback: called with stage ("diff"), number of objects done, number in all.
            guards: say what is suppressed.

        Returns:
            The `diff_id`.

        Raises:
            StoreNotFound, StoreNotComplete: one of the stores cannot be compared.
            StoreReloaded: one of them was loaded anew meanwhile.
            ObjectStoreException: a store is in another namespace than the diffs.
            DiffExists: a diff of this id is there, and is not replaced.
        """
        require_namespace(self.namespace, source=source, target=target)
        about = _about(source, target, flags, guards)
        differ = Differ(source, target, flags, callback=callback)
        totals: Counter[str] = Counter()
        suppressed: Counter[Suppression] = Counter()

        def require_same_loads() -> None:
            for side, record in ((source, about.source), (target, about.target)):
                if record is not None:
                    side.store.require_load(record.generation)

        def operations() -> Iterator[Operation]:
            try:
                for position, element in enumerate(differ.elements()):
                    totals.update(element.summary())
                    suppressed.update(about.suppressed_in(element))
                    yield from operations_at(element, position)
            except ObjectNotFound:
                require_same_loads()  # or else that is the reason
                raise
            require_same_loads()

        def summary() -> dict[str, int]:
            counts = differ.diff.summary()
            return {action: count + totals[action] for action, count in counts.items()}

        return self._save(diff_id, operations(), summary, about, suppressed)

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
        same flags and with the same operations suppressed, is left as it is, with its approval and its journal. What a sync has
        brought into the stores since then does not count.
        """
        require_namespace(self.namespace, source=source, target=target)
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
        suppressed: Counter[Suppression] | None = None,
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
                "suppressions": tuple(
                    replace(one, count=suppressed[one] if suppressed is not None and one.below else None)
                    for one in about.suppressions
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

    def _save_elements(self, found: Iterator[Operation], keys: DiffKeys) -> DiffSummary:
        tally = DiffSummary()
        while batch := list(islice(found, PAGE)):
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

    def history(self, model: str, unique_id: str) -> Iterator[OperationHistory]:
        """What the saved diffs that are still kept have done to one object, the newest first.

        Reads every element of every diff that changes objects of the model.
        """
        for record in self.list():
            if model not in record.by_model:
                continue
            saved = self.saved(record)
            with suppress(DiffNotFound):  # it has expired meanwhile
                for operation in saved.operations(chosen=OperationFilter(model, unique_id=unique_id)):
                    journal = saved.journal()
                    entry = journal.read([operation.id]).get(operation.id, PENDING)
                    yield OperationHistory(record, operation, entry, journal.approval(), journal.last_writer())

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
