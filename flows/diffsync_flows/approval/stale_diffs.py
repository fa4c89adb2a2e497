"""Of several diffs of one target, the first that is applied overtakes those that were made of an older load of it."""

from datetime import datetime
from typing import NamedTuple

from diffsync_flows.runtime.errors import UserError
from diffsync_store.diffs import DiffRecord, RedisDiffs


class NewerChange(NamedTuple):
    """By what a diff was overtaken."""

    diff_id: str
    changed: datetime
    """When it has changed the target, in UTC by the clock of Redis, as all times that are compared here."""


def find_newer_change(diffs: RedisDiffs, record: DiffRecord, loaded: datetime) -> NewerChange | None:
    """What has changed the target of a diff since it was loaded for this one.

    Two diffs of one and the same load do not overtake each other: the store has what the first one has changed, and the
    second one's operations on it are conflicts.

    Args:
        diffs: the saved diffs.
        record: of the one in question.
        loaded: when the load of its target's store began.
    """
    for other in diffs.list():
        if other.target_name != record.target_name or other.target_store_id == record.target_store_id:
            continue
        changed = diffs.stored(other).journal().last_written()
        if changed is not None and changed >= loaded:
            return NewerChange(other.diff_id, changed)
    return None


def refuse_stale(diffs: RedisDiffs, record: DiffRecord, loaded: datetime) -> None:
    """Refuse a diff that was overtaken.

    Raises:
        UserError: it was; what it says of the target is not so any more.
    """
    by = find_newer_change(diffs, record, loaded)
    if by is not None:
        raise UserError(
            f"Diff {record.diff_id} is overtaken: {record.target_name} was loaded for it at {_clock(loaded)}, "
            f"and was changed by diff {by.diff_id} at {_clock(by.changed)}. Load the target again, "
            "and make a new diff."
        )


def _clock(moment: datetime) -> str:
    """To the millisecond: two within one second are told apart."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"
