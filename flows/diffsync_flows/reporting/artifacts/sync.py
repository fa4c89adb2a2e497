"""The artifacts of a sync and of a dry run."""

from collections import Counter
from collections.abc import Mapping, Sequence

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import (
    NOT_PUBLISHED,
    canary_section,
    count_shown,
    format_totals,
    section,
    sides,
)
from diffsync_flows.reporting.escape import escape_markdown, markdown_table
from diffsync_flows.reporting.links import form_link, next_steps, sentence_with_links
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_flows.runtime.states import Outcome
from diffsync_store import Reject, SyncResult
from diffsync_store.diffs import DiffRecord

SKIPPED = (
    "Skipped: the adapter did not apply these operations, so the target does not have them. The run's log names each one, and "
    "a new diff contains them again."
)
SUPPRESSED_NOTE = "If the reason names an allowance, start a sync of this diff with it in `allow` to apply them."
WINDOW_NOTE = (
    "If this run is still scheduled then, it starts by itself. To apply the diff now, start a sync of it with a reason in "
    "`outside_window`. To prevent it, reject the diff or cancel this run."
)
RETRY_NOTE = "Fix the cause, then start a sync of this diff with `retry_rejected`: it applies only these operations."


@best_effort(NOT_PUBLISHED)
def publish_sync(record: DiffRecord, result: SyncResult, applied: int, outcome: Outcome, sync_name: str) -> None:
    """Publish the result of a sync; `applied` counts the operations that this run or an earlier one applied."""
    heading = f"{outcome.prefix}{applied:,} of {record.operations:,} applied{_earlier(result)}{_ignored(result)}"
    undo = form_link("undo what this sync has changed", f"undo/{sync_name}", {"diff_id": record.diff_id})
    _publish(record, result, "outcome", heading, next_steps([undo] if applied else []))


@best_effort(NOT_PUBLISHED)
def publish_window_wait(record: DiffRecord, message: str, counts: Mapping[str, int]) -> None:
    """Publish what an approved sync waits for, and what it has applied before the window closed."""
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in counts.items()]
    made_by = sentence_with_links("Made by", "diff", f"diff:{record.diff_id}")
    create_markdown_artifact(
        f"# {escape_markdown(message)}\n\nDiff {escape_markdown(record.diff_id)}, {sides(record)}: {format_totals(record)}. "
        f"{made_by}\n\n{WINDOW_NOTE}" + (f"\n\n{markdown_table(('outcome', 'operations'), rows)}" if rows else ""),
        key=of_this_run(artifact_key("sync", record.source_name, record.target_name)),
        description=f"{message} {format_totals(record)}",
    )


@best_effort(NOT_PUBLISHED)
def publish_dry_run(record: DiffRecord, result: SyncResult, refused: int | None) -> None:
    """Publish what a sync would do; `refused` is what a rehearsal found, if there was one."""
    _publish(record, result, "would be", f"{Outcome.DRY_RUN.prefix}{dry_run_heading(record, result, refused)}")


def dry_run_heading(record: DiffRecord, result: SyncResult, refused: int | None = None) -> str:
    """Return the result of a dry run in a few words."""
    before = f", {result.done_before:,} were applied before" if result.done_before else ""
    more = "" if refused is None else f", the target would refuse {refused:,} of them"
    return f"{result.applied:,} of {record.operations:,} would be applied{before}{more}, nothing was changed"


def _earlier(result: SyncResult) -> str:
    if result.applied_before:
        return ", by an earlier run"
    return f", {result.done_before:,} of them by an earlier run" if result.done_before else ""


def _ignored(result: SyncResult) -> str:
    return f", {result.ignored:,} ignored" if result.ignored else ""


def _publish(record: DiffRecord, result: SyncResult, outcome_header: str, heading: str, links: str = "") -> None:
    counts = [(name.replace("_", " "), f"{count:,}") for name, count in result.counts().items()]
    made_by = sentence_with_links("Made by", "diff", f"diff:{record.diff_id}")
    create_markdown_artifact(
        f"# {heading}\n\nDiff {escape_markdown(record.diff_id)}, {sides(record)}. {made_by}\n\n{links}"
        f"{markdown_table((outcome_header, 'operations'), counts)}"
        + (f"\n\nOutside of the windows: {escape_markdown(result.outside_window)}" if result.outside_window else "")
        + (canary_section(result.canary) if result.canary else "")
        + (f"\n\n{SKIPPED}" if result.skipped else "")
        + _rejects(result.rejects)
        + _suppressed(result.suppressed_operations),
        key=of_this_run(artifact_key("sync", record.source_name, record.target_name)),
        description=heading,
    )


def _rejects(rejects: Sequence[Reject]) -> str:
    rows = [(reject.state, reject.action, reject.model, reject.unique_id, reject.reason) for reject in rejects]
    header = ("state", "action", "model", "unique id", "reason")
    return section("Rejects", header, rows, RETRY_NOTE, end=count_shown(len(rejects), "rejects"))


def _suppressed(operations: Sequence[Reject]) -> str:
    counted = Counter((each.model, each.action, each.reason) for each in operations)
    rows = [(model, action, f"{count:,}", reason) for (model, action, reason), count in counted.items()]
    header = ("model", "action", "operations", "reason")
    return section("Suppressed", header, rows, SUPPRESSED_NOTE, end=count_shown(len(rows), "reasons"))
