"""Runs of a sync that are suspended until somebody decides; of those that ask about one sync, one is left where it can be.

Two that begin to ask at the same moment, or one that asks once more, may stand beside each other: the next one, or what is
applied, ends them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun, State
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName, FlowRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.utilities.urls import url_for

from diffsync_flows.approval.stale_diffs import find_newer_change
from diffsync_flows.config.config import Config
from diffsync_flows.reporting.events import SyncEnd
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG
from diffsync_flows.runtime.prefect_client import PAGE, best_effort
from diffsync_flows.runtime.states import SUSPENDED, EndState
from diffsync_store import DiffNotFound, ObjectStoreException, StoreNotComplete, StoreNotFound, StoreReloaded
from diffsync_store.diffs import DiffRecord, RedisDiffs, SavedDiff

OVERRIDES = ("allow", "select", "exclude")
"""Parameters of a sync by which it applies more, or less, than the whole diff within the guards."""

_best_effort = partial(
    best_effort,
    "What else waits for a decision is not known, and is left as it is",
    PrefectException,
    ObjectStoreException,
)
"""A question too many does no harm, for of two diffs of a target only one is applied; what was done stays done."""


class PendingElsewhere(RuntimeError):
    """Another run has asked about the same changes, and nobody has decided yet; the message says which one."""


def covers_whole_diff(asked: Mapping[str, Any]) -> bool:
    """Whether a sync with these parameters applies all of its diff within the guards."""
    return not any(asked.get(name) for name in (*OVERRIDES, "retry_rejected"))


def ensure_single_request(config: Config, diffs: RedisDiffs, saved: SavedDiff, sync_name: str) -> None:
    """Before a run asks about the whole of a diff: one question of a sync is enough.

    Where an older run asks about the same changes, and there is still time to decide, who is about to do so is not
    disturbed; where it asks about others, it asks no more.

    Raises:
        PendingElsewhere: an older run asks about the same changes, and they can still be applied.
    """
    with _best_effort():
        timeout = config.sync(sync_name).approval_timeout
        for run, other in _older_requests(config, diffs, saved.record):
            is_same = _held(other) == _held(saved) and other.content() == saved.content()
            if is_same and _seconds_left(run) > timeout / 2 and _is_applicable(config, diffs, other.record):
                raise PendingElsewhere(
                    f"The same changes wait for a decision already, in {run.name}: {url_for(run)}. Resume that one, or in a "
                    f"terminal: diffsync-flows approve {other.record.diff_id} --by NAME"
                )
    own = f"{runtime.flow_run.name}: {url_for('flow-run', runtime.flow_run.id)}"
    reason = f"A newer diff of the sync {sync_name} is asked about in its place, in {own}"
    supersede_older(config, saved.record, sync_name, reason)


def supersede_older(config: Config, newer: DiffRecord, sync_name: str, reason: str) -> None:
    """End the runs that ask about older diffs of a sync: somebody might approve what is not so any more.

    Those that were started for more, or less, than a whole diff are somebody's own, and are left alone, as are those
    that somebody has just decided about.

    Args:
        config: where the diffs are.
        newer: the diff that counts now.
        sync_name: the sync that it is of.
        reason: what has become of the question, for who looks for it.
    """
    with _best_effort(), config.open_diffs() as diffs, get_client(sync_client=True) as client:
        for run, other in _older_requests(config, diffs, newer):
            approval = other.journal().approval()
            is_approved = approval is not None and not approval.is_rejected
            if is_approved or client.read_flow_run(run.id).state_name != SUSPENDED:
                continue
            state = State[Any](type=StateType.CANCELLED, name=EndState.SUPERSEDED, message=reason)
            if client.set_flow_run_state(run.id, state).status is not SetStateStatus.ACCEPT:
                continue
            other.journal().answered(str(run.id))
            get_run_logger().info("%s waits for a decision no more: %s", run.name, reason)
            SyncEnd(other.record.diff_id, sync_name, other.record, is_child=False).ended("superseded")


def _older_requests(config: Config, diffs: RedisDiffs, newer: DiffRecord) -> Iterator[tuple[FlowRun, SavedDiff]]:
    """The other runs that ask about the whole of this or an older diff between the same two adapters."""
    for run in list(suspended_runs(config.declared.project)):
        if str(run.id) == runtime.flow_run.id or not covers_whole_diff(run.parameters):
            continue
        try:
            other = diffs.open(str(run.parameters.get("diff_id")))
        except DiffNotFound:
            continue
        record = other.record
        is_same = (record.source_name, record.target_name) == (newer.source_name, newer.target_name)
        if is_same and record.created <= newer.created:
            yield run, other


def _held(saved: SavedDiff) -> set[tuple[str, str]]:
    return {(suppression.model, suppression.action) for suppression in saved.record.suppressions}


def _seconds_left(run: FlowRun) -> float:
    """Until a suspended run is told that nobody has decided."""
    until = run.state.state_details.pause_timeout if run.state else None
    return until.timestamp() - time.time() if until else 0


def _is_applicable(config: Config, diffs: RedisDiffs, record: DiffRecord) -> bool:
    """Whether both stores that a diff was made of are still there, as they were, and nothing has overtaken it."""
    try:
        with config.open_store(record.source_store_id) as source:
            source.require_load(record.source_generation)
        with config.open_store(record.target_store_id) as target:
            loaded = target.require_load(record.target_generation).created
    except (StoreNotFound, StoreReloaded, StoreNotComplete):
        return False
    return find_newer_change(diffs, record, loaded) is None


def pending_runs(record: DiffRecord, project: str) -> list[FlowRun]:
    """The flow runs of a project that are suspended until somebody decides about a diff."""
    return [run for run in suspended_runs(project) if run.parameters.get("diff_id") == record.diff_id]


def pending_diff_ids() -> frozenset[str]:
    """The diff_ids of the diffs that somebody has yet to decide about, in any project: they may share a Redis."""
    return frozenset(str(run.parameters["diff_id"]) for run in suspended_runs() if "diff_id" in run.parameters)


def run_options(runs: Sequence[FlowRun]) -> dict[str, Sequence[object]]:
    """What the runs were started with, for the one who decides."""
    return {
        f"{run.name}: {name}": run.parameters[name] for run in runs for name in OVERRIDES if run.parameters.get(name)
    }


def suspended_runs(project: str = "") -> Iterator[FlowRun]:
    """The flow runs that wait for a decision: of a project, or of all."""
    of_project = [f"{PROJECT_TAG}{project}"] if project else []
    asked = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[SUSPENDED])),
        tags=FlowRunFilterTags(all_=[TAG, *of_project]),
    )
    with get_client(sync_client=True) as client:
        for offset in count(0, PAGE):
            runs = client.read_flow_runs(flow_run_filter=asked, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset)
            yield from runs
            if len(runs) < PAGE:
                return
