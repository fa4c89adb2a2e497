"""The artifact of a load."""

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import MAX_ROWS, NOT_PUBLISHED, count_shown, section
from diffsync_flows.reporting.escape import escape_markdown, markdown_table
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.states import Ending
from diffsync_store import StoreRecord

MAX_NOTE_LENGTH = 2000


@best_effort(NOT_PUBLISHED)
def publish_load(adapter: str, record: StoreRecord, ending: Ending) -> None:
    """Publish the number of objects by model, and what is missing."""
    total = sum(record.counts.values())
    heading = f"{ending.outcome.prefix}{total:,} objects of {escape_markdown(adapter)}"
    note = f"{escape_markdown(ending.message, MAX_NOTE_LENGTH)}\n\n" if ending.message else ""
    counts = [(model, f"{count:,}") for model, count in record.counts.items()]
    create_markdown_artifact(
        f"# {heading}\n\n{note}"
        f"Use this id as `source_store_id` or `target_store_id` of a diff:\n\n```\n{record.store_id}\n```\n\n"
        f"State: {record.state.value}.\n\n{markdown_table(('model', 'objects'), counts)}{_missing(record)}{_rejects(record)}",
        key=artifact_key("load", adapter),
        description=f"{heading}, store `{record.store_id}`",
    )


def _missing(record: StoreRecord) -> str:
    rows = [(model, reason) for model, gap in record.gaps.items() for reason in gap.reasons]
    note = "With this store as the source, a sync leaves out the deletes of these models."
    return section("What is missing", ("model", "reason"), rows, note)


def _rejects(record: StoreRecord) -> str:
    rows = [(model, row.what, row.reason, row.payload) for model, gap in record.gaps.items() for row in gap.rejects]
    total = sum(gap.rejected for gap in record.gaps.values())
    end = count_shown(total, "rejects", min(len(rows), MAX_ROWS))
    return section("Rejects", ("model", "record", "reason", "payload"), rows, end=end)
