"""Refuse a diff whose target was changed after it was loaded for the diff, or that was made under other field rules."""

from datetime import datetime
from typing import NamedTuple

from diffsync_store.diffs import DiffRecord, RedisDiffs
from diffsync_store.field_rules import FieldRules
from diffsync_store.project import UserError
from diffsync_store.rules import Rules


class NewerChange(NamedTuple):
    """A change of the target by another diff."""

    diff_id: str
    changed: datetime
    """Time of the change, in UTC by the clock of Redis, like all times compared here."""


def find_newer_change(diffs: RedisDiffs, record: DiffRecord, loaded: datetime) -> NewerChange | None:
    """Return a change of the diff's target since it was loaded, if there is one.

    Two diffs of the same load do not make each other stale: the store has what the first one changed, and the operations
    of the second one on the same records are conflicts.

    Args:
        diffs: The saved diffs.
        record: Record of the diff in question.
        loaded: When the load of its target's store began.
    """
    for other in diffs.list():
        if other.target_name != record.target_name or other.target_store_id == record.target_store_id:
            continue
        changed = diffs.from_record(other).journal().last_written()
        if changed is not None and changed >= loaded:
            return NewerChange(other.diff_id, changed)
    return None


def refuse_stale(diffs: RedisDiffs, record: DiffRecord, loaded: datetime) -> None:
    """Refuse a stale diff.

    Raises:
        UserError: The target was changed since it was loaded.
    """
    newer = find_newer_change(diffs, record, loaded)
    if newer is not None:
        raise UserError(
            f"Diff {record.diff_id} is stale: {record.target_name} was loaded for it at {_format_time(loaded)}, and diff "
            f"{newer.diff_id} changed it at {_format_time(newer.changed)}. Load the target again and make a new diff."
        )


def refuse_other_rules(record: DiffRecord, rules: FieldRules) -> None:
    """Refuse a diff that was made without the field rules of its sync: its operations write what the rules leave alone.

    An undo keeps the rules of the diff that it undoes.

    Args:
        record: Record of the diff.
        rules: The rules that the file declares now.

    Raises:
        UserError: The rules are others.
    """
    made_with = record.field_rules
    if record.undoes or (made_with.fields, made_with.deletes) == (rules.fields, rules.deletes):
        return
    raise UserError(
        f"Diff {record.diff_id} was made with other field rules (`fields`, `deletes`) than the file declares for its sync now. "
        "Nothing was applied. Make a new diff: `diffsync-store plan`, or a run of the deployment of the diff."
    )


def refuse_other_operation_rules(record: DiffRecord, rules: Rules) -> None:
    """Refuse a diff that was shown under other rules than the file declares for its sync now.

    Args:
        record: Record of the diff.
        rules: The rules that the file declares now.

    Raises:
        UserError: The rules are others.
    """
    if record.operation_rules != rules:
        raise UserError(
            f"Diff {record.diff_id} was made with other `rules` than the file declares for its sync now, or `approval` has "
            "changed beside them. Nothing was applied. Make a new diff: `diffsync-store plan`, or a run of the deployment of "
            "the diff."
        )


def _format_time(moment: datetime) -> str:
    """Format to the millisecond, so that two times within one second differ."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"
