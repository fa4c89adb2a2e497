from prefect import flow
from prefect.client.schemas import State

from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.parameters import Text, Texts
from diffsync_flows.steps.undoing import run_undo
from diffsync_store.runs import SyncRequest


@flow(flow_run_name="undo {diff_id}")
@report_expected_errors
def undo(diff_id: str, undo_id: Text = "", allow: Texts = (), sync_name: Text = "") -> State[str]:
    """Save a diff that takes back what the syncs of a saved diff have changed. Nothing is changed in the target.

    The target is loaded first. A record that somebody has changed since the sync is left alone and listed; so is what cannot be
    undone. The new diff is reviewed, approved and applied as any other diff of the sync: the artifact of this run links to the
    next steps.

    Args:
        diff_id: Id of the saved diff whose changes are taken back.
        undo_id: Id of the new diff, by which other runs find it; by default a new id.
        allow: Changes that the guards are to let through, such as delete:990:device. The links in the artifact repeat them.
        sync_name: Name of the sync in the YAML file; a diff of other adapters is refused.
    """
    request = SyncRequest(undo_id or new_id("undo"), sync_name, tuple(allow))
    with SyncContext(read_config()) as context:
        return run_undo(context, diff_id, request).to_state()
