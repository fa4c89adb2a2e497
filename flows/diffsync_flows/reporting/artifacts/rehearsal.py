"""The artifact of a rehearsal, and its part of the form that asks for an approval."""

from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact

from diffsync_flows.prefect_api import best_effort
from diffsync_flows.reporting.artifacts.text import NOT_PUBLISHED, count_shown, section, sides
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.runtime.ids import artifact_key, of_this_run
from diffsync_store import Reject
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import RefusedOperation, RehearsalReport, Rehearsed

SHOWN_IN_FORM = 50
HEADER = ("state", "action", "model", "unique id", "reason")
MODELS_ONLY = "The adapter offers no rehearsal, so only the models have checked the values."


@best_effort(NOT_PUBLISHED)
def publish_rehearsal(record: DiffRecord, found: Rehearsed, refused: Sequence[Reject]) -> None:
    """Publish what the target would refuse of a diff."""
    heading = f"{_heading(len(refused), found.result.applied)}: {sides(record)}"
    notes = _notes(found.result.stopped, found.not_rehearsed, asks_target=found.asks_target)
    create_markdown_artifact(
        f"# {heading}\n\nDiff {escape_markdown(record.diff_id)} was rehearsed; nothing was changed.{notes}"
        + section("Would be refused", HEADER, map(_row, refused), end=count_shown(len(refused), "operations")),
        key=of_this_run(artifact_key("rehearsal", record.source_name, record.target_name)),
        description=heading,
    )


def rehearsal_section(report: RehearsalReport | None) -> str:
    """Return what a rehearsal found, for the person who decides; empty if there was none."""
    if report is None:
        return ""
    notes = _notes(report.stopped, report.not_rehearsed, asks_target=report.asks_target)
    rows = [_row(each) for each in report.operations[:SHOWN_IN_FORM]]
    end = count_shown(report.refused, "operations", SHOWN_IN_FORM)
    text = f"\n\n**Rehearsed: {_heading(report.refused, report.accepted)}.**{notes}"
    return text + section("Would be refused", HEADER, rows, end=end)


def _heading(refused: int, accepted: int) -> str:
    total = f"{refused + accepted:,} operations"
    return f"the target would refuse {refused:,} of {total}" if refused else f"the target would accept all {total}"


def _notes(stopped: str, not_rehearsed: int, *, asks_target: bool) -> str:
    notes = [escape_markdown(stopped)] if stopped else []
    if not asks_target:
        notes.append(MODELS_ONLY)
    if not_rehearsed:
        notes.append(f"Not rehearsed: {not_rehearsed:,} operations on objects that move.")
    return "".join(f" {note}" for note in notes)


def _row(each: Reject | RefusedOperation) -> tuple[str, ...]:
    return each.state, each.action, each.model, each.unique_id, each.reason
