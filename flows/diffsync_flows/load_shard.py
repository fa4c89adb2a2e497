from prefect import flow

from diffsync_flows.config.config import read_config
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.steps.shard import run_shard
from diffsync_store.runs import ShardLoad, Shards


@flow(name="load-shard", flow_run_name="load-shard {adapter} · {shard}")
@report_expected_errors
def load_shard(adapter: str, store_id: str, shard: str, shards: Shards, load: str) -> int:
    """Load one shard of a system into the store of its load; return the number of objects.

    Runs of the flow `load` start it. To load a shard again, retry its run before the load has ended, or retry the load.

    Args:
        adapter: Name of the adapter in the YAML file.
        store_id: Id of the store of the load.
        shard: Name of the shard.
        shards: All shards of the load, each with the objects below which its records are.
        load: Name of the load.
    """
    with SyncContext(read_config()) as context:
        return run_shard(context, store_id, ShardLoad(adapter, shard, shards, load)).objects
