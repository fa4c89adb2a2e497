"""Applying a diff under guards, from its approval to its end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from diffsync_store.diff import Diff
from diffsync_store.enum import DiffSyncFlags
from diffsync_store.exceptions import DiffNotApproved, ObjectStoreException
from diffsync_store.journal import Application, Approval, Journal, MemoryJournal
from diffsync_store.lifecycle import opened
from diffsync_store.operation import SavedOrderDiff, diff_of, operations_of
from diffsync_store.result import SyncResult
from diffsync_store.sync.executor import Executor, interrupted, is_of_redis
from diffsync_store.sync.options import SyncOptions
from diffsync_store.sync.throttle import Ended

if TYPE_CHECKING:
    from diffsync_store.adapter import Adapter
    from diffsync_store.store.redis.leases import Lease


_APPROVE = "approve it: saved.approve(by=..., reason=...), or `diffsync-store approve DIFF_ID --by NAME --reason WHY`"


class Sync:
    """One application of a diff under guards.

    A saved diff has a shorter way: `saved.apply(source, target, options=...)`.

    Args:
        diff: what to apply, exactly as it is.
        source: the adapter that is right; it is named in logs, and handed to the target's `sync_complete`.
        target: the adapter that is changed.
        options: the guards.
        journal: what is known of the diff's operations; a new one without it.
        flags: how to apply.
        callback: called with stage ("sync"), number done, number in all.
        checksum: tells what the diff's elements add up to, to be compared with what was approved.
        by: who applies it, for the one who tries it a second time; by default host and process.
        lease: the lease on the target, if there is one: without it nothing is sent any more.
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
        callback: Callable[[str, int, int], None] | None = None,
        checksum: Callable[[], str] | None = None,
        by: str = "",
        lease: Lease | None = None,
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

    def run(self) -> SyncResult:
        """Apply what is left of the diff.

        Raises:
            DiffNotApproved: the options ask for an approval that is not there, or somebody has rejected the diff.
            SyncInterrupted: the target's store or the journal cannot be reached or written.
            SyncTakenOver: another sync of the diff has begun.
            JournalLost: Redis may have lost what a sync before this one has done, and nobody can be asked.
            LeaseLost: the lease on the target was lost.
            Exception: the first that a model raises, unless the flags ask to continue.
        """
        try:
            return self._run()
        except ObjectStoreException as error:
            if not is_of_redis(error):
                raise
            raise interrupted(error) from error
        finally:
            with suppress(ObjectStoreException):  # what has ended counts, and Redis finds out by its silence
                self.journal.end()

    def _run(self) -> SyncResult:
        approval = self.journal.approval()
        if self.options.require_approval:
            require_approval(approval, self.checksum)
        else:
            refuse_rejected(approval)
            if approval is not None and self.checksum is not None:  # what somebody has approved is not another one
                require_approval(approval, self.checksum)
        before = self.journal.application()
        if before is not None:
            return self._told_before(before)
        may_lack_entries = self.journal.begin(self.by) and not self.options.trust_journal
        syncer = Executor(
            self._with_ids(),
            self.source,
            self.target,
            self.flags,
            self.callback,
            options=within(approval, self.options),
            journal=self.journal,
            may_lack_entries=may_lack_entries,
            check_lease=self.lease.check if self.lease is not None else None,
        )
        with opened(self.target):
            self._apply(syncer)
        result = self.diff.result = syncer.result
        self._tell(result.stopped, *result.next_steps())
        if result.is_complete:
            done = result.applied + result.skipped + result.done_before
            self.journal.conclude(
                Application(by=self.by, at=datetime.now(UTC), operations=done, skipped=result.skipped)
            )
        return result

    def _apply(self, syncer: Executor) -> None:
        try:
            syncer.run()
        except Ended as stop:
            syncer.result.stopped = str(stop)
        except Exception as error:
            if syncer.result.failed:  # or else it is no model's
                error.add_note(_how_to_go_on(syncer.result))
            raise
        if syncer.attempted:
            logger = structlog.get_logger().new(src=self.source, dst=self.target, flags=self.flags)
            self.target.sync_complete(self.source, self.diff, self.flags, logger)
            self.target.store.flush()

    def _with_ids(self) -> Diff:
        if self.diff.has_operation_ids:
            return self.diff
        first = next(self.diff.get_children(), None)
        names = (first.source_name, first.dest_name) if first else ("source", "dest")
        saved: SavedOrderDiff = diff_of(operations_of(self.diff), *names)
        return saved

    def _told_before(self, before: Application) -> SyncResult:
        result = self.diff.result = applied_before(before)
        self._tell(result.applied_before)
        return result

    def _tell(self, *texts: str) -> None:
        logger = structlog.get_logger().new(src=self.source, dst=self.target)
        for text in filter(None, texts):
            logger.warning(text)


def _how_to_go_on(result: SyncResult) -> str:
    reject = next(reject for reject in reversed(result.rejects) if reject.state == "failed")
    return (
        f"The sync has stopped at the {reject.action} of {reject.model} {reject.unique_id}, after {result.applied} "
        "operations. Mend the cause and apply the diff again: it goes on there. With the "
        "flag CONTINUE_ON_FAILURE what fails is listed, and the rest is done."
    )


def applied_before(before: Application) -> SyncResult:
    """The result of a sync of a diff that was applied as a whole."""
    when = f"{before.at:%Y-%m-%d %H:%M:%S} UTC"
    return SyncResult(
        done_before=before.operations - before.skipped,
        skipped=before.skipped,
        applied_before=(
            f"Nothing was done: {before.by} has applied this diff at {when}, {before.operations} operations. "
            "Make a new diff to see what differs now."
        ),
    )


def within(approval: Approval | None, options: SyncOptions) -> SyncOptions:
    """The options, without what somebody has left out when they approved the diff."""
    if approval is None or not approval.excluded:
        return options
    return replace(options, exclude=(*options.exclude, *approval.excluded))


def refuse_rejected(approval: Approval | None) -> None:
    """Refuse a diff that somebody has rejected.

    Raises:
        DiffNotApproved: somebody has.
    """
    if approval is not None and approval.is_rejected:
        raise DiffNotApproved(
            f"{approval.by} has rejected this diff at {approval.at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{approval.reason or 'no reason given'}. Make a new diff; or, if it was meant to be applied after all, "
            f"{_APPROVE}."
        )


def require_approval(approval: Approval | None, checksum: Callable[[], str] | None) -> None:
    """Refuse a diff that is not what somebody has approved.

    Raises:
        DiffNotApproved: nobody has, or it was another one.
    """
    refuse_rejected(approval)
    if approval is None:
        raise DiffNotApproved(f"Nobody has approved this diff, and the sync asks for it. Look at it, then {_APPROVE}.")
    if checksum is None or checksum() != approval.checksum:
        raise DiffNotApproved(
            f"This is not the diff that {approval.by} has approved at {approval.at:%Y-%m-%d %H:%M:%S} UTC: its "
            f"elements are others now. Look at it anew, then {_APPROVE}."
        )
