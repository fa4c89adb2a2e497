from datetime import datetime

from prefect import flow, get_run_logger, task

from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.artifacts import show_diff
from diffsync_flows.reporting.events import diff_saved, held_in
from diffsync_flows.reporting.metrics import measured
from diffsync_flows.reporting.progress import progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import ACTIONS, rename
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.ids import artifact_key, new_id
from diffsync_flows.runtime.retries import RETRIED
from diffsync_flows.runtime.shared_redis import warn_of_others
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
    partial load does not prove is saved with the rest, and held.

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
    with measured("diff", sync_name or "", config.declared.metrics) as run:
        stores = find_stores(source_store_id, target_store_id, sync_name)
        loaded = save_diff(*stores, diff_id, sync_name)
        record = tell_diff(diff_id)
        name, declared = config.sync_of(record.source_name, record.target_name)
        run.name = name or f"{record.source_name} → {record.target_name}"
        counts = {action: record.summary.get(action, 0) for action in ACTIONS}
        run.gauge("diff_operations", "Of the last diff", "action", counts, sync=run.name)
        run.gauge("diff_held_operations", "Held ones of the last diff", "sync", {run.name: held_in(record)})
        if not record.operations:
            run.in_step(loaded)
    way = f"diff {record.source_name} → {record.target_name}"
    rename(way, record.summary, sync=name, diff=diff_id, store=stores)
    diff_saved(record, name, declared)
    return diff_id


@task(**RETRIED)
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


@task(**RETRIED)
def save_diff(source_store_id: str, target_store_id: str, diff_id: str, sync_name: str | None) -> datetime:
    """Compare the two stores, if a run before this one has not; when the source's was loaded."""
    warn_of_others()
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
            config.open_diffs(sync.retention) as diffs,
            progress(artifact_key("diff", of_source.name, of_target.name)) as callback,
        ):
            diffs.compare_once(
                of_source, of_target, diff_id, flags=sync.combined_flags, guards=sync.guards, callback=callback
            )
        return source.record().updated


@task(**RETRIED)
def tell_diff(diff_id: str) -> DiffRecord:
    with read_config().open_diffs() as diffs:
        saved = diffs.open(diff_id)
        log = get_run_logger()
        log.info("Saved diff %s: %s", diff_id, saved.record.summary)
        for hold in saved.record.holds:
            log.warning("%s", printable(str(hold)))
        show_diff(saved)
        return saved.record
