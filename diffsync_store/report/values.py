"""Show old and new values side by side, with what differs inside of them marked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from diffsync_store.operation import Operation
from diffsync_store.printable import printable_lines

MAX_SHOWN = 2000
"""Characters of a value that a page shows."""
_MAX_MARKED = 600
"""Longer values are not compared letter by letter: it would take long."""
_TOO_DIFFERENT = 0.3
"""Ratio below which a value counts as replaced."""


@dataclass(frozen=True)
class Piece:
    """A part of a value."""

    text: str
    is_changed: bool = False


@dataclass(frozen=True)
class Row:
    """An attribute with the pieces of its old and its new value; None if a side has none."""

    attribute: str
    old: list[Piece] | None
    new: list[Piece] | None


def rows_of(operation: Operation) -> Iterator[Row]:
    """Yield the changed attributes of an operation. Secret values are `***`."""
    changes = operation.redacted_changes()
    old, new = changes.get("-", {}), changes.get("+", {})
    for name in dict.fromkeys((*old, *new)):
        before = text_of(old[name]) if name in old else None
        after = text_of(new[name]) if name in new else None
        if before is not None and after is not None:
            yield Row(name, *marked(before, after))
        else:
            yield Row(name, _plain(before), _plain(after))


def text_of(value: Any) -> str:
    """Return a value as text: texts as they are, others as JSON; cut if it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"


def marked(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of two values."""
    if len(old) + len(new) > _MAX_MARKED:
        return [Piece(printable_lines(old))], [Piece(printable_lines(new))]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.quick_ratio() < _TOO_DIFFERENT:
        return [Piece(printable_lines(old), True)], [Piece(printable_lines(new), True)]
    left, right = list[Piece](), list[Piece]()
    for tag, start, stop, first, last in matcher.get_opcodes():
        for pieces, text in ((left, old[start:stop]), (right, new[first:last])):
            if text:
                pieces.append(Piece(printable_lines(text), tag != "equal"))
    return left, right


def _plain(text: str | None) -> list[Piece] | None:
    return None if text is None else [Piece(printable_lines(text))]
