"""The artifacts of an undo: what it takes back, what it does not, and a table of its operations."""

import json

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.diff import largest_section, publish_operations, sync_links
from diffsync_flows.reporting.artifacts.text import (
    NOT_PUBLISHED,
    count_shown,
    format_totals,
    rulings_section,
    section,
    sides,
    suppressed_section,
    table_by_model,
)
from diffsync_flows.reporting.escape import escape_markdown, one_line
from diffsync_flows.reporting.links import form_link, next_steps
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_store.diffs import DiffRecord, Undo
from diffsync_store.runs import Plan

MAX_REFUSAL_LENGTH = 2000


@best_effort(NOT_PUBLISHED)
def publish_undo(plan: Plan, undo: Undo) -> None:
    """Publish what an undo takes back and what it does not, with links to apply it.

    Args:
        plan: What a sync of the undo would do.
        undo: What was taken back, and what was not.
    """
    record = plan.saved.record
    key = artifact_key("diff", record.source_name, record.target_name)
    table_url = publish_operations(plan.saved, key, f"{_heading(record)}.")
    create_markdown_artifact(
        undo_page(plan, undo, table_url),
        key=of_this_run(f"{key}-totals"),
        description=f"{_heading(record)}, `{record.diff_id}`",
    )


def undo_page(plan: Plan, undo: Undo, table_url: str) -> str:
    """Return what an undo takes back and what it does not, as Markdown.

    Args:
        plan: What a sync of the undo would do.
        undo: What was taken back, and what was not.
        table_url: The address of the table of its operations.
    """
    record = plan.saved.record
    return (
        f"# {_heading(record)}\n\n{_introduction(plan, undo)}{_refusal(plan)}{next_steps(_links(plan))}"
        f"Id of the undo, `diff_id` of a sync:\n\n```\n{record.diff_id}\n```\n\n"
        f"[All operations]({table_url}) are in a table.\n\n"
        f"{table_by_model(record)}{largest_section(record)}{_not_undone(undo)}{_recreated(undo)}"
        f"{rulings_section(record)}{suppressed_section(record, plan.allow_all)}"
    )


def _heading(record: DiffRecord) -> str:
    return f"{format_totals(record)}: undo of diff {escape_markdown(record.undoes)}, {sides(record)}"


def _introduction(plan: Plan, undo: Undo) -> str:
    record = plan.saved.record
    target, undone = escape_markdown(record.target_name), escape_markdown(record.undoes)
    if record.operations:
        text = f"This diff takes back what the syncs of diff {undone} have changed in {target}. Nothing is changed yet."
    else:
        text = f"Nothing is left to undo of what the syncs of diff {undone} have changed in {target}."
    if undo.done_already:
        text += f" Operations whose records are as they were before the sync: {undo.done_already:,}."
    return (
        f"{text} Correct the source before you apply an undo: otherwise the next sync makes the same changes again.\n\n"
    )


def _refusal(plan: Plan) -> str:
    """Return why the guards refuse the whole undo, and how to allow it; empty if they do not."""
    if not plan.refusal:
        return ""
    reason = escape_markdown(plan.refusal.partition("\n")[0], MAX_REFUSAL_LENGTH)
    allow = json.dumps([one_line(each) for each in plan.allow_all])
    return f"**The guards refuse this undo as a whole.** {reason}\n\nTo apply it:\n\n```\nallow = {allow}\n```\n\n"


def _links(plan: Plan) -> list[str]:
    record, sync = plan.saved.record, plan.sync_name
    if not record.operations:
        return []
    links = [*sync_links(record.diff_id, sync, needs_approval=plan.needs_approval, allow=plan.allow)]
    return [*links, form_link("undo again, after the target has changed", f"undo/{sync}", {"diff_id": record.undoes})]


def _not_undone(undo: Undo) -> str:
    rows = [(each.state, each.action, each.model, each.unique_id, each.reason) for each in undo.not_undone]
    header = ("state", "operation of the sync", "model", "unique id", "reason")
    note = "The target keeps what it has now. Correct these records by hand if they must change."
    return section("Not undone", header, rows, note, end=count_shown(len(rows), "operations"))


def _recreated(undo: Undo) -> str:
    return section("Created again", ("to know before",), [(note,) for note in undo.recreation_notes()])
