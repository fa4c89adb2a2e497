"""Keep one pending approval for each sync: the newest diff counts.

Two runs that ask at the same moment may both stay pending. The next diff, or the next sync, ends them.
"""

import time
from collections.abc import Iterable, Iterator
from functools import partial

from prefect import get_run_logger, runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import PrefectException
from prefect.utilities.urls import url_for

from diffsync_flows.approval.pending import OVERRIDES, scheduled_runs, suspended_runs
from diffsync_flows.approval.waiting_reconciles import settle_diff
from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.events import SyncEnd
from diffsync_flows.reporting.run_metadata import mark_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import SUSPENDED, Outcome, cancelled, waits_for_window
from diffsync_store import DiffNotFound, ObjectStoreException, StoreNotComplete, StoreNotFound, StoreReloaded
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.runs import find_newer_change

_best_effort = partial(
    best_effort,
    "Cannot compare with other pending approvals; none of them is ended",
    PrefectException,
    ObjectStoreException,
)
"""An extra request does no harm: of two diffs of a target, only one can be applied."""


class PendingElsewhere(RuntimeError):
    """An older run waits for the approval of the same changes; the message links to it."""


def ensure_single_request(context: SyncContext, saved: SavedDiff, sync_name: str) -> None:
    """Before a run asks about a whole diff, end the older requests of the sync, or leave the question to one of them.

    An older request about the same changes stays, if there is still time to decide: somebody may be about to answer it.

    Raises:
        PendingElsewhere: An older run waits for the approval of the same changes, and they can still be applied.
    """
    with _best_effort():
        timeout = context.project.sync(sync_name).approval_timeout
        for run, other in _older_requests(context, saved.record, is_applied=False):
            is_same = _suppressed(other) == _suppressed(saved) and other.content() == saved.content()
            if is_same and _seconds_left(run) > timeout / 2 and _is_applicable(context, other.record):
                raise PendingElsewhere(
                    f"The same changes already wait for approval in {run.name}: {url_for(run)}. Resume that run, or run: "
                    f"diffsync-flows approve {other.record.diff_id} --by NAME"
                )
    own = f"{runtime.flow_run.name}: {url_for('flow-run', runtime.flow_run.id)}"
    reason = f"A newer diff of the sync {sync_name} waits for approval in {own}"
    supersede_older(context, saved.record, sync_name, reason, is_applied=False)


def supersede_older(
    context: SyncContext, newer: DiffRecord, sync_name: str, reason: str, *, is_applied: bool = True
) -> None:
    """End the runs that wait for the approval of an older diff of a sync.

    Left alone are runs that apply more or less than a whole diff, which a person started, and runs whose diff was just
    approved.

    Args:
        context: Gives the diffs.
        newer: The diff that counts now.
        sync_name: Name of its sync.
        reason: Message of the ended runs.
        is_applied: Whether it was applied, or the two sides are equal. Otherwise a person may choose between it and an undo, so
            neither ends the other.
    """
    with _best_effort(), get_client(sync_client=True) as client:
        for run, other in _older_requests(context, newer, is_applied=is_applied):
            approval = other.journal().approval()
            is_approved = approval is not None and not approval.is_rejected
            if not is_approved and client.read_flow_run(run.id).state_name == SUSPENDED:
                _end(client, run, other, sync_name, reason)


def supersede_scheduled(
    context: SyncContext, newer: DiffRecord, sync_name: str, reason: str, *, is_applied: bool = True
) -> None:
    """End the runs that wait for a window with an older diff of a sync, because a newer one is approved or applied.

    The arguments are those of `supersede_older`.
    """
    runs = scheduled_runs(context.project.declared.project)
    with _best_effort(), get_client(sync_client=True) as client:
        for run, other in _older(context, newer, list(runs), is_applied=is_applied):
            if waits_for_window(client.read_flow_run(run.id)):  # one that has begun is not ended from outside
                _end(client, run, other, sync_name, reason)


def _end(client: SyncPrefectClient, run: FlowRun, other: SavedDiff, sync_name: str, reason: str) -> None:
    if client.set_flow_run_state(run.id, cancelled(Outcome.SUPERSEDED, reason)).status is not SetStateStatus.ACCEPT:
        return
    mark_run(run.id, Outcome.SUPERSEDED)
    settle_diff(other.record.diff_id)
    other.journal().withdraw_request(str(run.id))
    get_run_logger().info("%s no longer waits: %s", run.name, reason)
    SyncEnd(other.record.diff_id, sync_name, other.record, is_child=False).emit("superseded")


def _older_requests(
    context: SyncContext, newer: DiffRecord, *, is_applied: bool
) -> Iterator[tuple[FlowRun, SavedDiff]]:
    """Yield the other runs that wait for the approval of a whole diff of the same two adapters, no newer than this one."""
    return _older(context, newer, list(suspended_runs(context.project.declared.project)), is_applied=is_applied)


def _older(
    context: SyncContext, newer: DiffRecord, runs: Iterable[FlowRun], *, is_applied: bool
) -> Iterator[tuple[FlowRun, SavedDiff]]:
    """Yield those of the runs that apply a whole diff of the same two adapters, no newer than this one."""
    diffs = context.diffs()
    for run in runs:
        if str(run.id) == runtime.flow_run.id or any(
            run.parameters.get(name) for name in (*OVERRIDES, "retry_rejected")
        ):
            continue
        try:
            other = diffs.open(str(run.parameters.get("diff_id")))
        except DiffNotFound:
            continue
        record = other.record
        is_same_pair = (record.source_name, record.target_name) == (newer.source_name, newer.target_name)
        if is_same_pair and record.created <= newer.created and (is_applied or record.undoes == newer.undoes):
            yield run, other


def _suppressed(saved: SavedDiff) -> set[tuple[str, str]]:
    return {(each.model, each.action) for each in saved.record.suppressions}


def _seconds_left(run: FlowRun) -> float:
    """Return the time until a suspended run fails because nobody decided."""
    until = run.state.state_details.pause_timeout if run.state else None
    return until.timestamp() - time.time() if until else 0


def _is_applicable(context: SyncContext, record: DiffRecord) -> bool:
    """Return whether a diff can still be applied: both stores are unchanged, and no newer change made it stale."""
    try:
        with context.open_store(record.source_store_id) as source:
            source.require_load(record.source_generation)
        with context.open_store(record.target_store_id) as target:
            loaded = target.require_load(record.target_generation).created
    except (StoreNotFound, StoreReloaded, StoreNotComplete):
        return False
    return find_newer_change(context.diffs(), record, loaded) is None
