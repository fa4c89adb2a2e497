"""The step that loads a system into a store."""

from functools import partial

from prefect import get_run_logger, task

from diffsync_flows.reporting.artifacts import publish_load
from diffsync_flows.reporting.events import store_loaded
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.reporting.progress import ProgressState, progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import LOAD_RETRIES, classify_errors
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_flows.runtime.states import Ending
from diffsync_flows.steps.load_ending import count_loaded, load_ending, load_title
from diffsync_flows.steps.pending import refuse_pending
from diffsync_flows.steps.shards import load_in_shards
from diffsync_store import StoreRecord
from diffsync_store.lifecycle import opened
from diffsync_store.printable import printable
from diffsync_store.runs import load_progress
from diffsync_store.store.redis import RedisStore


def run_load(context: SyncContext, adapter: str, store_id: str) -> tuple[StoreRecord, Ending]:
    """Load a system into a store; report it as metrics, an artifact, an event and notifications."""
    before = context.last_count(adapter)
    with run_metrics("load", adapter, context.project.declared.metrics) as run:
        notifications = RunNotifications(context)
        load = load_in_shards if context.project.has_shards(adapter) else load_records
        with notifications.load_failure(adapter, store_id):
            record = load(context, adapter, store_id)
        run.add_load(adapter, record)
    ending = load_ending(record, before)
    rename_run("load", load_title(adapter, record, before), outcome=ending.outcome, store=store_id)
    publish_load(adapter, record, count_loaded(record, before), ending, context.project.syncs)
    store_loaded(adapter, record)
    notifications.load_end(adapter, record)
    return record, ending


@task(task_run_name="load {adapter}", **LOAD_RETRIES)
def load_records(context: SyncContext, adapter: str, store_id: str) -> StoreRecord:
    """Load into an empty store; each attempt starts over."""
    warn_of_other_servers(context)
    refuse_pending(context, store_id)
    secrets, log = context.project.secrets, get_run_logger()
    with library_log(secrets.redact), context.open_store(store_id, name=adapter) as store:
        with store.loading(redact=secrets.redact), secrets.redacted_errors():
            system = context.project.make_adapter(adapter, store)
            reporting = progress(artifact_key("load", adapter), partial(report_progress, context, adapter, store))
            with classify_errors(system), opened(system), reporting:
                system.load()
        record = store.record()
    log.info("Loaded %s into store %s: %s objects", adapter, store_id, f"{sum(record.counts.values()):,}")
    if record.gaps:
        log.warning("Store %s is partial: %s", store_id, printable(record.reason))
    return record


def report_progress(context: SyncContext, adapter: str, store: RedisStore) -> ProgressState | None:
    """Return the progress of a load."""
    found = load_progress(context, adapter, store)
    if found is None:
        get_run_logger().warning("Cannot read the progress of the load")
        return None
    return ProgressState("load", found.done, found.total, "objects", found.is_estimate)
