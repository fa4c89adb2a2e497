from functools import partial

from prefect import flow, get_run_logger, task

from diffsync_flows.approval.pending import pending_diff_ids
from diffsync_flows.config.config import Config, read_config
from diffsync_flows.reporting.artifacts import publish_load
from diffsync_flows.reporting.events import store_loaded
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.progress import ProgressState, progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.ids import artifact_key, new_id
from diffsync_flows.runtime.retries import LOAD_RETRIES, classify_errors
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_store import ObjectStoreException, StoreNotFound, StoreRecord
from diffsync_store.lifecycle import opened
from diffsync_store.printable import printable
from diffsync_store.retention import refuse_load
from diffsync_store.store.redis import RedisStore


@flow(flow_run_name="load {adapter}")
@report_expected_errors
def load(adapter: str, store_id: str | None = None) -> str:
    """Load one system's records into a store.

    The store is complete only when the adapter's load has ended and lacks nothing. Where records were rejected, or not
    as many came as were expected, it is partial and the artifact says so. After a load that raised it is failed.

    Args:
        adapter: Name of the adapter in the YAML file.
        store_id: Name under which other runs find the store; made up when it is not given. What it held is replaced.
    """
    store_id = store_id or new_id(adapter)
    with run_metrics("load", adapter, read_config().declared.metrics) as run:
        record = load_records(adapter, store_id)
        run.state = record.state.value
        objects = sum(record.counts.values())
        run.gauge("store_objects", "Objects of the last load", "adapter", {adapter: objects})
        run.gauge("load_objects_per_second", "Of the last load", "adapter", {adapter: objects / run.seconds})
        rejected = sum(gap.rejected for gap in record.gaps.values())
        run.gauge("load_rejected", "Records that the last load rejected", "adapter", {adapter: rejected})
    rename_run(f"load {adapter} · {objects:,} objects", store=store_id)
    publish_load(adapter, record)
    store_loaded(adapter, record)
    return store_id


@task(**LOAD_RETRIES)
def load_records(adapter: str, store_id: str) -> StoreRecord:
    """Every attempt begins with an empty store."""
    warn_of_other_servers()
    config = read_config()
    log = get_run_logger()
    refuse_pending(config, store_id)
    with library_log(config.secrets.redact), config.open_store(store_id, name=adapter) as store:
        with store.loading(redact=config.secrets.redact), config.secrets.redacted_errors():
            system = config.make_adapter(adapter, store)
            seen = progress(artifact_key("load", adapter), partial(load_progress, config, adapter, store))
            with classify_errors(system), opened(system), seen:
                system.load()
        record = store.record()
    log.info("Loaded %s into store %s: %s objects", adapter, store_id, f"{sum(record.counts.values()):,}")
    if record.gaps:
        log.warning("Store %s is partial: %s", store_id, printable(record.reason))
    return record


def refuse_pending(config: Config, store_id: str) -> None:
    """Refuse to empty a store whose diff waits for its approval.

    Raises:
        StoreInUse: there is such a diff; the message says what to do.
    """
    try:
        with config.open_store(store_id) as store:
            generation = store.record().generation
    except StoreNotFound:
        return
    with config.open_diffs() as diffs:
        refuse_load(diffs, store_id, generation, pending_diff_ids())


def load_progress(config: Config, adapter: str, store: RedisStore) -> ProgressState | None:
    """How far a load is, of what the adapter expects, or of what its last load had.

    Another connection asks, for the store's own is busy.
    """
    expected = store.expected()
    try:
        with config.open_store(store.store_id) as seen:
            if expected:
                done = sum(seen.count(model=model) for model in expected)
                return ProgressState("load", done, sum(expected.values()), "objects")
            return ProgressState("load", seen.count(), config.last_count(adapter), "objects", is_guess=True)
    except ObjectStoreException as error:
        get_run_logger().warning("It cannot be told how far the load is: %s", error)
        return None
