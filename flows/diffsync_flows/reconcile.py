from prefect import flow, runtime
from prefect.client.schemas import State

from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.reporting.run_metadata import mark_own_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.parameters import Switch, Text
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.runtime.target_lock import TargetBusy, target_lock
from diffsync_flows.steps.reconciling import run_reconcile


@flow(flow_run_name="reconcile {sync_name}")
@report_expected_errors
def reconcile(sync_name: str, dry_run: Switch = False, outside_window: Text = "") -> State[dict[str, str]]:
    """Load source and target at the same time, compare them, and sync the difference: each step on its own workers.

    A diff without changes ends the run. If the sync needs an approval, this run is suspended without a process, and ends as
    its sync ends. One reconcile at a time works on a target, whatever its sync. While the target is locked for maintenance,
    reconciles are skipped. Outside of the windows of the sync, it loads and compares, and saves the diff: a sync that needs no
    approval is skipped, and one that is approved waits for the next window.

    Args:
        sync_name: Name of the sync in the YAML file.
        dry_run: Change nothing in the target.
        outside_window: Reason to apply the diff although no window of the sync is open. The journal keeps it.
    """
    with (
        SyncContext(read_config()) as context,
        run_metrics("reconcile", sync_name, context.project.declared.metrics) as metrics,
        RunNotifications(context).stale_check(),
    ):
        lock_reason = f"reconcile {sync_name}, flow run {runtime.flow_run.id}"
        try:
            with target_lock(context, context.project.sync(sync_name), lock_reason, dry_run=dry_run):
                ending = run_reconcile(context, sync_name, dry_run=dry_run, outside_window=outside_window)
        except TargetBusy as busy:
            ending = Ending(Outcome.SKIPPED, str(busy))
        metrics.state = "partial" if ending.outcome is Outcome.PARTIAL else "complete"
        metrics.is_published = ending.outcome in {Outcome.PARTIAL, Outcome.COMPLETE}
        mark_own_run("reconcile", ending)
        return ending.to_state()
