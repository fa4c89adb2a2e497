"""The artifact of a load."""

from collections.abc import Iterator, Mapping

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import MAX_ROWS, NOT_PUBLISHED, count_shown, section
from diffsync_flows.reporting.escape import escape_markdown, markdown_table
from diffsync_flows.reporting.links import form_link, next_steps
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_flows.runtime.states import Ending
from diffsync_store import StoreRecord
from diffsync_store.project import SyncEntry

MAX_NOTE_LENGTH = 2000


@best_effort(NOT_PUBLISHED)
def publish_load(
    adapter: str, record: StoreRecord, loaded: str, ending: Ending, syncs: Mapping[str, SyncEntry]
) -> None:
    """Publish what a load has loaded, such as `37 of about 155 objects`, with links to compare the store in these syncs."""
    heading = f"{ending.outcome.prefix}{loaded} of {escape_markdown(adapter)}"
    note = f"{escape_markdown(ending.message, MAX_NOTE_LENGTH)}\n\n" if ending.message else ""
    counts = [(model, f"{count:,}") for model, count in record.counts.items()]
    create_markdown_artifact(
        f"# {heading}\n\n{note}"
        f"{next_steps(_diff_links(adapter, record.store_id, syncs))}"
        f"Id of the store, `source_store_id` or `target_store_id` of a diff:\n\n```\n{record.store_id}\n```\n\n"
        f"State: {record.state.value}.\n\n{markdown_table(('model', 'objects'), counts)}{_missing(record)}{_rejects(record)}",
        key=of_this_run(artifact_key("load", adapter)),
        description=f"{heading}, store `{record.store_id}`",
    )


def _diff_links(adapter: str, store_id: str, syncs: Mapping[str, SyncEntry]) -> Iterator[str]:
    """Yield a link for each sync that compares the adapter; the other side is then its newest complete store."""
    for name, sync in syncs.items():
        for side, other in ((sync.source, sync.target), (sync.target, sync.source)):
            if side == adapter:
                parameter = "source_store_id" if side == sync.source else "target_store_id"
                yield form_link(f"diff this store with {other} ({name})", f"diff/{name}", {parameter: store_id})


def _missing(record: StoreRecord) -> str:
    rows = [(model, reason) for model, gap in record.gaps.items() for reason in gap.reasons]
    note = "With this store as the source, a sync leaves out the deletes of these models."
    return section("What is missing", ("model", "reason"), rows, note)


def _rejects(record: StoreRecord) -> str:
    rows = [(model, row.what, row.reason, row.payload) for model, gap in record.gaps.items() for row in gap.rejects]
    total = sum(gap.rejected for gap in record.gaps.values())
    end = count_shown(total, "rejects", min(len(rows), MAX_ROWS))
    return section("Rejects", ("model", "record", "reason", "payload"), rows, end=end)
