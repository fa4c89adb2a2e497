"""Show old and new values side by side, with what differs inside of them marked."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from diffsync_store.operation import Operation
from diffsync_store.printable import printable_lines
from diffsync_store.redaction import CHANGED_SUFFIX

MAX_SHOWN = 2000
"""Characters of a value that a page shows."""
_WORDS = re.compile(r"\w+|\s+|.", re.DOTALL)
_MAX_WORDS = 200
"""Longer values are marked from the first to the last difference: to compare their words would take long."""
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
        if before is not None and before == after:  # a secret that changes
            yield Row(name, _plain(before), [Piece(after), Piece(CHANGED_SUFFIX, True)])
        elif before is not None and after is not None:
            yield Row(name, *marked(before, after))
        else:
            yield Row(name, _plain(before), _plain(after))


def text_of(value: Any) -> str:
    """Return a value as text: texts as they are, others as JSON; cut if it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(text):,} characters)"


def marked(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    """Return the pieces of two values. What both begin and end with is not marked; between, words are compared."""
    start = _common(old, new)
    stop = _common(old[start:][::-1], new[start:][::-1])
    left, right = _marked_words(old[start : len(old) - stop], new[start : len(new) - stop])
    before, after = ([Piece(printable_lines(text))] if text else [] for text in (old[:start], old[len(old) - stop :]))
    return [*before, *left, *after], [*before, *right, *after]


def _common(one: str, other: str) -> int:
    """Return the number of characters that both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _marked_words(old: str, new: str) -> tuple[list[Piece], list[Piece]]:
    words, others = _WORDS.findall(old), _WORDS.findall(new)
    left, right = list[Piece](), list[Piece]()
    for is_changed, some, their in _pairs(words, others):
        for pieces, text in ((left, "".join(some)), (right, "".join(their))):
            if text:
                pieces.append(Piece(printable_lines(text), is_changed))
    return left, right


def _pairs(words: list[str], others: list[str]) -> Iterator[tuple[bool, list[str], list[str]]]:
    """Yield whether they differ, and the words of both sides."""
    if max(len(words), len(others)) <= _MAX_WORDS:
        matcher = SequenceMatcher(None, words, others, autojunk=False)
        if matcher.ratio() >= _TOO_DIFFERENT:
            for tag, start, stop, first, last in matcher.get_opcodes():
                yield tag != "equal", words[start:stop], others[first:last]
            return
    yield True, words, others


def _plain(text: str | None) -> list[Piece] | None:
    return None if text is None else [Piece(printable_lines(text))]
