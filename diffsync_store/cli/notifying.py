"""Notify people of what a command has found or done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

from diffsync_store.cli.app import echo_error
from diffsync_store.cli.connection import Context
from diffsync_store.notify import Notifier, approval_waits, loaded, sync_ended, sync_failed
from diffsync_store.printable import with_notes
from diffsync_store.result import SyncResult
from diffsync_store.runs import Plan, SyncRequest
from diffsync_store.store.record import StoreRecord


def notifier_of(context: Context) -> Notifier:
    """Return the notifier of a command: it prints what it cannot send."""
    return Notifier(context, warn=echo_error)


@contextmanager
def notified_failure(context: Context, sync: str, diff_id: str) -> Iterator[None]:
    """Notify of an error of the body. A person who interrupts it knows."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        reason = with_notes(error, str(error) or type(error).__name__)
        notifier = notifier_of(context)
        notifier.send(sync_failed(sync, diff_id, reason, link=notifier.link_to()))
        raise


def notify_loads(context: Context, records: Iterable[StoreRecord]) -> None:
    """Notify of the loads that are partial."""
    for record in records:
        notifier = notifier_of(context)
        notifier.send(loaded(record.name, record, context.project.syncs_of(record.name), link=notifier.link_to()))


def notify_refusal(context: Context, plan: Plan) -> None:
    """Notify that the guards refuse a whole diff."""
    record, notifier = plan.saved.record, notifier_of(context)
    notifier.send(sync_failed(plan.sync_name, record.diff_id, plan.refusal, link=notifier.link_to(record.diff_id)))


def notify_approval(context: Context, plan: Plan) -> None:
    """Notify that a saved diff waits for an approval, if it does."""
    record, notifier = plan.saved.record, notifier_of(context)
    if plan.needs_approval and plan.has_changes and not plan.is_approved and not plan.refusal:
        link = notifier.link_to(record.diff_id)
        notifier.send(
            approval_waits(plan.sync_name, record, checksum=plan.saved.checksum(), allow=plan.allow, link=link)
        )


def notify_end(context: Context, plan: Plan, request: SyncRequest, result: SyncResult) -> None:
    """Notify of a sync that did not do all of its work, or part of whose diff waits for a decision.

    What the request left out was left out on purpose.
    """
    record, notifier = plan.saved.record, notifier_of(context)
    counts = result.counts() if request.is_whole_diff else {**result.counts(), "suppressed": 0}
    link = notifier.link_to(record.diff_id)
    notifier.send(sync_ended(plan.sync_name, record, counts, stopped=result.stopped, link=link))
    if result.waiting:
        checksum = plan.saved.checksum()
        approval = plan.saved.journal().approval()
        event = approval_waits(
            plan.sync_name, record, checksum=checksum, allow=plan.allow, approval=approval, link=link
        )
        notifier.send(event)
