from prefect import flow

from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.parameters import Text
from diffsync_flows.steps.diffing import run_diff


@flow(flow_run_name="diff")
@report_expected_errors
def diff(
    source_store_id: Text = "",
    target_store_id: Text = "",
    diff_id: Text = "",
    sync_name: Text = "",
) -> str:
    """Save the changes that make the target equal to the source.

    Reads the two stores only, neither of the systems. Refuses a store whose load has not ended. Deletes that a partial
    load cannot prove are saved too, and a sync leaves them out.

    Args:
        source_store_id: Store of the source, from the artifact of its load; by default the newest complete store of the
            sync's source.
        target_store_id: Store of the target, from the artifact of its load; by default the newest complete store of the
            sync's target.
        diff_id: Id of the diff, by which other runs find it; by default a new id.
        sync_name: Name of the sync in the YAML file; stores of other adapters are refused. Not needed if both stores are
            given.
    """
    diff_id = diff_id or new_id(sync_name or "diff")
    with SyncContext(read_config()) as context, RunNotifications(context).diff_failure(sync_name, diff_id):
        return run_diff(context, source_store_id, target_store_id, diff_id, sync_name).diff_id
