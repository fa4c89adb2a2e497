"""Apply a saved diff whose two sides and whose lease are open."""

from collections.abc import Callable
from typing import Any

from diffsync_store.adapter import Adapter
from diffsync_store.agents import Agent
from diffsync_store.diffs import SavedDiff
from diffsync_store.project import SyncContext
from diffsync_store.result import SyncResult
from diffsync_store.runs.approval import applies_unasked
from diffsync_store.runs.in_sync import record_in_sync
from diffsync_store.runs.rehearsal import require_decided
from diffsync_store.runs.stale_diffs import refuse_other_operation_rules, refuse_other_rules, refuse_stale
from diffsync_store.runs.sync_request import SyncRequest
from diffsync_store.runs.target import find_suppressions, find_sync
from diffsync_store.runs.windows import OpenWindow
from diffsync_store.store.redis import Lease, RedisStore
from diffsync_store.stored_adapter import StoredAdapter
from diffsync_store.sync.approval import require_covered

LEASE_SECONDS = 30.0
"""How long the lease of a dead process lasts, before another one can continue its sync."""


def apply_saved(
    context: SyncContext[Any],
    request: SyncRequest,
    saved: SavedDiff,
    source: RedisStore,
    target: Adapter,
    *,
    lease: Lease,
    by: str,
    require_approval: bool,
    should_stop: Callable[[], bool],
    callback: Callable[[str, int, int], None] | None = None,
    agent: Agent | None = None,
    **options: Any,
) -> SyncResult:
    """Apply the operations of a diff that are not done yet, as the file declares for its sync.

    Args:
        context: the project.
        request: which operations to apply, and what the guards let through.
        saved: the diff.
        source: the store of its source.
        target: the adapter of its target, open.
        lease: the lease on the target.
        by: who applies it.
        require_approval: refuse a diff that is not approved, unless rules decide each of its operations.
        should_stop: called before each operation; the sync stops if it returns True.
        callback: called with stage ("sync"), number done, total number.
        agent: apply it together with other agents; the lease is shared with them.
        options: further fields of `SyncOptions`.

    Raises:
        UserError: the diff is stale or was made with other field rules, or no sync of its adapters is declared.
        DiffNotApproved: an approval is required, and it does not cover what the request applies.
        ChangeLimitExceeded: it changes more than the change limits allow; nothing was applied.
        RehearsalRefused: a rehearsal found what the target would refuse, and nobody has decided about it.
        WindowClosed: no window of the sync is open, and the request has no reason to apply it anyway.
        SyncStopped: as for `SavedDiff.apply`.
    """
    record = target.store.record()
    refuse_stale(context.diffs(), saved.record, record.created)
    target.store.fencing_token = lease.token
    require_approval = require_approval and not applies_unasked(saved.record, request.allow)
    if require_approval:
        require_covered(saved.journal().approval(), allow=request.allow, select=request.select)
    sync_name, declared = find_sync(context.project, saved.record)
    window = OpenWindow(sync_name, declared, request)
    window.require()
    refuse_other_rules(saved.record, declared.own_rules)
    refuse_other_operation_rules(saved.record, declared.operation_rules)
    require_decided(saved, declared, request)
    suppressions = find_suppressions(context, saved, record, request.allow)
    override = "" if saved.journal().application() else window.override
    if override:
        saved.journal().override_windows(by, override)
    has_closed = False

    def stops() -> bool | str:
        nonlocal has_closed
        if should_stop():
            return True
        has_closed = has_closed or window.is_closed
        return has_closed and window.stop_reason

    result = saved.apply(
        StoredAdapter(source),
        target,
        options=declared.options(
            suppress=suppressions,
            should_stop=stops,
            require_approval=require_approval,
            **request.options,
            **options,
        ),
        flags=declared.combined_flags,
        callback=callback,
        by=by,
        lease=lease,
        agent=agent,
    )
    result.outside_window = override
    result.window_closed = has_closed and bool(result.stopped)
    record_in_sync(context, saved, saved.result_of_all(result, agent) if agent is not None else result)
    return result


def group_of(diff_id: str) -> str:
    """Return the group that shares the lease on the target: the agents that apply this diff together."""
    return f"apply {diff_id}"
