from functools import partial

from prefect import flow, get_run_logger, task

from diffsync_store import ObjectStoreException, StoreNotFound, StoreRecord
from diffsync_store.lifecycle import opened
from diffsync_store.store.redis import RedisStore
from diffsync_store.store.retention import refuse_load
from diffsync_store.visible import visible
from flows.artifacts import show_load
from flows.config import Config, read_config
from flows.events import store_loaded
from flows.failures import failing_plainly
from flows.ids import artifact_key, new_id
from flows.metrics import measured
from flows.progress import Reached, progress
from flows.retries import LOADED, judged_by
from flows.run_log import library_log
from flows.run_names import rename
from flows.sharing import warn_of_others
from flows.waiting import waited_for


@flow(flow_run_name="load {adapter}")
@failing_plainly
def load(adapter: str, store_id: str | None = None) -> str:
    """Load one system's records into a store.

    The store is complete only when the adapter's load has ended and lacks nothing. Where records were rejected, or not
    as many came as were expected, it is partial and the artifact says so. After a load that raised it is failed.

    Args:
        adapter: Name of the adapter in the YAML file.
        store_id: Name under which other runs find the store; made up when it is not given. What it held is replaced.
    """
    store_id = store_id or new_id(adapter)
    with measured("load", adapter, read_config().declared.metrics) as run:
        record = load_records(adapter, store_id)
        run.state = record.state.value
        objects = sum(record.counts.values())
        run.gauge("store_objects", "Objects of the last load", "adapter", {adapter: objects})
        run.gauge("load_objects_per_second", "Of the last load", "adapter", {adapter: objects / run.seconds})
        rejected = sum(gap.rejected for gap in record.gaps.values())
        run.gauge("load_rejected", "Records that the last load rejected", "adapter", {adapter: rejected})
    rename(f"load {adapter} · {objects:,} objects", store=store_id)
    show_load(adapter, record)
    store_loaded(adapter, record)
    return store_id


@task(**LOADED)
def load_records(adapter: str, store_id: str) -> StoreRecord:
    """Every attempt begins with an empty store."""
    warn_of_others()
    config = read_config()
    log = get_run_logger()
    refuse_waited_for(config, store_id)
    with library_log(config.secrets.redact), config.open_store(store_id, name=adapter) as store:
        with store.loading(redact=config.secrets.redact), config.secrets.redacted_errors():
            system = config.classes.make(adapter, store)
            seen = progress(artifact_key("load", adapter), partial(reached, config, adapter, store))
            with judged_by(system), opened(system), seen:
                system.load()
        record = store.record()
    log.info("Loaded %s into store %s: %s objects", adapter, store_id, f"{sum(record.counts.values()):,}")
    if record.gaps:
        log.warning("Store %s is partial: %s", store_id, visible(record.reason))
    return record


def refuse_waited_for(config: Config, store_id: str) -> None:
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
        refuse_load(diffs, store_id, generation, waited_for())


def reached(config: Config, adapter: str, store: RedisStore) -> Reached | None:
    """How far a load is, of what the adapter expects, or of what its last load had.

    Another connection asks, for the store's own is busy.
    """
    expected = store.expected()
    try:
        with config.open_store(store.store_id) as seen:
            if expected:
                done = sum(seen.count(model=model) for model in expected)
                return Reached("load", done, sum(expected.values()), "objects")
            return Reached("load", seen.count(), config.last_count(adapter), "objects", is_guess=True)
    except ObjectStoreException as error:
        get_run_logger().warning("It cannot be told how far the load is: %s", error)
        return None
