from prefect import flow
from prefect.client.schemas import State

from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.parameters import Text
from diffsync_flows.steps.loading import run_load


@flow(flow_run_name="load {adapter}")
@report_expected_errors
def load(adapter: str, store_id: Text = "") -> State[str]:
    """Load the records of one system into a store.

    The store is complete when the load has ended and nothing is missing. It is partial when records were rejected, or
    fewer came than expected; the artifact lists what is missing. It is failed when the load raised an error.

    The name and the message of a partial run say so, and what it means for the next step.

    If the file declares shards of the adapter, each is loaded by a run of its own, on any worker. The load is partial if it
    lacks a shard. A retry loads only the shards that are missing.

    Args:
        adapter: Name of the adapter in the YAML file.
        store_id: Id of the store, by which other runs find it; by default a new id. Earlier content is replaced.
    """
    store_id = store_id or new_id(adapter)
    with SyncContext(read_config()) as context:
        _, ending = run_load(context, adapter, store_id)
    return ending.to_state()
