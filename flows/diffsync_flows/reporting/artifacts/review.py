"""The summary of a diff that a person reads before approving it."""

from collections.abc import Mapping, Sequence

from diffsync_flows.reporting.artifacts.diff import first_rows
from diffsync_flows.reporting.artifacts.rehearsal import rehearsal_section
from diffsync_flows.reporting.artifacts.text import (
    count_shown,
    format_totals,
    notes_section,
    rulings_section,
    section,
    sides,
    suppressed_section,
    table_by_model,
)
from diffsync_flows.reporting.escape import escape_markdown
from diffsync_flows.reporting.links import sentence_with_links
from diffsync_flows.reporting.run_metadata import ACTIONS
from diffsync_store.diffs import SavedDiff
from diffsync_store.runs import RehearsalReport


def review(
    diff: SavedDiff,
    overrides: Mapping[str, Sequence[object]],
    limit: int = 5,
    *,
    allow_all: Sequence[str] = (),
    rehearsal: RehearsalReport | None = None,
) -> str:
    """Return a diff as Markdown for the person who approves it.

    Args:
        diff: The diff.
        overrides: Parameters of the run that apply more or less than the whole diff within the guards.
        limit: Maximum operations to show of each action.
        allow_all: The allowances with which guards let the whole diff through.
        rehearsal: What a rehearsal of it found.
    """
    record = diff.record
    return (
        f"# {format_totals(record)}: {sides(record)}\n\n"
        f"Diff {escape_markdown(record.diff_id)}. {sentence_with_links('Made by', 'diff', f'diff:{record.diff_id}')}\n\n"
        f"{table_by_model(record)}{rehearsal_section(rehearsal)}{notes_section(record)}{rulings_section(record)}{suppressed_section(record, allow_all)}{_overrides(overrides)}"
        + "".join(_operations(diff, action, limit) for action in ACTIONS)
    )


def _overrides(overrides: Mapping[str, Sequence[object]]) -> str:
    rows = [(name, "; ".join(map(str, values))) for name, values in overrides.items() if values]
    return section("Parameters of this run", ("parameter", "value"), rows)


def _operations(diff: SavedDiff, action: str, limit: int) -> str:
    rows = [(row["model"], row["name"], row["changes"]) for row in first_rows(diff, action, limit)]
    last = "deleted values" if action == "delete" else "changes"
    end = count_shown(diff.record.summary.get(action, 0), f"{action}s", len(rows))
    return section(action.capitalize(), ("model", "name", last), rows, end=end)
