"""The artifact of a housekeeping run."""

from collections.abc import Mapping, Sequence

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import MAX_ROWS, NOT_PUBLISHED, count_shown
from diffsync_flows.reporting.escape import markdown_table
from diffsync_flows.runtime.ids import of_this_run
from diffsync_store.retention import ExpiredItem


@best_effort(NOT_PUBLISHED)
def publish_housekeeping(expired: Sequence[ExpiredItem], counts: Mapping[str, int], *, dry_run: bool) -> None:
    """Publish what was dropped, and what is kept past its retention because it is in use."""
    outcome = "would be dropped" if dry_run else "dropped"
    heading = f"{counts['dropped']:,} {outcome}, {counts['kept']:,} kept because they are in use"
    rows = [(each.kind, each.name, f"{_hours(each):,} h", each.usage or outcome) for each in expired[:MAX_ROWS]]
    table = f"{markdown_table(('kind', 'name', 'age', 'outcome'), rows)}\n\n{count_shown(len(expired), 'items')}"
    create_markdown_artifact(
        f"# {heading}\n\n{table if rows else 'No store or diff is past its retention.'}",
        key=of_this_run("housekeeping"),
        description=heading,
    )


def _hours(expired: ExpiredItem) -> int:
    return int(expired.age.total_seconds() // 3600)
