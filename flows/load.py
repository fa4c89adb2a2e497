from prefect import flow, get_run_logger, task

from diffsync_store import ObjectStoreException, StoreRecord
from flows.adapters.lifecycle import opened
from flows.artifacts import show_load
from flows.config import read_config
from flows.events import store_loaded
from flows.ids import new_id
from flows.metrics import measured
from flows.progress import repeated
from flows.retries import RETRIED
from flows.run_log import library_log
from flows.run_names import rename


@flow(flow_run_name="load {adapter}")
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
        objects = sum(record.counts.values())
        run.gauge("store_objects", "Objects of the last load", "adapter", {adapter: objects})
        run.gauge("load_objects_per_second", "Of the last load", "adapter", {adapter: objects / run.seconds})
    rename(f"load {adapter} · {objects:,} objects")
    show_load(adapter, record)
    store_loaded(adapter, record)
    return store_id


@task(**RETRIED)
def load_records(adapter: str, store_id: str) -> StoreRecord:
    """Every attempt begins with an empty store."""
    config = read_config()
    log = get_run_logger()

    def tell_count() -> None:
        try:
            with config.open_store(store_id) as seen:
                log.info("load: %s objects so far", f"{seen.count():,}")
        except ObjectStoreException as error:
            log.warning("load: cannot tell how far it is: %s", error)

    with library_log(config.secrets.redact), config.open_store(store_id, name=adapter) as store:
        with store.loading(redact=config.secrets.redact), config.secrets.redacted_errors():
            system = config.make_adapter(adapter, store)
            with opened(system), repeated(tell_count):
                system.load()
        record = store.record()
    log.info("Loaded %s into store %s: %s objects", adapter, store_id, f"{sum(record.counts.values()):,}")
    if record.gaps:
        log.warning("Store %s is partial: %s", store_id, record.reason)
    return record
