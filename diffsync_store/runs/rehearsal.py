"""Rehearse a saved diff as the file declares it for its sync."""

from typing import Any

from diffsync_store.project import SyncContext
from diffsync_store.runs.approval import needs_approval
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.target import find_suppressions, find_sync, open_target
from diffsync_store.sync.rehearsal import SECONDS, Rehearsed


def rehearse(context: SyncContext[Any], request: SyncRequest, *, seconds: float = SECONDS) -> Rehearsed:
    """Find what the target of a diff would refuse now; nothing is changed.

    Args:
        context: the project.
        request: which operations to rehearse, and what the guards let through.
        seconds: how long it may take.

    Raises:
        CannotRehearse: the target cannot be rehearsed without side effects.
        ChangeLimitExceeded: the diff changes more than the change limits allow.
        Exception: of the target, without secrets in its message.
    """
    with open_target(context, request.diff_id) as (saved, target), context.project.secrets.redacted_errors():
        _, declared = find_sync(context.project, saved.record)
        suppressions = find_suppressions(context, saved, target.store.record(), request.allow)
        must_approve = needs_approval(declared, saved.record, request.allow)
        options = declared.options(suppress=suppressions, require_approval=must_approve, **request.options)
        return saved.rehearse(target, options, flags=declared.combined_flags, seconds=seconds)
