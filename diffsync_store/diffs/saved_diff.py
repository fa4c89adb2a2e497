"""A saved diff that can be applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.agents import Agent, Unit
from diffsync_store.canary import read_canary
from diffsync_store.diff import Diff
from diffsync_store.diffs.namespaces import require_namespace
from diffsync_store.diffs.outline import Outline, OutlineBuilder
from diffsync_store.diffs.streamed_diff import StreamedDiff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.enum import OperationState as State
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.guards.guards import Guards, count_operations
from diffsync_store.lifecycle import opened
from diffsync_store.operation import Operation, diff_of
from diffsync_store.result import CanaryReport, Reject, SyncResult
from diffsync_store.store.record import StoreRecord
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.diffs.outline import OutlineFields
from diffsync_store.store.redis.diffs.pages import PAGE, digest_of
from diffsync_store.store.redis.leases import Lease
from diffsync_store.suppression import Suppressions
from diffsync_store.sync.agents import AgentSync
from diffsync_store.sync.approval import exclude_unapproved, refuse_rejected, require_covered, suppress_unapproved
from diffsync_store.sync.canary import planned
from diffsync_store.sync.dry_run import DryRun
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.rehearsal import SECONDS, Rehearsal, Rehearsed
from diffsync_store.sync.rulings import Rulings
from diffsync_store.sync.sync import Sync, applied_before
from diffsync_store.values.readable import canonical

_REJECT_STATES = {State.FAILED: "failed", State.CONFLICT: "conflict", State.BLOCKED: "blocked", State.SENT: "unknown"}
"""States of operations that a sync did not apply, as `Reject.state` names them."""
_LEFT_OUT = {State.SUPPRESSED: "suppressed", State.WAITING: "waiting"}
"""States of operations that a sync did not try."""


class SavedDiff(RedisDiff):
    """A diff in Redis, to read, approve and apply. Its operations are read when they are asked for.

    Threads may share it; another process opens it by its `diff_id`.
    """

    def outline(self) -> Outline:
        """Return what pages need of the whole diff. A diff that was saved without an outline gets one: this reads all elements."""
        created, ttl = self.record.created, self.record.ttl
        fields = OutlineFields.find(self._redis, self._keys, created)
        if fields is None:
            fields = OutlineFields(self._redis, self._keys)
            builder = OutlineBuilder(lambda some: fields.write(some, ttl))
            texts = self.texts()
            while page := list(islice(texts, PAGE)):
                builder.add(map(Operation.model_validate_json, page), digest_of(page))
            builder.finish()
            fields.publish(created, ttl)
        return Outline(self, fields)

    def operations_on(self, model: str, unique_id: str) -> Iterator[Operation]:
        """Yield the operations on one object."""
        model, unique_id = canonical(model), canonical(unique_id)
        for position in self.outline().positions(model, unique_id):
            found = next(self.elements(position, 1))
            if (found.model, found.unique_id) == (model, unique_id):
                yield found

    def streamed(self, suppressions: Suppressions | None = None) -> StreamedDiff:
        """Return the diff for a sync: each element is read when the sync reaches it, and freed after it.

        Args:
            suppressions: what to leave out; by default what guards suppressed when the diff was made.
        """
        return StreamedDiff(self, Suppressions(self.record.suppressions) if suppressions is None else suppressions)

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
        agent: Agent | None = None,
    ) -> SyncResult:
        """Apply the operations that are not done yet.

        What guards suppressed when the diff was made stays suppressed, unless `guards` or `options.suppress` is given.

        Args:
            source: the adapter of the source of truth. Nothing of it is read, except its store's record with `guards`.
            target: the adapter to change, over the store that the diff was made from.
            options: how to apply.
            guards: the change limits for the whole diff, and what to suppress.
            flags: how to apply; `CONTINUE_ON_FAILURE` lists what the target refuses and applies the rest.
            callback: called with stage ("canary" if there is one, then "sync"), number done, total number.
            by: who applies it; host and process by default.
            lease: the lease on the target, if there is one.
            agent: apply the diff together with other processes or threads that call this too; the result is what this one has
                done, and `round_result` what all have. Alone by default.

        Raises:
            InvalidOptions: another agent applies the diff with other options.
            StoreReloaded: the target's store was loaded again since the diff was made.
            ObjectStoreException: the target uses another store than the diff was made from, or another namespace.
            ChangeLimitExceeded: the diff changes more than the guards allow; nothing was applied.
            DiffNotApproved: the diff is rejected, differs from the approved one, or the options select more than was approved. If an
                element was changed in Redis after the check, its page and the pages after it are not applied.
            SyncStopped: as for `Sync.run`.
        """
        if self.record.target_generation:
            self._require_store(target)
            require_namespace(self.namespace, target=target)
            target.store.require_load(self.record.target_generation)
        options = options or SyncOptions()
        suppressions = Suppressions(self.record.suppressions)
        if guards is not None:
            generation = self.record.source_generation
            source_record = source.store.require_load(generation) if generation else source.store.record()
            suppressions = self.guarded(guards, target.store.record(), source_record)
        if options.suppress is None and suppressions.all:
            options = replace(options, suppress=suppressions)
        if options.require_approval:
            approval = self.journal().approval()
            require_covered(approval, select=options.select)
            options = suppress_unapproved(approval, options, self.record.suppressions)
        checksum = cache(self.checksum)
        options = self._ruled(options, checksum)
        how: dict[str, Any] = {
            "flags": flags,
            "callback": callback,
            "checksum": checksum,
            "by": by,
            "lease": lease,
            "recorder": self.recorder(),
        }
        diff = self.streamed(Suppressions())
        if agent is not None:
            result = AgentSync(self.agents(agent), agent, self, diff, source, target, options, **how).run()
        else:
            result = Sync(diff, source, target, options, journal=self.journal(), **how).run()
        return self._with_left_alone(result)

    def _ruled(self, options: SyncOptions, checksum_of_diff: Callable[[], str] | None = None) -> SyncOptions:
        """Return options that also leave out what the rules of the diff say.

        Args:
            options: how to apply.
            checksum_of_diff: returns the checksum of the diff; by default it is computed, if there is an approval to compare it with.
        """
        rules, approval = self.record.operation_rules, self.journal().approval()
        if not rules:
            return options
        is_approved = approval is not None and not approval.is_rejected
        checksum = (checksum_of_diff or self.checksum)() if is_approved else ""
        return replace(options, rulings=Rulings.of(rules, approval, checksum, options.select))

    def _with_left_alone(self, result: SyncResult) -> SyncResult:
        result.left_alone = [one.to_reject() for one in self.left_alone() if one.needs_person]
        return result

    def part(self, unit: Unit) -> Diff:
        """Return the subtrees of a unit in memory."""
        return diff_of(self.elements_in(unit.ranges), self.record.source_name, self.record.target_name)

    def round_result(self) -> SyncResult | None:
        """Return what all agents have done that last applied the diff together; None if one process has applied it alone."""
        found = self.round()
        if found is None:
            return None
        result = SyncResult.of(found.counts, found.stopped)
        if result.failed or result.blocked or result.conflicts or result.unknown:
            result.rejects = list(self._left_out(_REJECT_STATES))
        if result.suppressed or result.waiting:
            result.suppressed_operations = list(self._left_out(_LEFT_OUT))
        result.canary = self.canary()
        return self._with_left_alone(result)

    def canary(self) -> CanaryReport | None:
        """Return what became of the operations that a sync has applied first; None if no sync of the diff had a canary."""
        record = read_canary(self.journal())
        return None if record is None else record.report

    def result_of_all(self, own: SyncResult, agent: Agent) -> SyncResult:
        """Return what an agent has done together with the others of its round; its own result if there were none.

        Args:
            own: the result of its `apply`.
            agent: the agent.
        """
        found = self.round()
        if found is None or (found.group != agent.group if agent.group else own.applied_before):
            return own
        if len(found.agents) < 2 and not own.applied_before:
            return own
        total = self.round_result() or own
        total.outside_window = own.outside_window
        total.stopped = total.stopped or ("" if found.closed_by else own.stopped)
        total.window_closed = own.window_closed and bool(total.stopped)
        return total

    def rejects(self) -> Iterator[Reject]:
        """Yield the operations that were sent and not done, or blocked by one of these, in the order of a sync.

        After them come the conflicts that field rules have left alone, which are no operations.
        """
        yield from self._left_out(_REJECT_STATES)
        yield from (one.to_reject() for one in self.conflicts())

    def _left_out(self, states: Mapping[State, str]) -> Iterator[Reject]:
        """Yield the operations in these states; each state has a name."""
        for operation, entry in self.outcomes():
            if entry.state in states:
                shown = operation.redacted()
                yield Reject(
                    str(operation.action),
                    operation.model,
                    shown.unique_id or shown.name,
                    shown.identifiers,
                    entry.reason,
                    states[entry.state],
                    operation.id,
                    operation.redacted_changes(),
                )

    def dry_run(self, options: SyncOptions | None = None, *, flags: DiffSyncFlags = DiffSyncFlags.NONE) -> SyncResult:
        """Return what `apply` would do now with these options, if the target refused nothing and had not changed.

        Neither system is asked and nothing is written. Operations that a dead sync has sent are `unknown`. What guards
        suppress is suppressed as by `apply`.

        Raises:
            DiffNotApproved: the diff is rejected, and the options do not ask for an approval.
        """
        options, journal = options or SyncOptions(), self.journal()
        approval, before = journal.approval(), journal.application()
        if not options.require_approval:
            refuse_rejected(approval)
        if before is not None:
            return applied_before(before)
        if options.suppress is None and self.record.suppressions:
            options = replace(options, suppress=Suppressions(self.record.suppressions))
        options = self._ruled(suppress_unapproved(approval, options, self.record.suppressions))
        how = self.streamed(Suppressions()), journal, exclude_unapproved(approval, options), flags
        result = DryRun(*how).run()
        result.canary = planned(*how)
        return self._with_left_alone(result)

    def rehearse(
        self,
        target: Adapter,
        options: SyncOptions | None = None,
        *,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        seconds: float = SECONDS,
        assumes_approval: bool = False,
    ) -> Rehearsed:
        """Find what the target would refuse now, without a change of the target, of its store and of the journal.

        An adapter with `rehearse_many` is asked; for another one, only its models check the values.

        Args:
            target: an adapter of its own for this call, over the store that the diff was made from.
            options: how to apply.
            flags: how to apply.
            seconds: how long it may take.
            assumes_approval: rehearse also what waits for an approval. What a present approval leaves out stays left out.

        Raises:
            CannotRehearse: the target cannot be rehearsed without side effects.
            StoreReloaded: the target's store was loaded again since the diff was made.
            Exception: of the target, such as that it does not answer.
        """
        if self.record.target_generation:
            self._require_store(target)
            target.store.require_load(self.record.target_generation)
        options, journal = options or SyncOptions(), self.journal()
        if options.suppress is None and self.record.suppressions:
            options = replace(options, suppress=Suppressions(self.record.suppressions))
        approval = journal.approval()
        if assumes_approval:
            is_current = approval is not None and approval.checksum == self.checksum()
            options = self._ruled(exclude_unapproved(approval if is_current else None, options))
            if options.rulings is not None:
                options = replace(options, rulings=replace(options.rulings, assumes_approval=True))
        else:
            options = suppress_unapproved(approval, options, self.record.suppressions)
            options = self._ruled(exclude_unapproved(approval, options))
        with opened(target):
            return Rehearsal(self.streamed(Suppressions()), target, journal, options, flags, seconds=seconds).run()

    def guarded(self, guards: Guards, target: StoreRecord, source: StoreRecord | None) -> Suppressions:
        """Return what guards suppress in the diff, and check the rest against the change limits.

        Args:
            guards: the guards.
            target: the record of the target's store.
            source: the record of the source's store; None if it is known that nothing is suppressed.

        Raises:
            ChangeLimitExceeded: the rest is over the change limits.
        """
        # Percents are of the target as the diff saw it: a sync that was stopped may have deleted some of it since.
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
