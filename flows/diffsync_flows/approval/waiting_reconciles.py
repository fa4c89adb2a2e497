"""A reconcile waits for the sync that it has started and that asks a person. It is suspended, and ends as the sync ends.

The process of the sync ends it. Housekeeping and `diffsync-flows resume` end those whose sync was ended in Prefect.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from prefect import Flow, runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import FlowRun, State
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateDetails
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import Pause
from prefect.states import Suspended
from prefect.utilities.urls import url_for

from diffsync_flows.prefect_api import PAGE, best_effort
from diffsync_flows.reporting.artifacts import WAITS_FOR_WINDOW, settle_reconcile
from diffsync_flows.reporting.events import RECONCILE
from diffsync_flows.reporting.run_metadata import PROJECT_TAG, TAG, mark_run
from diffsync_flows.runtime.states import SUSPENDED, Ending, Outcome, outcome_of, waits_for_window

DIFF_TAG = "diff:"
LONGER_SECONDS = 60
"""How long after its sync a reconcile times out; the sync asks a little later than the reconcile begins to wait."""
WINDOW_SECONDS = 86400
"""How long after the opening of its window a sync may take, before a reconcile that waits for it times out."""
NOT_PROLONGED = "Cannot let the reconcile wait for the window of this sync"
NOT_SETTLED = "Cannot end the reconcile that waits for this sync"


def wait_for_sync(diff_id: str, message: str, timeout: int) -> None:
    """Suspend this run until its sync ends. Return if Prefect does not allow that, as for the child of another run.

    Raises:
        Pause: The run is suspended; its process ends.
    """
    state: State[Any] = Suspended(timeout_seconds=timeout + LONGER_SECONDS, message=message)
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(UUID(runtime.flow_run.id), state)
    if answer.status is not SetStateStatus.ACCEPT:
        return
    settle_diff(diff_id)  # the sync may have ended meanwhile
    follow_scheduled(diff_id)
    raise Pause(state=answer.state)


def follow_scheduled(diff_id: str) -> None:
    """Let the reconciles wait longer if the sync was approved before they began to wait, and waits for a window."""
    with get_client(sync_client=True) as client:
        sync = _newest_sync(client, diff_id)
    if sync is not None and sync.state is not None and waits_for_window(sync):
        wait_longer(diff_id, _seconds_left(sync) - WINDOW_SECONDS, sync.state.message or "")


def wait_longer(diff_id: str, seconds: float, message: str) -> None:
    """Let the reconciles that wait for the sync of a diff wait until a window has opened."""
    with best_effort(NOT_PROLONGED), get_client(sync_client=True) as client:
        for run in _runs(client, RECONCILE, f"{DIFF_TAG}{diff_id}", SUSPENDED):
            state: State[Any] = Suspended(timeout_seconds=int(seconds) + WINDOW_SECONDS, message=message)
            client.set_flow_run_state(run.id, state, force=True)
            settle_reconcile(run.id, WAITS_FOR_WINDOW, message)


def resumed_diff() -> str:
    """Return the id of the diff whose sync this reconcile waited for, if somebody resumed the reconcile; empty otherwise."""
    own = runtime.flow_run
    with get_client(sync_client=True) as client:
        was_suspended = bool(client.read_flow_run(UUID(own.id)).empirical_policy.pause_keys)
    return next((tag.removeprefix(DIFF_TAG) for tag in own.tags if was_suspended and tag.startswith(DIFF_TAG)), "")


def ending_of_sync(diff_id: str) -> Ending | None:
    """Return how the sync of a diff ended; None if there is none.

    Raises:
        Pause: The sync still waits, and so does this run.
    """
    with get_client(sync_client=True) as client:
        sync = _newest_sync(client, diff_id)
    if sync is None or sync.state is None:
        return None
    if not sync.state.is_final():
        wait_for_sync(diff_id, f"Waiting for {sync.name}: {url_for(sync)}", _seconds_left(sync))
    return Ending(outcome_of(sync.tags), _message(sync, sync.state))


def settle_after(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  # Prefect names it
    """End the reconcile that waits for a sync which has ended; a hook of the flow `sync`."""
    if applies_all(flow_run.parameters) and state.is_final():
        settle(str(flow_run.parameters.get("diff_id")), flow_run.id, state)


def applies_all(parameters: Mapping[str, Any]) -> bool:
    """Return whether a run of `sync` with these parameters applies its whole diff, as the one does that a reconcile has started."""
    return not any(parameters.get(name) for name in ("dry_run", "agent_of", "select", "exclude", "retry_rejected"))


def settle(diff_id: str, sync_run_id: UUID, state: State[Any]) -> None:
    """End the reconciles that wait for a sync, in the state in which it ends. They do not wait for one of a part of the diff."""
    with get_client(sync_client=True) as client:
        waiting = list(_runs(client, RECONCILE, f"{DIFF_TAG}{diff_id}", SUSPENDED))
        sync = client.read_flow_run(sync_run_id) if waiting else None
        if sync is None or not applies_all(sync.parameters):
            return
        for run in waiting:
            _end_as(client, run, sync, state)


def settle_diff(diff_id: str) -> None:
    """End the reconciles that wait for the sync of a diff, if it has ended."""
    with get_client(sync_client=True) as client:
        sync = _newest_sync(client, diff_id)
    if sync is not None and sync.state is not None and sync.state.is_final() and not sync.state.is_crashed():
        settle(diff_id, sync.id, sync.state)


def settle_all(project: str) -> None:
    """End the reconciles of a project whose syncs have ended."""
    with get_client(sync_client=True) as client:
        tags = [run.tags for run in _runs(client, RECONCILE, f"{PROJECT_TAG}{project}", SUSPENDED)]
    for diff_id in {tag.removeprefix(DIFF_TAG) for each in tags for tag in each if tag.startswith(DIFF_TAG)}:
        settle_diff(diff_id)


def _end_as(client: SyncPrefectClient, run: FlowRun, sync: FlowRun, state: State[Any]) -> None:
    outcome = outcome_of(sync.tags)
    message = _message(sync, state)
    end = State[Any](type=state.type, name=state.name, message=message)
    if client.set_flow_run_state(run.id, end, force=True).status is SetStateStatus.ACCEPT:
        mark_run(run.id, outcome)
        result = outcome.label if state.is_completed() or outcome is not Outcome.COMPLETE else str(state.name)
        settle_reconcile(run.id, result, message)


def _message(sync: FlowRun, state: State[Any]) -> str:
    text = state.message or "The approved operations were applied"
    return f"{text.rstrip('.')}. {sync.name.removeprefix(outcome_of(sync.tags).prefix)}: {url_for(sync)}"


def _newest_sync(client: SyncPrefectClient, diff_id: str) -> FlowRun | None:
    """Return the newest run that applies a whole diff, or asks whether it may."""
    runs = _runs(client, "sync", f"{DIFF_TAG}{diff_id}")
    return next((run for run in runs if applies_all(run.parameters)), None)


def _runs(client: SyncPrefectClient, flow: str, tag: str, state: str = "") -> Iterator[FlowRun]:
    """Yield runs of a flow with a tag, the newest first."""
    name = FlowRunFilterState(name=FlowRunFilterStateName(any_=[state])) if state else None
    chosen = FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG, tag]), state=name)
    yield from client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
        flow_run_filter=chosen,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=PAGE,
    )


def _seconds_left(sync: FlowRun) -> int:
    """Return how long a sync waits at most: for a person, or for its window and then for its end."""
    details = sync.state.state_details if sync.state else StateDetails()
    if details.scheduled_time is not None:
        return max(0, int(details.scheduled_time.timestamp() - time.time())) + WINDOW_SECONDS
    return 0 if details.pause_timeout is None else max(0, int(details.pause_timeout.timestamp() - time.time()))
