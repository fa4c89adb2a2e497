from prefect import flow, get_run_logger, task
from prefect.exceptions import PrefectException

from diffsync_flows.approval.answers import resume_decided
from diffsync_flows.approval.pending import pending_diff_ids
from diffsync_flows.config.config import read_config
from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts import publish_housekeeping
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.parameters import Switch
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_store import ObjectStoreException
from diffsync_store.retention import ExpiredItem


@flow(flow_run_name="housekeeping")
@report_expected_errors
def housekeeping(dry_run: Switch = False) -> dict[str, int]:
    """Drop the stores and saved diffs past their retention that are not in use.

    A diff is in use while a suspended sync waits for its approval. Syncs that are stale are notified of.

    Args:
        dry_run: Drop nothing; list what would be dropped.
    """
    with (
        SyncContext(read_config()) as context,
        run_metrics("housekeeping", "housekeeping", context.project.declared.metrics) as run,
    ):
        run.is_published = not dry_run
        expired = drop_expired(context, dry_run)
        counts = {
            "dropped": sum(not found.usage for found in expired),
            "kept": sum(bool(found.usage) for found in expired),
        }
        run.gauge("housekeeping_items", "Stores and diffs of the last housekeeping", "outcome", counts)
        if not dry_run:
            resume_approved(context)
            RunNotifications(context).stale_syncs()
    rename_run("housekeeping", f"· {counts['dropped']:,} {'would be dropped' if dry_run else 'dropped'}")
    publish_housekeeping(expired, counts, dry_run=dry_run)
    return counts


@task(**IO_RETRIES)
def drop_expired(context: SyncContext, dry_run: bool) -> list[ExpiredItem]:
    expired, log = [], get_run_logger()
    for found in context.retention(pending_diff_ids()).run(dry_run=dry_run):
        outcome = found.usage or ("would be dropped" if dry_run else "dropped")
        log.info("%s %s: %s", found.kind, found.name, outcome)
        expired.append(found)
    return expired


def resume_approved(context: SyncContext) -> None:
    """Resume the syncs whose diffs were decided outside of Prefect."""
    with best_effort("Cannot look for decisions made outside of Prefect", PrefectException, ObjectStoreException):
        for line in resume_decided(context):
            get_run_logger().info(line)
