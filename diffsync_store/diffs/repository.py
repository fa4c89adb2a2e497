"""The saved diffs of one Redis: save, compare, open, list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any
from uuid import uuid4

from diffsync_store.adapter import Adapter
from diffsync_store.diff import Diff
from diffsync_store.differ import Differ
from diffsync_store.diffs.absences import note_absences
from diffsync_store.diffs.comparison import Comparison
from diffsync_store.diffs.history import OperationHistory
from diffsync_store.diffs.namespaces import require_namespace
from diffsync_store.diffs.outline import OutlineBuilder
from diffsync_store.diffs.rule_names import require_known_names
from diffsync_store.diffs.ruled_elements import RuledElements
from diffsync_store.diffs.saved_diff import SavedDiff
from diffsync_store.diffs.summary import DiffSummary
from diffsync_store.diffs.undo import Undo
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import DiffNotFound, ObjectNotFound, ObjectStoreException
from diffsync_store.field_rules import FieldRules
from diffsync_store.guards.guards import Guards
from diffsync_store.journal import PENDING
from diffsync_store.operation import Operation, operations_at, operations_of
from diffsync_store.rules import Rules, RulingCounter
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.diffs.catalog import DiffCatalog
from diffsync_store.store.redis.diffs.pages import PAGE, digest_of
from diffsync_store.store.redis.diffs.record import DiffRecord
from diffsync_store.store.redis.diffs.writer import DiffWriter, SavedElsewhere
from diffsync_store.store.redis.keys import DEFAULT_TTL, DiffKeys
from diffsync_store.store.redis.record import server_time
from diffsync_store.suppression import Suppression


class RedisDiffs(DiffCatalog):
    """The saved diffs of one Redis, in one namespace. Threads may share it, and so may forked child processes.

    Args:
        connection: a connection to share; the caller closes it.
        ttl: seconds without use after which a diff expires.
        namespace: the namespace of the stores that the diffs compare, as RedisStore takes it.
        connection_arguments: arguments of `Connection`, to open one instead of sharing one.
    """

    def __init__(
        self,
        *,
        connection: Connection | None = None,
        ttl: int = DEFAULT_TTL,
        namespace: str = "",
        **connection_arguments: Any,
    ) -> None:
        if ttl < 1:
            raise ObjectStoreException(f"ttl must be at least 1 second, not {ttl}.")
        self._connection = Connection.share_or_open(connection, **connection_arguments)
        super().__init__(self._connection.client, namespace)
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
        """Save a diff under `diff_id`, or under a new id.

        Readers see the whole diff or none. A diff that has the id is replaced, unless somebody has approved or rejected
        it, or begun to apply it.

        Args:
            diff: the diff.
            diff_id: 1 to 128 letters, digits, `.`, `_`, `-`.
            source: the record of the source's store, from before the comparison.
            target: the record of the target's store, from before the comparison.
            source_name: name of the source; by default that of the diff or of the store.
            target_name: name of the target; by default that of the diff or of the store.
            flags: the value of the `DiffSyncFlags` that the diff was made with.

        Returns:
            The `diff_id`.

        Raises:
            DiffExists: a diff has this id and is not replaced.
        """
        first = next(diff.get_children(), None)
        comparison = Comparison(
            source_name or (first.source_name if first else source.name if source else "source"),
            target_name or (first.dest_name if first else target.name if target else "dest"),
            source,
            target,
            flags,
        )
        return self._save(diff_id, operations_of(diff), diff.summary, comparison)

    def compare(
        self,
        source: Adapter,
        target: Adapter,
        diff_id: str | None = None,
        *,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callable[[str, int, int], None] | None = None,
        guards: Guards | None = None,
        rules: FieldRules | None = None,
        operation_rules: Rules | None = None,
    ) -> str:
        """Compare two adapters over complete stores and save the diff piece by piece: it need not fit in memory.

        Readers see the whole diff or none. A diff that has the id is removed when the comparison begins, unless `save`
        would refuse to replace it. With guards, the stores may be partial: operations that a partial load does not
        justify are saved and suppressed.

        Args:
            source: the adapter of the source of truth.
            target: the adapter to change.
            diff_id: as for `save`.
            flags: how to compare.
            callback: called with stage ("diff"), number of objects done, total number.
            guards: what to suppress.
            rules: the field rules: what they leave alone is no operation, and is listed in `SavedDiff.left_alone`.
            operation_rules: what becomes of each operation when the diff is applied.

        Returns:
            The `diff_id`.

        Raises:
            StoreNotFound, StoreNotComplete: one of the stores cannot be compared.
            StoreReloaded: one of them was loaded again during the comparison.
            ObjectStoreException: a store is in another namespace than the diffs.
            DiffExists: a diff has this id and is not replaced.
            InvalidRule: a rule names a field that no object of its models has.
        """
        require_namespace(self.namespace, source=source, target=target)
        require_known_names(operation_rules, source, target)
        comparison = Comparison.of(source, target, flags, guards, rules=rules, operation_rules=operation_rules)
        differ = Differ(source, target, flags, callback=callback)
        totals: Counter[str] = Counter()
        suppressed: Counter[Suppression] = Counter()
        ruled = RuledElements(self._redis, self.namespace, comparison, target) if rules else None
        rulings = RulingCounter(comparison.operation_rules)

        def require_same_loads() -> None:
            for side, record in ((source, comparison.source), (target, comparison.target)):
                if record is not None:
                    side.store.require_load(record.generation)

        def operations() -> Iterator[Operation]:
            try:
                elements = differ.elements()
                elements = elements if ruled is None else ruled.of(elements)
                if comparison.operation_rules.needs_absences:
                    elements = note_absences(elements, comparison, self._redis, self.namespace)
                for position, element in enumerate(elements):
                    rulings.add(element)
                    totals.update(element.summary())
                    suppressed.update(comparison.suppressed_in(element))
                    yield from operations_at(element, position)
            except ObjectNotFound:
                require_same_loads()  # a new load is the likely cause, and the better message
                raise
            require_same_loads()

        def summary() -> dict[str, int]:
            counts = differ.diff.summary()
            return {action: count + totals[action] for action, count in counts.items()}

        def facts() -> dict[str, Any]:
            return {"rulings": rulings.counts()}

        return self._save(diff_id, operations(), summary, comparison, suppressed, more=facts, ruled=ruled)

    def compare_once(
        self,
        source: Adapter,
        target: Adapter,
        diff_id: str,
        *,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callable[[str, int, int], None] | None = None,
        guards: Guards | None = None,
        rules: FieldRules | None = None,
        operation_rules: Rules | None = None,
    ) -> str:
        """Do the same as `compare`, unless the diff of this id was made by the same comparison; for tasks that are retried.

        A diff of the same loads of the same two stores, with the same flags, suppressions and rules, is kept with its approval and its
        journal. Changes that a sync has made to the stores since the loads do not count.
        """
        require_namespace(self.namespace, source=source, target=target)
        with suppress(DiffNotFound):
            record = self.open(diff_id).record
            if Comparison.of(source, target, flags, guards, rules=rules, operation_rules=operation_rules).matches(
                record
            ):
                return diff_id
        return self.compare(
            source,
            target,
            diff_id,
            flags=flags,
            callback=callback,
            guards=guards,
            rules=rules,
            operation_rules=operation_rules,
        )

    def undo(
        self,
        saved: SavedDiff,
        target: Adapter,
        diff_id: str | None = None,
        *,
        guards: Guards | None = None,
        operation_rules: Rules | None = None,
    ) -> Undo:
        """Save a diff that takes back what the syncs of another one have done, and return what it could not take back.

        Its record names the other diff in `undoes`. The store of its target is its source too: of that, nothing is read.

        Args:
            saved: the diff to undo.
            target: the adapter of its target, over a store that was loaded since.
            diff_id: as for `save`.
            guards: what to suppress.
            operation_rules: what becomes of each operation; by default the rules of the other diff decide.

        Raises:
            StoreNotFound, StoreNotComplete: the store cannot be compared.
            StoreReloaded: it was loaded again meanwhile.
            DiffExists: a diff has this id and is not replaced.
        """
        require_namespace(self.namespace, target=target)
        record = saved.record
        store = target.store.require_complete() if guards is None else target.store.require_loaded()
        found = () if guards is None else guards.suppressions(store, store).all
        comparison = Comparison(
            record.source_name,
            record.target_name,
            store,
            store,
            record.flags,
            found,
            record.field_rules,
            record.operation_rules if operation_rules is None else operation_rules,
        )
        rulings = RulingCounter(comparison.operation_rules)
        undo, totals = Undo(saved, target), Counter[str]()
        suppressed: Counter[Suppression] = Counter()

        def operations() -> Iterator[Operation]:
            for position, element in enumerate(undo.elements()):
                rulings.add(element)
                totals.update(element.summary())
                suppressed.update(comparison.suppressed_in(element))
                yield from operations_at(element, position)
            target.store.require_load(store.generation)

        def summary() -> dict[str, int]:
            return {action: totals[action] for action in record.summary}

        undo.diff_id = self._save(
            diff_id,
            operations(),
            summary,
            comparison,
            suppressed,
            more=lambda: {"undoes": record.diff_id, "notes": undo.notes(), "rulings": rulings.counts()},
        )
        return undo

    def _save(
        self,
        diff_id: str | None,
        operations: Iterator[Operation],
        summary: Callable[[], dict[str, int]],
        comparison: Comparison,
        suppressed: Counter[Suppression] | None = None,
        *,
        more: Callable[[], dict[str, Any]] = dict,
        ruled: RuledElements | None = None,
    ) -> str:
        diff_id = str(uuid4()) if diff_id is None else diff_id
        keys = DiffKeys(diff_id, self.namespace)
        writer = DiffWriter(self._redis, keys, self._ttl)
        writer.require_free()
        try:
            counts = _write_elements(operations, writer, ruled)
        except SavedElsewhere:  # the saved elements are those of the other diff
            raise
        except BaseException:
            writer.clear()
            raise
        by_model = counts.by_model()
        facts = comparison.facts() | {"suppressions": comparison.counted_suppressions(suppressed)} | more()
        record = DiffRecord(
            diff_id=diff_id,
            summary=summary(),
            operations=sum(sum(actions.values()) for actions in by_model.values()),
            by_model=by_model,
            largest=counts.largest(),
            target_counts=dict(comparison.target.counts) if comparison.target else {},
            elements=counts.elements,
            **(ruled.facts() if ruled else {}),
            created=server_time(self._redis, keys.record),
            ttl=self._ttl,
            **facts,
        )
        writer.finish(record)
        return diff_id

    def history(self, model: str, unique_id: str) -> Iterator[OperationHistory]:
        """Yield the operations of the saved diffs on one object, newest first. Diffs that cannot be read are left out."""
        for record in self.list():
            if model not in record.by_model:
                continue
            saved = self.from_record(record)
            with suppress(DiffNotFound):  # it has expired meanwhile, or another version has saved it
                for operation in saved.operations_on(model, unique_id):
                    journal = saved.journal()
                    entry = journal.read([operation.id]).get(operation.id, PENDING)
                    override = journal.window_override() if entry is not PENDING else None
                    yield OperationHistory(
                        record, operation, entry, journal.approval(), journal.last_writer(), override
                    )

    def open(self, diff_id: str) -> SavedDiff:
        """Return the diff saved under this id, and renew its time to live.

        Raises:
            DiffNotFound: there is none.
        """
        record = self.record(diff_id)
        self.renew(record)
        return self.from_record(record)

    def from_record(self, record: DiffRecord) -> SavedDiff:
        return SavedDiff(self._redis, record, self.namespace, connection=self._connection)


def _write_elements(operations: Iterator[Operation], writer: DiffWriter, ruled: RuledElements | None) -> DiffSummary:
    counts, outline = DiffSummary(), OutlineBuilder(writer.write_outline)
    while batch := list(islice(operations, PAGE)):
        texts = [operation.text().encode() for operation in batch]
        writer.append(texts)
        counts.add(batch)
        outline.add(batch, digest_of(texts))
        _write_left_alone(writer, ruled)
    _write_left_alone(writer, ruled)
    outline.finish()
    return counts


def _write_left_alone(writer: DiffWriter, ruled: RuledElements | None) -> None:
    texts = [one.model_dump_json(exclude_defaults=True) for one in ruled.take()] if ruled is not None else []
    for start in range(0, len(texts), PAGE):
        writer.append_left_alone(texts[start : start + PAGE])
