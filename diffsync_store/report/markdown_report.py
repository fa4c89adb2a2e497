"""A saved diff as Markdown for a comment on a pull request. Names of records cannot format anything, link or mention anybody."""

import re
from collections.abc import Iterator
from itertools import islice

from diffsync_store.diffs import SavedDiff
from diffsync_store.operation import Operation
from diffsync_store.report.facts import ACTIONS, facts_of, shown, title_of
from diffsync_store.report.values import rows_of

MAX_COMMENT = 65_536
"""Characters that GitHub accepts in a comment."""
_ROOM = 400
"""Characters that are kept for the last line."""
BAR = r"\|"
"""A bar in a cell of a table."""
_LONGEST = 300
"""Characters of a name or of a value."""


def markdown_report(saved: SavedDiff, limit: int, size: int = MAX_COMMENT) -> Iterator[str]:
    """Yield the lines.

    Args:
        saved: the diff.
        limit: maximum number of operations.
        size: maximum number of characters in all; the operations that do not fit are counted.
    """
    record, used, written = saved.record, 0, 0
    for line in _head(saved):
        if used + len(line) + 1 > size - _ROOM:
            break
        used += len(line) + 1
        yield line
    for operation in islice(saved.operations(), limit):
        lines = list(_operation(operation))
        needed = sum(len(line) + 1 for line in lines)
        if used + needed > size - _ROOM:
            break
        used, written = used + needed, written + 1
        yield from lines
    if written < record.operations:
        yield ""
        yield f"{record.operations - written:,} more operations are not shown."


def _head(saved: SavedDiff) -> Iterator[str]:
    yield f"### {title_of(saved)}"
    yield ""
    for fact in facts_of(saved):
        yield f"{code(fact, 2000)}  "
    yield ""
    yield f"| model | {' | '.join(ACTIONS)} |"
    yield f"|---|{'---:|' * len(ACTIONS)}"
    for model, numbers in saved.record.by_model.items():
        yield f"| {code(model).replace('|', BAR)} | {' | '.join(f'{numbers.get(action, 0):,}' for action in ACTIONS)} |"
    yield ""


def _operation(operation: Operation) -> Iterator[str]:
    redacted = operation.redacted()
    yield f"- {operation.action} {code(operation.model)} {code(redacted.unique_id or redacted.name)}"
    for row in rows_of(operation):
        old, new = ("".join(piece.text for piece in side) if side is not None else None for side in (row.old, row.new))
        values = " → ".join(code(value) for value in (old, new) if value is not None)
        yield f"  - {code(row.attribute)}: {values}"


def code(text: str, longest: int = _LONGEST) -> str:
    """Return a text as inline code, in which Markdown, HTML and mentions have no meaning. The fence is longer than any inside."""
    text = shown(text).strip() or "(empty)"
    text = text if len(text) <= longest else f"{text[:longest]}…"
    longest_run = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest_run + 1)
    return f"{fence} {text} {fence}" if longest_run else f"{fence}{text}{fence}"
