"""The step that compares two stores and saves the diff."""

from datetime import datetime

from prefect import get_run_logger, task

from diffsync_flows.reporting.artifacts import publish_diff
from diffsync_flows.reporting.events import diff_saved
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.progress import progress
from diffsync_flows.reporting.run_log import library_log
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_flows.runtime.shared_redis import warn_of_other_servers
from diffsync_store import StoredAdapter
from diffsync_store.diffs import DiffRecord
from diffsync_store.printable import printable
from diffsync_store.project import UserError
from diffsync_store.runs import allowances_for_all, needs_approval, record_in_sync


def run_diff(
    context: SyncContext,
    source_store_id: str,
    target_store_id: str,
    diff_id: str,
    sync_name: str,
) -> DiffRecord:
    """Save the diff of two stores; report it as metrics, artifacts and an event."""
    with run_metrics("diff", sync_name, context.project.declared.metrics) as run:
        stores = find_stores(context, source_store_id, target_store_id, sync_name)
        in_sync_with = save_diff(context, *stores, diff_id, sync_name)
        record = report_diff(context, diff_id)
        name, declared = context.project.sync_between(record.source_name, record.target_name)
        run.name = name or f"{record.source_name} → {record.target_name}"
        run.add_diff(record, in_sync_with)
    sides = f"{record.source_name} → {record.target_name}"
    rename_run("diff", sides, record.summary, sync=name, diff=diff_id, store=stores)
    diff_saved(record, name, declared)
    return record


@task(task_run_name="find the stores", **IO_RETRIES)
def find_stores(context: SyncContext, source_store_id: str, target_store_id: str, sync_name: str) -> tuple[str, str]:
    """Return the given stores, and the newest complete one in place of each that is not given."""
    if source_store_id and target_store_id:
        return source_store_id, target_store_id
    if not sync_name:
        raise UserError("Give both store ids, or a sync_name to use the newest stores of that sync.")
    declared = context.project.sync(sync_name)
    return (
        source_store_id or context.newest_store(declared.source).store_id,
        target_store_id or context.newest_store(declared.target).store_id,
    )


@task(task_run_name="compare the stores", **IO_RETRIES)
def save_diff(
    context: SyncContext, source_store_id: str, target_store_id: str, diff_id: str, sync_name: str
) -> datetime | None:
    """Compare the two stores, unless an earlier attempt has; return when the source was loaded that the target equals."""
    warn_of_other_servers(context)
    config = context.project
    with (
        library_log(config.secrets.redact),
        context.open_store(source_store_id) as source_store,
        context.open_store(target_store_id) as target_store,
    ):
        source, target = StoredAdapter(source_store), StoredAdapter(target_store)
        if sync_name:
            config.require_pair(sync_name, source.name, target.name, "The two stores are of")
        _, sync = config.sync_between(source.name, target.name)
        rules = config.field_rules(source.name, target.name)
        with progress(artifact_key("diff", source.name, target.name)) as callback:
            context.diffs(sync.diff_retention).compare_once(
                source,
                target,
                diff_id,
                flags=sync.combined_flags,
                guards=sync.guards,
                callback=callback,
                rules=rules,
                operation_rules=sync.operation_rules,
            )
        return record_in_sync(context, context.diffs().open(diff_id))


@task(task_run_name="report the diff", **IO_RETRIES)
def report_diff(context: SyncContext, diff_id: str) -> DiffRecord:
    """Publish the diff's artifacts; return its record."""
    saved, log = context.diffs().open(diff_id), get_run_logger()
    log.info("Saved diff %s: %s", diff_id, saved.record.summary)
    for suppression in saved.record.suppressions:
        log.warning("%s", printable(str(suppression)))
    name, declared = context.project.sync_between(saved.record.source_name, saved.record.target_name)
    allow_all = allowances_for_all(context, saved) if name and saved.record.suppressions else ()
    publish_diff(saved, name, needs_approval=needs_approval(declared, saved.record), allow_all=allow_all)
    return saved.record
