from datetime import datetime

from prefect import flow, get_run_logger, task

from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.artifacts import publish_diff
from diffsync_flows.reporting.events import count_suppressed, diff_saved
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.progress import progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import ACTIONS, rename_run
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.ids import artifact_key, new_id
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_store import StoredAdapter
from diffsync_store.diffs import DiffRecord
from diffsync_store.printable import printable


@flow(flow_run_name="diff")
@report_expected_errors
def diff(
    source_store_id: str | None = None,
    target_store_id: str | None = None,
    diff_id: str | None = None,
    sync_name: str | None = None,
) -> str:
    """Save what has to change in the target so that it equals the source.

    Needs the two stores only, neither of the systems nor their adapters. Refuses a store whose load has not ended. What a
    partial load does not prove is saved with the rest, and suppressed.

    Args:
        source_store_id: Store of the side that is right, as a load's artifact shows it. Without one, the newest complete
            store of the sync's source.
        target_store_id: Store of the side that is to be changed. Without one, the newest complete store of the sync's
            target.
        diff_id: Name under which other runs find the diff; made up when it is not given.
        sync_name: The sync in the YAML file; stores of other adapters than its own are refused. Not needed where both
            stores are given.
    """
    diff_id = diff_id or new_id(sync_name or "diff")
    config = read_config()
    with run_metrics("diff", sync_name or "", config.declared.metrics) as run:
        stores = find_stores(source_store_id, target_store_id, sync_name)
        loaded = save_diff(*stores, diff_id, sync_name)
        record = report_diff(diff_id)
        name, declared = config.sync_of(record.source_name, record.target_name)
        run.name = name or f"{record.source_name} → {record.target_name}"
        counts = {action: record.summary.get(action, 0) for action in ACTIONS}
        run.gauge("diff_operations", "Of the last diff", "action", counts, sync=run.name)
        run.gauge(
            "diff_suppressed_operations",
            "Suppressed operations of the last diff",
            "sync",
            {run.name: count_suppressed(record)},
        )
        if not record.operations:
            run.in_sync(loaded)
    way = f"diff {record.source_name} → {record.target_name}"
    rename_run(way, record.summary, sync=name, diff=diff_id, store=stores)
    diff_saved(record, name, declared)
    return diff_id


@task(**IO_RETRIES)
def find_stores(source_store_id: str | None, target_store_id: str | None, sync_name: str | None) -> tuple[str, str]:
    """The stores that are given, and for those that are not the newest ones."""
    if source_store_id and target_store_id:
        return source_store_id, target_store_id
    if not sync_name:
        raise UserError("Give the two store_ids, or the name of the sync whose newest stores are to be taken.")
    config = read_config()
    declared = config.sync(sync_name)
    return (
        source_store_id or config.newest_store(declared.source).store_id,
        target_store_id or config.newest_store(declared.target).store_id,
    )


@task(**IO_RETRIES)
def save_diff(source_store_id: str, target_store_id: str, diff_id: str, sync_name: str | None) -> datetime:
    """Compare the two stores, if a run before this one has not; when the source's was loaded."""
    warn_of_other_servers()
    config = read_config()
    with (
        library_log(config.secrets.redact),
        config.open_store(source_store_id) as source,
        config.open_store(target_store_id) as target,
    ):
        of_source, of_target = StoredAdapter(source), StoredAdapter(target)
        if sync_name:
            config.require_pair(sync_name, of_source.name, of_target.name, "The two stores are of")
        _, sync = config.sync_of(of_source.name, of_target.name)
        with (
            config.open_diffs(sync.diff_retention) as diffs,
            progress(artifact_key("diff", of_source.name, of_target.name)) as callback,
        ):
            diffs.compare_once(
                of_source, of_target, diff_id, flags=sync.combined_flags, guards=sync.guards, callback=callback
            )
        return source.record().updated


@task(**IO_RETRIES)
def report_diff(diff_id: str) -> DiffRecord:
    with read_config().open_diffs() as diffs:
        saved = diffs.open(diff_id)
        log = get_run_logger()
        log.info("Saved diff %s: %s", diff_id, saved.record.summary)
        for suppression in saved.record.suppressions:
            log.warning("%s", printable(str(suppression)))
        publish_diff(saved)
        return saved.record
