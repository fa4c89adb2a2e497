"""What each run leaves for a person to read; capped, for all of it is kept in Prefect's database.

The page of a run shows the first words of an artifact's description: there stands the id that the next run needs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefect.artifacts import acreate_markdown_artifact, create_markdown_artifact, create_table_artifact

from diffsync_flows.reporting.escape import escape_markdown, markdown_table, one_line
from diffsync_flows.reporting.links import run_link
from diffsync_flows.runtime.ids import artifact_key
from diffsync_flows.runtime.prefect_client import best_effort
from diffsync_store import Operation, Reject, StoreRecord, SyncResult
from diffsync_store.diffs import DiffRecord, SavedDiff
from diffsync_store.operation import OperationFilter

MAX_ROWS = 1000
ACTIONS = ("delete", "create", "update")
"""What loses something comes first."""
MAX_REASON_LENGTH = 600
UNPROVEN = "With this store as the source, a sync suppresses the deletes of these models."
ALLOW = "A sync leaves these out, unless it is started with `allow`."
SUPPRESSED = "Where the reason names an allowance, a sync of this diff with it in `allow` applies them."
RETRY = "Mend what is told here, then start a sync of this diff with `retry_rejected`: only these are applied then."
NOT_PUBLISHED = "Prefect could not be told what was done"
SKIPPED = (
    "Skipped: the adapter was asked for these and has left them alone; the target has not got them. The run's log names each, "
    "and a new diff has them again."
)


@best_effort(NOT_PUBLISHED)
def publish_load(adapter: str, record: StoreRecord) -> None:
    """How many objects of each model the store holds."""
    total = sum(record.counts.values())
    create_markdown_artifact(
        f"# {total:,} objects of {escape_markdown(adapter)}\n\n"
        f"For the parameter `source_store_id` or `target_store_id` of a diff:\n\n```\n{record.store_id}\n```\n\n"
        f"State: {record.state.value}.\n\n"
        + markdown_table(("model", "objects"), [(model, f"{count:,}") for model, count in record.counts.items()])
        + _gaps(record),
        key=artifact_key("load", adapter),
        description=f"`{record.store_id}`: {total:,} objects loaded from {escape_markdown(adapter)}",
    )


@best_effort(NOT_PUBLISHED)
def publish_diff(diff: SavedDiff) -> None:
    """The totals, and the changes themselves."""
    record = diff.record
    sides = f"{escape_markdown(record.source_name)} → {escape_markdown(record.target_name)}"
    key = artifact_key("diff", record.source_name, record.target_name)
    create_markdown_artifact(
        f"# {record.operations:,} operations, {sides}\n\n"
        f"Diff {escape_markdown(record.diff_id)}: what would change in store {escape_markdown(record.target_store_id)} so that it "
        f"equals store {escape_markdown(record.source_store_id)}. {_linked('Loaded by', 'load', *_stores(record))}\n\n"
        f"For the parameter `diff_id` of a sync:\n\n```\n{record.diff_id}\n```\n\n"
        f"The changes themselves are in the table `{key}` beside this one.\n\n"
        + markdown_table(("action", "objects"), [(name, f"{count:,}") for name, count in record.summary.items()])
        + f"\n\n{_by_model(record)}{_largest(record)}{_holds(record)}",
        key=f"{key}-totals",
        description=f"`{record.diff_id}`: {sides}, {_totals(record.summary)}",
    )
    create_table_artifact(
        [row for action in ACTIONS for row in _first_rows(diff, action, MAX_ROWS)],
        key=key,
        description=f"{sides}: {_totals(record.summary)}. {_shown_of_each(record.summary)}",
    )


def _stores(record: DiffRecord) -> tuple[str, str]:
    return f"store:{record.source_store_id}", f"store:{record.target_store_id}"


def _linked(what: str, flow: str, *tags: str) -> str:
    """A sentence with links to the newest runs of a flow that have a tag each."""
    links = [link for link in (run_link(flow, tag) for tag in tags) if link]
    return f"{what} {' and '.join(links)}." if links else ""


def review(diff: SavedDiff, asked: Mapping[str, Sequence[object]], most: int = 5) -> str:
    """What somebody who approves a diff has to see, as markdown; `asked` is what its run was started with."""
    record = diff.record
    return (
        f"# {record.operations:,} operations, {escape_markdown(record.source_name)} → {escape_markdown(record.target_name)}\n\n"
        f"Diff {escape_markdown(record.diff_id)}. {_linked('Made by', 'diff', f'diff:{record.diff_id}')}\n\n{_by_model(record)}{_holds(record)}{_options(asked)}"
        + "".join(_first(diff, action, most) for action in ACTIONS)
    )


def _first(diff: SavedDiff, action: str, most: int) -> str:
    """The first operations of an action, where there are any."""
    total = diff.record.summary.get(action, 0)
    if not total:
        return ""
    rows = [(row["model"], row["name"], row["changes"]) for row in _first_rows(diff, action, most)]
    table = markdown_table(("model", "name", "what is lost" if action == "delete" else "changes"), rows)
    return f"\n\n## {action.capitalize()}\n\n{table}\n\n{_shown(total, f'{action}s', len(rows))}"


def _shown_of_each(summary: Mapping[str, int]) -> str:
    return " ".join(_shown(summary[action], f"{action}s") for action in ACTIONS if summary.get(action))


def _first_rows(diff: SavedDiff, action: str, most: int) -> Iterator[dict[str, str]]:
    if not diff.record.summary.get(action):
        return iter(())  # or all of the diff would be read to find none
    return map(operation_row, diff.operations(limit=most, matching=OperationFilter(action=action)))


def _options(asked: Mapping[str, Sequence[object]]) -> str:
    """The parameters by which a run applies more, or less, than the whole diff within the guards."""
    rows = [(name, "; ".join(map(str, given))) for name, given in asked.items() if given]
    return f"\n\n## This run\n\n{markdown_table(('parameter', ''), rows)}" if rows else ""


def _largest(record: DiffRecord) -> str:
    """The objects of the top below which most changes, themselves included, where any has more than one."""
    if all(tree.operations == 1 for tree in record.largest):
        return ""
    rows = [(tree.model, tree.name, f"{tree.operations:,}") for tree in record.largest]
    return f"\n\n## Largest subtrees\n\n{markdown_table(('model', 'name', 'operations'), rows)}"


def _by_model(record: DiffRecord) -> str:
    actions = ("create", "update", "delete")
    rows = [(model, *(f"{counts.get(action, 0):,}" for action in actions)) for model, counts in record.by_model.items()]
    return markdown_table(("model", *actions), rows)


@best_effort(NOT_PUBLISHED)
def publish_sync(record: DiffRecord, result: SyncResult, applied: int) -> None:
    """What has become of a diff: what was applied, by this run or before, what the target refused, what was suppressed."""
    _show_outcome(record, result, "", _applied(record, result, applied))


@best_effort(NOT_PUBLISHED)
def publish_dry_run(record: DiffRecord, planned: SyncResult) -> None:
    """What a sync would do of a diff."""
    before = f", {planned.done_before:,} were applied before" if planned.done_before else ""
    heading = f"Dry run, nothing was changed: {planned.applied:,} of {record.operations:,} would be applied{before}"
    _show_outcome(record, planned, "would be", heading)


def _show_outcome(record: DiffRecord, result: SyncResult, would: str, heading: str) -> None:
    counts = [(name.replace("_", " "), f"{count:,}") for name, count in result.counts().items()]
    suppressed = Counter((found.model, found.action, found.reason) for found in result.suppressed_operations)
    create_markdown_artifact(
        f"# {heading}\n\nDiff {escape_markdown(record.diff_id)}, {escape_markdown(record.source_name)} → "
        f"{escape_markdown(record.target_name)}. {_linked('Made by', 'diff', f'diff:{record.diff_id}')}\n\n"
        f"{markdown_table((would, 'operations'), counts)}"
        + (f"\n\n{SKIPPED}" if result.skipped else "")
        + _rejects(result.rejects)
        + _suppressed(suppressed),
        key=artifact_key("sync", record.source_name, record.target_name),
        description=heading,
    )


def _applied(record: DiffRecord, result: SyncResult, applied: int) -> str:
    told = f"{applied:,} of {record.operations:,} applied"
    if result.applied_before:
        return f"{told}, by a run before this one"
    return f"{told}, {result.done_before:,} of them by a run before this one" if result.done_before else told


@best_effort(NOT_PUBLISHED)
def publish_housekeeping(
    rows: Sequence[tuple[str, str, int, str]], counts: Mapping[str, int], *, dry_run: bool
) -> None:
    """What was dropped, and what is kept though it is past its retention."""
    verb = "would be dropped" if dry_run else "dropped"
    heading = f"{counts['dropped']:,} {verb}, {counts['kept']:,} kept because they are in use"
    listed = [(kind, name, f"{hours:,} h", used or verb) for kind, name, hours, used in rows[:MAX_ROWS]]
    table = f"{markdown_table(('kind', 'name', 'age', 'outcome'), listed)}\n\n{_shown(len(rows), 'lines')}"
    create_markdown_artifact(
        f"# {heading}\n\n{table if rows else 'Nothing is past its retention.'}",
        key="housekeeping",
        description=heading,
    )


async def publish_reconcile(sync: str, found: DiffRecord, runs: Iterable[tuple[str, str, str | None]]) -> None:
    """The steps' runs, and what they worked on."""
    rows = [f"| {escape_markdown(name)} | {escape_markdown(state)} | [open]({url}) |" for name, state, url in runs]
    heading = f"{found.operations:,} operations" if found.operations else "No difference: nothing was synced"
    with best_effort(NOT_PUBLISHED):
        await acreate_markdown_artifact(
            f"# {heading}\n\nSource store {escape_markdown(found.source_store_id)}, target store "
            f"{escape_markdown(found.target_store_id)}, diff {escape_markdown(found.diff_id)}: {_totals(found.summary)}.\n\n"
            + "\n".join(["| run | state | |", "| --- | --- | --- |", *rows]),
            key=artifact_key("reconcile", sync),
            description=heading,
        )


def _holds(record: DiffRecord) -> str:
    """What of the diff a sync leaves out, and what allows it."""
    if not record.suppressions:
        return ""
    counts = ((suppression, suppression.count_in(record.by_model)) for suppression in record.suppressions)
    rows = [
        (suppression.model, suppression.action, f"{count:,}", suppression.reason, suppression.allowance)
        for suppression, count in counts
        if count
    ]
    if not rows:
        return ""
    header = ("model", "action", "operations", "reason", "allow")
    return f"\n\n## Suppressed\n\n{ALLOW}\n\n{markdown_table(header, rows, MAX_REASON_LENGTH)}"


def _suppressed(suppressed: Mapping[tuple[str, str, str], int]) -> str:
    if not suppressed:
        return ""
    rows = [(model, action, f"{count:,}", reason) for (model, action, reason), count in suppressed.items()]
    listed = markdown_table(("model", "action", "operations", "reason"), rows[:MAX_ROWS], MAX_REASON_LENGTH)
    return f"\n\n## Suppressed\n\n{SUPPRESSED}\n\n{listed}\n\n{_shown(len(rows), 'reasons')}"


def _gaps(record: StoreRecord) -> str:
    """What a partial load lacks, and the records that it rejected."""
    if not record.gaps:
        return ""
    why = [(model, reason) for model, gap in record.gaps.items() for reason in gap.reasons]
    rejects = [(model, row.what, row.reason, row.payload) for model, gap in record.gaps.items() for row in gap.rejects]
    missing = f"\n\n## What is missing\n\n{UNPROVEN}\n\n{markdown_table(('model', 'reason'), why)}"
    if not rejects:
        return missing
    total = sum(gap.rejected for gap in record.gaps.values())
    listed = markdown_table(("model", "record", "reason", "payload"), rejects[:MAX_ROWS])
    return f"{missing}\n\n## Rejects\n\n{listed}\n\n{_shown(total, 'rejects', len(rejects))}"


def operation_row(operation: Operation) -> dict[str, str]:
    """One operation as a row of short texts, without secrets."""
    path = [*(name for _, name in operation.parents), operation.shown().name]
    changes = ", ".join(f"{name}: {change}" for name, change in operation.described_changes(_value))
    return {
        "action": str(operation.action),
        "model": one_line(operation.model),
        "name": one_line(" / ".join(one_line(part, 60) for part in path)),
        "changes": one_line(changes or "no attributes"),
    }


def _value(value: Any) -> str:
    return one_line(value, 80)


def _rejects(rejects: Sequence[Reject]) -> str:
    if not rejects:
        return ""
    rows = [(reject.state, reject.action, reject.model, reject.unique_id, reject.reason) for reject in rejects]
    listed = markdown_table(("", "action", "model", "unique id", "reason"), rows[:MAX_ROWS], MAX_REASON_LENGTH)
    return f"\n\n## Rejects\n\n{RETRY}\n\n{listed}\n\n{_shown(len(rejects), 'rejects')}"


def _totals(summary: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in summary.items())


def _shown(total: int, what: str, shown: int = MAX_ROWS) -> str:
    if total == 1:
        return f"The only {what.removesuffix('s')}."
    return f"All {total:,} {what}." if total <= shown else f"The first {shown:,} of {total:,} {what}."
