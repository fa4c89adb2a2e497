"""The step that loads a system in shards, each in a run of its own, and seals the store."""

from prefect import get_run_logger, runtime, task

from diffsync_flows.reporting.artifacts import ShardTable
from diffsync_flows.reporting.progress import ProgressState, progress, repeat_in_background
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import IO_RETRIES, LOAD_RETRIES
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_flows.steps.child_runs import Step, describe, try_each
from diffsync_flows.steps.pending import refuse_pending
from diffsync_flows.steps.starvation import StarvedLoad
from diffsync_flows.steps.step_end import StepFailed
from diffsync_store import ObjectStoreException, StoreNotFound, StoreRecord, StoreState
from diffsync_store.printable import printable
from diffsync_store.runs import Shards, find_shards, missing_shards, progress_of_shards


def load_in_shards(context: SyncContext, adapter: str, store_id: str) -> StoreRecord:
    """Load each shard in a run of its own, and seal the store.

    A retry loads only the shards that are missing, also if the store was sealed without them.

    Raises:
        StepFailed: No shard was loaded.
    """
    load = str(runtime.flow_run.id)
    shards = plan_shards(context, adapter, store_id, load)
    table = ShardTable(context, adapter, store_id)
    key = artifact_key("load", adapter)
    with progress(key, lambda: _progress(context, adapter, store_id)), repeat_in_background(table.publish):
        failures = _load_missing(context, adapter, store_id, shards, load)
    table.publish()
    if len(failures) == len(shards):
        raise StepFailed("No shard was loaded. " + "; ".join(failures))
    for failure in failures:
        get_run_logger().warning("%s", printable(failure))
    return seal(context, store_id)


def _load_missing(context: SyncContext, adapter: str, store_id: str, shards: Shards, load: str) -> list[str]:
    """Run the missing shards; return a text about the run of each that is missing still.

    A retry of this run finds the runs of the first attempt by their keys: it waits for those that have not ended.
    """
    failures: list[str] = []
    watch = StarvedLoad(context, store_id)
    for attempt in range(1, int(runtime.flow_run.run_count) + 1):
        names = missing_shards(context, store_id, shards, load)
        runs = try_each([_step(adapter, store_id, name, shards, load) for name in names], attempt, watch)
        missing = missing_shards(context, store_id, shards, load)
        failures = [describe(run) for name, run in zip(names, runs, strict=True) if name in missing]
    return failures


def _step(adapter: str, store_id: str, name: str, shards: Shards, load: str) -> Step:
    parameters = {"adapter": adapter, "store_id": store_id, "shard": name, "shards": shards, "load": load}
    return Step(f"load-shard/{adapter}", parameters, name=f"load-shard {adapter} · {name}")


@task(task_run_name="find the shards of {adapter}", **LOAD_RETRIES)
def plan_shards(context: SyncContext, adapter: str, store_id: str, load: str) -> Shards:
    """Return the shards of the load."""
    warn_of_other_servers(context)
    record = _record(context, store_id)
    if record is None or record.load != load:
        refuse_pending(context, store_id)
    shards = find_shards(context, adapter, store_id, load)
    get_run_logger().info("Shards of %s: %s", adapter, printable(", ".join(shards)))
    return shards


@task(task_run_name="seal the store", **IO_RETRIES)
def seal(context: SyncContext, store_id: str) -> StoreRecord:
    """Make the shards one store."""
    log = get_run_logger()
    with context.open_store(store_id) as store:
        record = store.seal()
    log.info("Sealed store %s: %s objects", store_id, f"{sum(record.counts.values()):,}")
    if record.gaps or record.state is StoreState.PARTIAL:
        log.warning("Store %s is partial: %s", store_id, printable(record.reason))
    return record


def _record(context: SyncContext, store_id: str) -> StoreRecord | None:
    try:
        with context.open_store(store_id) as store:
            return store.record()
    except StoreNotFound:
        return None


def _progress(context: SyncContext, adapter: str, store_id: str) -> ProgressState | None:
    try:
        with context.open_store(store_id) as store:
            found = progress_of_shards(store.shards(), context.last_count(adapter))
    except StoreNotFound:
        return None
    except ObjectStoreException:
        get_run_logger().warning("Cannot read the progress of the load")
        return None
    return ProgressState("load", found.done, found.total, "objects", found.is_estimate)
