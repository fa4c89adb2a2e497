"""Schedule an approved sync for its next window; no worker is busy meanwhile, and a restart of server and workers loses nothing."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import Pause
from prefect.states import Scheduled

from diffsync_flows.approval.pending import scheduled_runs
from diffsync_flows.approval.superseding import supersede_scheduled
from diffsync_flows.approval.waiting_reconciles import applies_all, settle_diff, wait_longer
from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts import publish_window_wait
from diffsync_flows.reporting.run_metadata import mark_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import OUTCOME_TAG, Outcome, cancelled, waits_for_window
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import OpenWindow


def has_waited_for_window() -> bool:
    """Return whether an earlier process of this flow run has scheduled it for a window. Ask before the run is named again."""
    return f"{OUTCOME_TAG}{Outcome.WAITS_FOR_WINDOW}" in runtime.flow_run.tags


def wait_for_window(
    context: SyncContext,
    record: DiffRecord,
    sync_name: str,
    window: OpenWindow,
    counts: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Schedule this run for the next window. Return if none opens any more, or if Prefect refuses, as for a cancelled run.

    Args:
        context: The project.
        record: The diff.
        sync_name: The sync.
        window: Its windows.
        counts: What this run has applied before the window closed.

    Raises:
        Pause: The run is scheduled; its process ends, and the flow starts again from the top.
    """
    opening, message = window.next_opening, window.rest_waits if counts else window.waits
    if opening is None:
        return
    own = UUID(runtime.flow_run.id)
    state: State[None] = Scheduled(scheduled_time=opening, message=message)
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(own, state)
    if answer.status is not SetStateStatus.ACCEPT:
        return
    get_run_logger().info(message)
    mark_run(own, Outcome.WAITS_FOR_WINDOW)
    publish_window_wait(record, message, counts)
    if applies_all(runtime.flow_run.parameters):
        wait_longer(record.diff_id, max(0.0, opening.timestamp() - time.time()), message)
    if window.request.is_whole_diff:
        reason = f"Another run waits for the window with the approved diff {record.diff_id}"
        supersede_scheduled(context, record, sync_name, reason, is_applied=False)
    raise Pause(state=answer.state)


def end_scheduled(diff_id: str, project: str, reason: str) -> None:
    """End the runs that wait for a window with a diff that was rejected."""
    with best_effort("Cannot end the runs that wait for a window"), get_client(sync_client=True) as client:
        for run in list(scheduled_runs(project)):
            if run.parameters.get("diff_id") != diff_id or not waits_for_window(client.read_flow_run(run.id)):
                continue
            answer = client.set_flow_run_state(run.id, cancelled(Outcome.REJECTED, reason))
            if answer.status is SetStateStatus.ACCEPT:
                mark_run(run.id, Outcome.REJECTED)
                settle_diff(diff_id)
