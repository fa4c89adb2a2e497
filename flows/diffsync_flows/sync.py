from uuid import UUID

from prefect import flow, runtime
from prefect.client.schemas import State

from diffsync_flows.approval.waiting_reconciles import NOT_SETTLED, settle, settle_after
from diffsync_flows.config.config import read_config
from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.run_metadata import mark_own_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.parameters import Selections, Switch, Text, Texts
from diffsync_flows.steps.syncing import dry_run_sync, run_agent, run_sync
from diffsync_store.runs import SyncRequest


@flow(flow_run_name="sync {diff_id}", on_completion=[settle_after], on_failure=[settle_after])
@report_expected_errors
def sync(  # noqa: PLR0917  # a form of the UI has a field for each
    diff_id: str,
    dry_run: Switch = False,
    allow: Texts = (),
    select: Selections = (),
    exclude: Selections = (),
    retry_rejected: Switch = False,
    outside_window: Text = "",
    skip_canary: Text = "",
    sync_name: Text = "",
    agent_of: Text = "",
) -> dict[str, int] | State[dict[str, int]]:
    """Apply a saved diff to its target, within the guards of its sync.

    Operations that an earlier run has applied are not repeated: to continue a sync that was stopped or killed, start it
    again. A record that changed after the diff was made is left alone and listed as a conflict.

    If the sync needs an approval, the run is suspended until somebody resumes it with a decision: choose Resume in the menu
    of the run's page. An older run of the sync that waits for other changes is superseded: it ends as Cancelled. If an older
    run waits for the same changes, it keeps waiting and this run ends without applying anything.

    Returns the number of operations by outcome. If some were not applied, the name and the message of the run begin with
    "partial", and its artifact lists them with the reasons.

    Args:
        diff_id: Id of the saved diff, from the artifact of the diff.
        dry_run: Change nothing; check that the sync could start, and count what it would do.
        allow: Changes that the guards let through once, as their messages name them, such as delete:990:device.
        select: Apply only these operations and the ones they depend on; by default all. Each item must match something.
        exclude: Leave these operations out; they can be applied later. Each item must match something.
        retry_rejected: Apply only operations that failed, were blocked or were in conflict before.
        outside_window: Reason to apply the diff although no window of the sync is open. The journal and the run keep it.
        skip_canary: Reason to apply everything at once, without the canary of the sync. The journal and the run keep it.
        sync_name: Name of the sync in the YAML file; a diff of other adapters is refused.
        agent_of: Set by a run of a sync with `agents` in the runs that it starts: they apply the diff together with it.
    """
    request = SyncRequest(
        diff_id,
        sync_name,
        tuple(allow),
        select=tuple(each.to_select() for each in select),
        exclude=tuple(each.to_select() for each in exclude),
        retry_rejected=retry_rejected,
        outside_window=outside_window,
        skip_canary=skip_canary,
    )
    with SyncContext(read_config()) as context:
        if agent_of:
            return run_agent(context, request, agent_of)
        ending = dry_run_sync(context, request) if dry_run else run_sync(context, request)
        mark_own_run("sync", ending)
        state = ending.to_state()
        if state.is_cancelled():  # Prefect has no hook for a flow that ends so
            with best_effort(NOT_SETTLED):
                settle(diff_id, UUID(runtime.flow_run.id), state)
        return state
