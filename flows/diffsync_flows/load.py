from prefect import flow
from prefect.client.schemas import State
from prefect.states import Completed

from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.ids import new_id
from diffsync_flows.runtime.states import EndState
from diffsync_flows.steps.loading import run_load
from diffsync_store.printable import printable


@flow(flow_run_name="load {adapter}")
@report_expected_errors
def load(adapter: str, store_id: str | None = None) -> str | State[str]:
    """Load the records of one system into a store.

    The store is complete when the load has ended and nothing is missing. It is partial when records were rejected, or
    fewer came than expected; the artifact lists what is missing. It is failed when the load raised an error.

    If the file declares shards of the adapter, each is loaded by a run of its own, on any worker. The load ends as Partial
    if it lacks a shard. A retry loads only the shards that are missing.

    Args:
        adapter: Name of the adapter in the YAML file.
        store_id: Id of the store, by which other runs find it; by default a new id. Earlier content is replaced.
    """
    store_id = store_id or new_id(adapter)
    with SyncContext(read_config()) as context:
        record = run_load(context, adapter, store_id)
    if missing := [shard.name for shard in record.shards if not shard.is_loaded]:
        message = f"Not loaded: {', '.join(missing)}. The artifact of the shards has the reasons. Retry this run to load them."
        return Completed(name=EndState.PARTIAL, message=printable(message), data=store_id)
    return store_id
