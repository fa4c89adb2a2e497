"""The artifact of a reconcile."""

from collections.abc import Iterable

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import NOT_PUBLISHED, format_totals
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.runtime.ids import artifact_key
from diffsync_store.diffs import DiffRecord


def publish_reconcile(sync: str, record: DiffRecord, steps: Iterable[tuple[str, str, str, str]]) -> None:
    """Publish the steps of a reconcile; each has a name, a state, and the URL of its own run if it has one."""
    rows = [
        f"| {escape_markdown(name)} | {escape_markdown(state)} | {f'[open]({url})' if url else ''} |"
        for name, state, url, _ in steps
    ]
    heading = f"{record.operations:,} operations" if record.operations else "No difference: nothing was synced"
    with best_effort(NOT_PUBLISHED):
        create_markdown_artifact(
            f"# {heading}\n\nSource store {escape_markdown(record.source_store_id)}, target store "
            f"{escape_markdown(record.target_store_id)}, diff {escape_markdown(record.diff_id)}: "
            f"{format_totals(record.summary)}.\n\n" + "\n".join(["| step | state | |", "| --- | --- | --- |", *rows]),
            key=artifact_key("reconcile", sync),
            description=heading,
        )
