"""The artifacts of a diff: its totals, and a table of its operations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterTags
from prefect.utilities.urls import url_for

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import (
    MAX_ROWS,
    NOT_PUBLISHED,
    count_shown,
    format_totals,
    operation_row,
    rulings_section,
    section,
    sides,
    suppressed_section,
    table_by_model,
)
from diffsync_flows.reporting.escape import escape_markdown, markdown_table
from diffsync_flows.reporting.links import artifact_url, form_link, next_steps, sentence_with_links
from diffsync_flows.reporting.run_metadata import ACTIONS
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.operation import OperationFilter

RESUME = "choose *Resume* in the menu of that page"
APPROVE = f"approve: a link appears here when a sync of this diff asks; then {RESUME}"


@best_effort(NOT_PUBLISHED)
def publish_diff(diff: SavedDiff, sync_name: str, *, needs_approval: bool, allow_all: Sequence[str] = ()) -> None:
    """Publish the totals of a diff, with links to apply it, and its first operations.

    Args:
        diff: The diff.
        sync_name: The sync that may apply it; empty if none is declared.
        needs_approval: Whether a person has to approve it first.
        allow_all: The allowances with which guards let the whole diff through.
    """
    record = diff.record
    key = artifact_key("diff", record.source_name, record.target_name)
    totals = format_totals(record)
    table_url = publish_operations(diff, key, f"{totals}: {sides(record)}.")
    links = (
        sync_links(record.diff_id, sync_name, needs_approval=needs_approval) if record.operations and sync_name else []
    )
    create_markdown_artifact(
        _page(record, next_steps(links), table_url, allow_all),
        key=of_this_run(f"{key}-totals"),
        description=f"{totals}: {sides(record)}, diff `{record.diff_id}`",
    )


def publish_operations(diff: SavedDiff, key: str, heading: str) -> str:
    """Publish the first operations of each action as a table; return its address."""
    table = create_table_artifact(
        [row for action in ACTIONS for row in first_rows(diff, action, MAX_ROWS)],
        key=of_this_run(key),
        description=f"{heading} {_shown_of_each(diff.record.summary)}",
    )
    return artifact_url(cast("UUID", table))


def link_request(diff_id: str, run_id: UUID) -> None:
    """Link from the artifact of a diff to the run that asks for its approval."""
    with best_effort(NOT_PUBLISHED), get_client(sync_client=True) as client:
        made = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"diff:{diff_id}"]))
        named = ArtifactFilter(key=ArtifactFilterKey(like_="diff-%"))
        for artifact in client.read_artifacts(artifact_filter=named, flow_run_filter=made):
            text, link = str(artifact.data), f"[approve]({url_for('flow-run', run_id)})"
            if artifact.type == "markdown" and APPROVE in text:
                client.update_artifact(artifact.id, ArtifactUpdate(data=text.replace(APPROVE, f"{link}: {RESUME}", 1)))


def sync_links(diff_id: str, sync_name: str, *, needs_approval: bool, allow: Sequence[str] = ()) -> Iterator[str]:
    """Yield links to the forms that apply a diff, with the allowances filled in."""
    deployment = f"sync/{sync_name}"
    parameters = {"diff_id": diff_id, **({"allow": list(allow)} if allow else {})}
    asks = " (the run asks for an approval)" if needs_approval else ""
    yield f"{form_link('apply this diff', deployment, parameters)}{asks}"
    yield form_link("dry run", deployment, {**parameters, "dry_run": True})
    if needs_approval:
        yield APPROVE


def first_rows(diff: SavedDiff, action: str, limit: int) -> Iterator[dict[str, str]]:
    """Yield the first operations of an action as rows."""
    if not diff.record.summary.get(action):
        return iter(())  # otherwise the whole diff would be read to find none
    return map(operation_row, diff.operations(limit=limit, matching=OperationFilter(action=action)))


def _page(record: DiffRecord, links: str, table_url: str, allow_all: Sequence[str]) -> str:
    tags = (f"store:{record.source_store_id}", f"store:{record.target_store_id}")
    counts = [(name, f"{count:,}") for name, count in record.summary.items()]
    return (
        f"# {format_totals(record)}: {sides(record)}\n\n"
        f"Diff {escape_markdown(record.diff_id)} makes store {escape_markdown(record.target_store_id)} equal to store "
        f"{escape_markdown(record.source_store_id)}. {sentence_with_links('Loaded by', 'load', *tags)}\n\n"
        f"{links}"
        f"Id of the diff, `diff_id` of a sync:\n\n```\n{record.diff_id}\n```\n\n"
        f"[All operations]({table_url}) are in a table.\n\n"
        f"{markdown_table(('action', 'objects'), counts)}\n\n"
        f"{table_by_model(record)}{largest_section(record)}{rulings_section(record)}{suppressed_section(record, allow_all)}"
    )


def largest_section(record: DiffRecord) -> str:
    """Return the top-level objects with the most operations in their subtree, if one has more than one."""
    if all(tree.operations == 1 for tree in record.largest):
        return ""
    rows = [(tree.model, tree.name, f"{tree.operations:,}") for tree in record.largest]
    return section("Largest subtrees", ("model", "name", "operations"), rows)


def _shown_of_each(summary: Mapping[str, int]) -> str:
    return " ".join(count_shown(summary[action], f"{action}s") for action in ACTIONS if summary.get(action))
