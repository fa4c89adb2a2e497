from prefect import flow, get_run_logger, task
from prefect.exceptions import PrefectException

from diffsync_flows.approval.answers import resume_decided
from diffsync_flows.approval.pending import pending_diff_ids
from diffsync_flows.config.config import read_config
from diffsync_flows.reporting.artifacts import publish_housekeeping
from diffsync_flows.reporting.metrics import run_metrics
from diffsync_flows.reporting.run_metadata import rename_run
from diffsync_flows.runtime.error_handling import report_expected_errors
from diffsync_flows.runtime.prefect_client import best_effort
from diffsync_flows.runtime.retries import IO_RETRIES
from diffsync_store import ObjectStoreException

Rows = list[tuple[str, str, int, str]]
"""Kind, name, age in hours, and why it is kept."""


@flow(flow_run_name="housekeeping")
@report_expected_errors
def housekeeping(dry_run: bool = False) -> dict[str, int]:
    """Drop the stores and the saved diffs that are past their retention, and nothing that is in use.

    A diff that a suspended sync has asked about is in use until somebody has decided.

    Args:
        dry_run: Drop nothing; list what would be dropped.
    """
    with run_metrics("housekeeping", "housekeeping", read_config().declared.metrics) as run:
        run.is_published = not dry_run
        rows = drop_expired(dry_run)
        counts = {"dropped": sum(not used for *_, used in rows), "kept": sum(bool(used) for *_, used in rows)}
        run.gauge("housekeeping_items", "Of the last housekeeping", "outcome", counts)
    with best_effort("Whether anybody has decided meanwhile is not known", PrefectException, ObjectStoreException):
        for line in [] if dry_run else resume_decided(read_config()):
            get_run_logger().info(line)
    rename_run(f"housekeeping · {counts['dropped']:,} {'would be dropped' if dry_run else 'dropped'}")
    publish_housekeeping(rows, counts, dry_run=dry_run)
    return counts


@task(**IO_RETRIES)
def drop_expired(dry_run: bool) -> Rows:
    config, log = read_config(), get_run_logger()
    rows: Rows = []
    with config.retention(pending_diff_ids()) as retention:
        for found in retention.run(dry_run=dry_run):
            log.info("%s %s: %s", found.kind, found.name, found.usage or ("would be dropped" if dry_run else "dropped"))
            rows.append((found.kind, found.name, int(found.age.total_seconds() // 3600), found.usage))
    return rows
