"""Which saved diffs are in use, and refusing a load into a store that one of them needs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from diffsync_store.exceptions import StoreInUse
from diffsync_store.store.redis.diffs.catalog import DiffCatalog
from diffsync_store.store.redis.diffs.diff import RedisDiff
from diffsync_store.store.redis.keys import command

DEAD_AFTER = timedelta(hours=1)
"""A load or a sync that has written nothing for this long is considered dead."""


def is_unapplied(diff: RedisDiff) -> bool:
    """True if the diff is not applied completely."""
    return diff.record.operations > 0 and diff.journal().application() is None


def diff_usage(diff: RedisDiff, now: datetime, pending_approvals: Collection[str] = ()) -> str:
    """Return why a saved diff is in use; empty if it is not.

    Args:
        diff: the diff.
        now: the time by the clock of Redis.
        pending_approvals: diff_ids that a suspended run applies once they are approved.
    """
    journal = diff.journal()
    if journal.application() is not None:
        return ""
    if (last := journal.last_written()) and now - last < DEAD_AFTER:
        return f"a sync was applying it at {_clock(last)} and has not applied all of it"
    if diff.record.diff_id in pending_approvals:
        return "a run waits for its approval"
    if (approval := journal.approval()) and not approval.is_rejected:
        return f"{approval.by} approved it at {_clock(approval.at)}, and not all of it is applied yet"
    return ""


def refuse_load(diffs: DiffCatalog, store_id: str, generation: str, pending_approvals: Collection[str] = ()) -> None:
    """Refuse to empty a store that a diff needs: one that is approved, waits for its approval, or is being applied.

    Args:
        diffs: the saved diffs.
        store_id: the store.
        generation: the store's generation.
        pending_approvals: diff_ids that a suspended run applies once they are approved.

    Raises:
        StoreInUse: such a diff was made from the store.
    """
    for record in diffs.list():
        if generation not in {record.source_generation, record.target_generation} or not record.operations:
            continue
        diff = diffs.from_record(record)
        usage = diff_usage(diff, diff.now(), pending_approvals)
        approval = diff.journal().approval()
        is_approved = approval is not None and not approval.is_rejected
        if usage and (is_approved or record.diff_id in pending_approvals or diff.journal().is_running()):
            name = command(diffs.namespace)
            raise StoreInUse(
                f"Store {store_id!r} is in use: diff {record.diff_id} was made from it, and {usage}. Nothing was loaded. "
                f"Load into another store_id. Or give up the diff first: `{name} approve {record.diff_id} --by NAME "
                f"--reject`, or `{name} drop {record.diff_id} --force`."
            )


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
