"""A guarded sync: approval, application, result."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

import structlog

from diffsync_store.adapter import Adapter
from diffsync_store.canary import end_canary
from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.field_rules.recording import Recorder
from diffsync_store.journal import Application, Journal, MemoryJournal
from diffsync_store.lifecycle import opened
from diffsync_store.operation import SavedOrderDiff, diff_of, operations_of
from diffsync_store.result import SyncResult
from diffsync_store.sync.approval import check_approval, exclude_unapproved
from diffsync_store.sync.canary import FirstWave, Wave
from diffsync_store.sync.executor import Executor, interrupted, is_unavailable, new_throttle
from diffsync_store.sync.journal_gaps import require_lookups
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.throttle import Ended, Throttle

Callback = Callable[[str, int, int], None]


class TargetLease(Protocol):
    """The lease on the target, such as one of `RedisLeases`."""

    def check(self) -> Any:
        """Raise `LeaseLost` if the lease is lost."""


class Sync:
    """One application of a diff under guards. For a saved diff use `saved.apply(source, target, options=...)`.

    Args:
        diff: The diff to apply.
        source: The source of truth; it is named in logs and passed to the target's `sync_complete`.
        target: The adapter to change.
        options: How to apply the diff.
        journal: The journal of the diff's operations; a new one by default.
        flags: How to apply the diff.
        callback: Called with the stage ("sync"), the number done and the total.
        checksum: Returns the checksum of the diff's elements, to compare it with the approved one.
        by: Who applies the diff; host and process by default.
        lease: The lease on the target, if there is one. Nothing is sent after it is lost.
        recorder: Remembers what is done, if the field rules of the sync need it.
    """

    def __init__(
        self,
        diff: Diff,
        source: Adapter,
        target: Adapter,
        options: SyncOptions | None = None,
        *,
        journal: Journal | None = None,
        flags: DiffSyncFlags = DiffSyncFlags.NONE,
        callback: Callback | None = None,
        checksum: Callable[[], str] | None = None,
        by: str = "",
        lease: TargetLease | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.diff = diff
        self.source = source
        self.target = target
        self.options = options or SyncOptions()
        self.journal = journal or MemoryJournal()
        self.flags = flags
        self.callback = callback
        self.checksum = checksum
        self.by = by or f"{socket.gethostname()}:{os.getpid()}"
        self.lease = lease
        self.recorder = recorder
        self._may_lack_entries = False
        self._executors: list[Executor] = []
        self._first: FirstWave | None = None

    def run(self) -> SyncResult:
        """Apply the operations that are not done yet.

        Raises:
            DiffNotApproved: The diff is rejected, changed since it was approved, or not approved although that is required.
            SyncInterrupted: The target's store or the journal cannot be reached or written.
            SyncTakenOver: Another sync of the diff has begun.
            JournalLost: Redis may have lost entries of an earlier sync, and the target cannot be asked.
            LeaseLost: The lease on the target was lost.
            Exception: The first exception of a model, unless the flags ask to continue.
        """
        with self._journal_errors():
            approval, before = self.journal.approval(), self.journal.application()
            check_approval(approval, self.checksum, is_required=self.options.require_approval)
            if before is not None:
                return self._report(applied_before(before))
            self._may_lack_entries = self.journal.begin(self.by) and not self.options.trust_journal
            with opened(self.target):
                stopped = self._complete(exclude_unapproved(approval, self.options))
            result = self._report(self._total(stopped))
            if result.is_complete:
                done = result.applied + result.skipped + result.done_before
                now = datetime.now(UTC)
                self.journal.conclude(Application(by=self.by, at=now, operations=done, skipped=result.skipped))
            return result

    def _apply_diff(self, diff: Diff, options: SyncOptions) -> None:
        """Apply the operations: all at once, or the canary and, if it passes, the rest."""
        throttle = new_throttle(options, self.target)
        if options.canary is None:
            self._new_executor(diff, options, throttle).run()
            return
        check = partial(self._check_limits, throttle)
        first = self._first = FirstWave(
            diff, self.source, self.target, self.journal, options, self.flags, check, throttle, self.by
        )
        wave = first.begin()
        if wave is not None:
            self._apply_wave(diff, wave, first.wave_options, throttle)
            first.check(wave)
        rest = self._new_executor(diff, options, throttle)
        if wave is not None:
            rest.skip_handled(wave.ids)
            rest.processed = len(wave.ids)
        rest.run()
        end_canary(self.journal)

    def _apply_wave(self, diff: Diff, wave: Wave, options: SyncOptions, throttle: Throttle) -> None:
        executor = self._new_executor(wave, options, throttle)
        diff.result = executor.result
        executor.callback = canary_progress(self.callback, len(wave.ids))
        executor.handled, executor.tries_again = wave.above, True
        if self._may_lack_entries:
            require_lookups(diff, self.journal, executor.can_look_up)
        executor.apply()

    def _new_executor(self, diff: Diff, options: SyncOptions, throttle: Throttle) -> Executor:
        executor = Executor(
            diff,
            self.source,
            self.target,
            self.flags,
            self.callback,
            options=options,
            journal=self.journal,
            may_lack_entries=self._may_lack_entries,
            check_lease=self.lease.check if self.lease is not None else None,
            throttle=throttle,
            recorder=self.recorder,
        )
        self._executors.append(executor)
        return executor

    def _check_limits(self, throttle: Throttle) -> None:
        throttle.check()
        if self.lease is not None:
            self.lease.check()

    def _total(self, stopped: str = "") -> SyncResult:
        """Return what was done so far."""
        result = self._executors[0].result if self._executors else SyncResult()
        for executor in self._executors[1:]:
            result.add(executor.result)
        result.canary = self._first.report if self._first is not None else None
        result.stopped = stopped
        return result

    @contextmanager
    def _journal_errors(self) -> Iterator[None]:
        try:
            yield
        except ObjectStoreException as error:
            if not is_unavailable(error):
                raise
            raise interrupted(error) from error
        finally:
            with suppress(ObjectStoreException):  # Redis notices the end when the sync stops writing
                self.journal.end()

    def _complete(self, options: SyncOptions) -> str:
        """Apply the operations, and call the target's `sync_complete`; return why the options have stopped the sync."""
        stopped = ""
        try:
            self._apply_diff(self._with_operation_ids(), options)
        except Ended as stop:
            stopped = str(stop)
        except Exception as error:
            result = self._total()
            if result.failed:  # otherwise it is not the exception of a model
                error.add_note(remedy(result))
            raise
        if any(executor.attempted for executor in self._executors):
            logger = structlog.get_logger().new(src=self.source, dst=self.target, flags=self.flags)
            self.target.sync_complete(self.source, self.diff, self.flags, logger)
            self.target.store.flush()
        return stopped

    def _with_operation_ids(self) -> Diff:
        if self.diff.has_operation_ids:
            return self.diff
        first = next(self.diff.get_children(), None)
        names = (first.source_name, first.dest_name) if first else ("source", "dest")
        saved: SavedOrderDiff = diff_of(operations_of(self.diff), *names)
        return saved

    def _report(self, result: SyncResult) -> SyncResult:
        """Log the next steps."""
        self.diff.result = result
        logger = structlog.get_logger().new(src=self.source, dst=self.target)
        for text in (result.applied_before, result.stopped, *result.next_steps()):
            if text:
                logger.warning(text)
        return result


def canary_progress(callback: Callback | None, total: int) -> Callback | None:
    """Return a callback for the executor of a canary with this number of operations."""
    if callback is None:
        return None
    report = callback
    return lambda _stage, done, _total: report("canary", min(done, total), total)


def applied_before(before: Application) -> SyncResult:
    """Return the result of a sync of a diff that is completely applied already."""
    when = f"{before.at:%Y-%m-%d %H:%M:%S} UTC"
    return SyncResult(
        done_before=before.operations - before.skipped,
        skipped=before.skipped,
        applied_before=(
            f"Nothing was done: {before.by} applied this diff at {when}, {before.operations} operations. "
            "Make a new diff to see the present differences."
        ),
    )


def remedy(result: SyncResult) -> str:
    """Return where a sync has stopped, and how to go on."""
    reject = next(reject for reject in reversed(result.rejects) if reject.state == "failed")
    return (
        f"The sync stopped at the {reject.action} of {reject.model} {reject.unique_id}, after {result.applied} operations. "
        "Fix the cause and apply the diff again: the sync resumes there. With the flag CONTINUE_ON_FAILURE a sync lists "
        "failures and applies the rest."
    )
