"""What both kinds of report say about a diff."""

from collections.abc import Iterator

from diffsync_store.diffs import SavedDiff
from diffsync_store.printable import printable
from diffsync_store.rules import Decision, RuledCount

ACTIONS = ("delete", "update", "create")
"""In the order in which a report names them: deletes first."""


def title_of(saved: SavedDiff) -> str:
    """Return the numbers of changes, deletes first."""
    summary = saved.record.summary
    return ", ".join(counted(summary.get(action, 0), action) for action in ACTIONS)


def counted(number: int, action: str) -> str:
    """Return a number of operations of an action in words."""
    return f"{number:,} {action}{'s' * (number != 1)}"


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
        number = counted(suppression.count_in(record.by_model), suppression.action)
        yield f"A sync does not apply {number} of {suppression.model}: {suppression.reason}."
    for ruling in record.rulings if application is None else ():
        if ruling.decision is not Decision.APPLY:
            number = counted(ruling.count, ruling.action)
            yield f"{_decides(ruling)} {number} of {ruling.model} ({ruling.rule or 'approval of the sync'})."


def _decides(ruling: RuledCount) -> str:
    if ruling.decision is Decision.REVIEW:
        return f"{'Somebody' if ruling.approvers == 1 else f'{ruling.approvers} people'} must approve"
    return f"A sync {'ignores' if ruling.decision is Decision.IGNORE else 'suppresses'}"


def shown(text: str) -> str:
    """Return a text from data on one line, with invisible characters as escapes."""
    return printable(" ".join(text.split("\n")))
