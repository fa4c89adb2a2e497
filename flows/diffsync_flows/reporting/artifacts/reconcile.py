"""The artifact of a reconcile."""

from collections.abc import Iterable

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import NOT_PUBLISHED, format_totals
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.runtime.ids import artifact_key
from diffsync_store.diffs import DiffRecord


def publish_reconcile(sync: str, record: DiffRecord, runs: Iterable[tuple[str, str, str | None]]) -> None:
    """Publish the steps of a reconcile; each run has a name, a state and a URL."""
    rows = [f"| {escape_markdown(name)} | {escape_markdown(state)} | [open]({url}) |" for name, state, url in runs]
    heading = f"{record.operations:,} operations" if record.operations else "No difference: nothing was synced"
    with best_effort(NOT_PUBLISHED):
        create_markdown_artifact(
            f"# {heading}\n\nSource store {escape_markdown(record.source_store_id)}, target store "
            f"{escape_markdown(record.target_store_id)}, diff {escape_markdown(record.diff_id)}: "
            f"{format_totals(record.summary)}.\n\n" + "\n".join(["| run | state | |", "| --- | --- | --- |", *rows]),
            key=artifact_key("reconcile", sync),
            description=heading,
        )
