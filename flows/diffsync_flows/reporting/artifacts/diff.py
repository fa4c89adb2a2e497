"""The artifacts of a diff: its totals, and a table of its operations."""

from collections.abc import Iterator, Mapping

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import (
    MAX_ROWS,
    NOT_PUBLISHED,
    count_shown,
    format_totals,
    operation_row,
    section,
    sides,
    suppressed_section,
    table_by_model,
)
from diffsync_flows.reporting.escape import escape_markdown, markdown_table
from diffsync_flows.reporting.links import sentence_with_links
from diffsync_flows.reporting.run_metadata import ACTIONS
from diffsync_flows.runtime.ids import artifact_key
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.operation import OperationFilter


@best_effort(NOT_PUBLISHED)
def publish_diff(diff: SavedDiff) -> None:
    """Publish the totals of a diff and its first operations."""
    record = diff.record
    key = artifact_key("diff", record.source_name, record.target_name)
    totals = format_totals(record)
    create_markdown_artifact(
        _page(record, key), key=f"{key}-totals", description=f"{totals}: {sides(record)}, diff `{record.diff_id}`"
    )
    create_table_artifact(
        [row for action in ACTIONS for row in first_rows(diff, action, MAX_ROWS)],
        key=key,
        description=f"{totals}: {sides(record)}. {_shown_of_each(record.summary)}",
    )


def first_rows(diff: SavedDiff, action: str, limit: int) -> Iterator[dict[str, str]]:
    """Yield the first operations of an action as rows."""
    if not diff.record.summary.get(action):
        return iter(())  # otherwise the whole diff would be read to find none
    return map(operation_row, diff.operations(limit=limit, matching=OperationFilter(action=action)))


def _page(record: DiffRecord, table_key: str) -> str:
    tags = (f"store:{record.source_store_id}", f"store:{record.target_store_id}")
    counts = [(name, f"{count:,}") for name, count in record.summary.items()]
    return (
        f"# {format_totals(record)}: {sides(record)}\n\n"
        f"Diff {escape_markdown(record.diff_id)} makes store {escape_markdown(record.target_store_id)} equal to store "
        f"{escape_markdown(record.source_store_id)}. {sentence_with_links('Loaded by', 'load', *tags)}\n\n"
        f"Use this id as `diff_id` of a sync:\n\n```\n{record.diff_id}\n```\n\n"
        f"The table `{table_key}` lists the operations.\n\n"
        f"{markdown_table(('action', 'objects'), counts)}\n\n"
        f"{table_by_model(record)}{_largest(record)}{suppressed_section(record)}"
    )


def _largest(record: DiffRecord) -> str:
    """Return the top-level objects with the most operations in their subtree, if one has more than one."""
    if all(tree.operations == 1 for tree in record.largest):
        return ""
    rows = [(tree.model, tree.name, f"{tree.operations:,}") for tree in record.largest]
    return section("Largest subtrees", ("model", "name", "operations"), rows)


def _shown_of_each(summary: Mapping[str, int]) -> str:
    return " ".join(count_shown(summary[action], f"{action}s") for action in ACTIONS if summary.get(action))
