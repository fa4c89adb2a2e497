"""Artifacts: the results of a run, for a person to read. Their size is limited, because Prefect stores them in its database.

The page of a run shows the first words of an artifact's description, so the number that matters comes first: the deletes.
"""

from diffsync_flows.reporting.artifacts.diff import link_request, publish_diff
from diffsync_flows.reporting.artifacts.housekeeping import publish_housekeeping
from diffsync_flows.reporting.artifacts.load import publish_load
from diffsync_flows.reporting.artifacts.reconcile import WAITS_FOR_WINDOW, publish_reconcile, settle_reconcile
from diffsync_flows.reporting.artifacts.rehearsal import publish_rehearsal
from diffsync_flows.reporting.artifacts.review import review
from diffsync_flows.reporting.artifacts.shards import ShardTable
from diffsync_flows.reporting.artifacts.sync import dry_run_heading, publish_dry_run, publish_sync, publish_window_wait
from diffsync_flows.reporting.artifacts.undo import publish_undo

__all__ = [
    "WAITS_FOR_WINDOW",
    "ShardTable",
    "dry_run_heading",
    "link_request",
    "publish_diff",
    "publish_dry_run",
    "publish_housekeeping",
    "publish_load",
    "publish_reconcile",
    "publish_rehearsal",
    "publish_sync",
    "publish_undo",
    "publish_window_wait",
    "review",
    "settle_reconcile",
]
