"""What both kinds of report say about a diff."""

from collections.abc import Iterator

from diffsync_store.diffs import SavedDiff
from diffsync_store.printable import printable

ACTIONS = ("delete", "update", "create")
"""In the order in which a report names them: deletes first."""


def title_of(saved: SavedDiff) -> str:
    """Return the numbers of changes, deletes first."""
    summary = saved.record.summary
    return ", ".join(f"{summary.get(action, 0):,} {action}s" for action in ACTIONS)


def facts_of(saved: SavedDiff) -> Iterator[str]:
    """Yield what a reader must know before the operations, a sentence each."""
    record, journal = saved.record, saved.journal()
    yield f"{record.source_name} → {record.target_name}, diff {record.diff_id}, made {record.created:%Y-%m-%d %H:%M} UTC."
    approval, application = journal.approval(), journal.application()
    if application is not None:
        yield f"Applied by {application.by} at {application.at:%Y-%m-%d %H:%M} UTC."
    elif approval is not None:
        verb = "Rejected" if approval.is_rejected else "Approved"
        yield f"{verb} by {approval.by} at {approval.at:%Y-%m-%d %H:%M} UTC: {approval.reason or 'no comment'}."
    if override := journal.window_override():
        yield f"Applied {override}."
    if canary := saved.canary():
        yield f"Canary: {canary.text}."
    if record.undoes:
        yield f"It undoes the diff {record.undoes}."
    yield from record.notes
    for suppression in record.suppressions:
        number = suppression.count_in(record.by_model)
        yield f"A sync does not apply {number:,} {suppression.action}s of {suppression.model}: {suppression.reason}."


def shown(text: str) -> str:
    """Return a text from data on one line, with invisible characters as escapes."""
    return printable(" ".join(text.split("\n")))
