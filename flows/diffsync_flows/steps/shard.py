"""The step that loads one shard of a system."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect import get_run_logger, runtime, task
from prefect.client.orchestration import get_client

from diffsync_flows.reporting.progress import ProgressState, progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import LOAD_RETRIES, classify_errors
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_store import ObjectStoreException, ShardRecord
from diffsync_store.printable import printable
from diffsync_store.project import UserError
from diffsync_store.runs import ShardLoad, load_shard
from diffsync_store.store import BaseStore


def run_shard(context: SyncContext, store_id: str, shard: ShardLoad) -> ShardRecord:
    """Load a shard, and name the run after it."""
    _require_running_load()
    record = load_shard_records(context, store_id, shard)
    rename_run("load-shard", f"{shard.adapter} · {shard.name} · {record.objects:,} objects", store=store_id)
    return record


@task(task_run_name="load {shard.name}", **LOAD_RETRIES)
def load_shard_records(context: SyncContext, store_id: str, shard: ShardLoad) -> ShardRecord:
    """Load the shard; each attempt empties it first."""
    warn_of_other_servers(context)
    log = get_run_logger()

    @contextmanager
    def watch(_: str, store: BaseStore) -> Iterator[None]:
        key = artifact_key("load", shard.adapter, shard.name)
        with classify_errors(store.adapter), progress(key, lambda: _progress(context, store, shard)):  # type: ignore[arg-type]
            yield

    with library_log(context.project.secrets.redact), context.open_store(store_id, name=shard.adapter) as store:
        load_shard(context, store, shard, watch)
        record = next(each for each in store.shards() if each.name == shard.name)
    log.info("Loaded the shard %s of %s: %s objects", shard.name, shard.adapter, f"{record.objects:,}")
    if record.gaps:
        log.warning("The shard %s is partial: %s", shard.name, printable(record.reason))
    return record


def _progress(context: SyncContext, store: BaseStore, shard: ShardLoad) -> ProgressState | None:
    try:
        with context.open_store(str(store.store_id)) as reader:
            record = next(each for each in reader.shards() if each.name == shard.name)
    except ObjectStoreException:
        get_run_logger().warning("Cannot read the progress of the shard")
        return None
    return ProgressState("load", record.objects, sum(store.expected().values()) or None, "objects")


def _require_running_load() -> None:
    """Check that the load of this shard waits for it: a late run must not begin to load a store that others read.

    Raises:
        UserError: the load has ended.
    """
    parent = runtime.flow_run.parent_flow_run_id
    if parent is None:
        return
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(str(parent))).state
    if state is not None and state.is_final() and not state.is_crashed():
        raise UserError("The load of this shard has ended. Retry the run of the load, which loads the missing shards.")
