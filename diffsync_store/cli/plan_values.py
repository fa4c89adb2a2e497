"""Show the values of a change: one line if it fits, else one line for each side or for each line of a text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import Any, NamedTuple

from rich.text import Text

from diffsync_store.cli.formatting import escape_json
from diffsync_store.printable import printable
from diffsync_store.redaction import CHANGED_SUFFIX, REDACTED


class Line(NamedTuple):
    """A line of output."""

    text: Text
    sign: str = ""
    """Printed before it; wrapped lines have spaces there."""


REMOVED, ADDED, CHANGED = "red", "green", "yellow"
_MAX_LINES = 20
"""Lines of a text that are shown."""
_MAX_LENGTH = 400
"""Characters of a value that are shown."""
_CONTEXT = 60
"""Characters before the first difference of two long texts that are shown."""


def change_lines(name: str, old: Any, new: Any, width: int) -> Iterator[Line]:
    """Yield the lines of a changed attribute.

    Args:
        name: of the attribute.
        old: the value in the target.
        new: the value in the source.
        width: of the place for the lines.
    """
    label = f"{printable(name)}: "
    if old == new == REDACTED:
        yield Line(Text(f"{label}{REDACTED}{CHANGED_SUFFIX}"))
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield Line(Text(label.rstrip()))
        yield from _text_diff(old, new)
    else:
        yield from _values(label, *_excerpts(old, new), width)


def value_lines(name: str, value: Any) -> Iterator[Line]:
    """Yield the lines of an attribute of a record that is created or deleted."""
    label = f"{printable(name)}: "
    if isinstance(value, str) and "\n" in value.strip("\n"):
        yield Line(Text(label.rstrip()))
        yield from _limited([Line(Text(printable(line)), "  ") for line in value.splitlines()])
    else:
        yield Line(Text(f"{label}{_shortened(_json(value))}"))


def _values(label: str, old: str, new: str, width: int) -> Iterator[Line]:
    if len(label) + len(old) + len(new) + 3 <= width:
        yield Line(Text.assemble(label, (old, REMOVED), " → ", (new, ADDED)))
        return
    yield Line(Text(label.rstrip()))
    yield Line(Text(old, REMOVED), "  - ")
    yield Line(Text(new, ADDED), "  + ")


def _excerpts(old: Any, new: Any) -> tuple[str, str]:
    """Return two values as short texts; of long ones, the part where they begin to differ."""
    if isinstance(old, list) and isinstance(new, list) and len(_json(old)) + len(_json(new)) > _MAX_LENGTH:
        kept = [item for item in old if item in new]
        gone, added = ([item for item in side if item not in kept] for side in (old, new))
        if kept and (gone or added):
            note = f"{len(kept)} equal items, "
            return _shortened(note + _json(gone)), _shortened(note + _json(added))
    texts = _json(old), _json(new)
    if max(map(len, texts)) <= _MAX_LENGTH:
        return texts
    differs = next((at for at, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    start = max(0, differs - _CONTEXT)
    begin = "…" if start else ""
    return _shortened(begin + texts[0][start:], len(texts[0])), _shortened(begin + texts[1][start:], len(texts[1]))


def _shortened(text: str, length: int = 0) -> str:
    if len(text) <= _MAX_LENGTH:
        return text
    return f"{text[:_MAX_LENGTH]}… ({length or len(text):,} characters)"


def _text_diff(old: str, new: str) -> Iterator[Line]:
    lines = list(unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm=""))[2:]
    if not lines:  # only the ends of the lines differ
        yield Line(Text(_json(old[-_CONTEXT:]), REMOVED), "  - ")
        yield Line(Text(_json(new[-_CONTEXT:]), ADDED), "  + ")
    yield from _limited([_diff_line(line) for line in lines[_begins_at_first_line(lines) :]])


def _begins_at_first_line(lines: list[str]) -> bool:
    return bool(lines) and lines[0].startswith("@@ -1")


def _diff_line(line: str) -> Line:
    sign, text = line[:1], printable(_shortened(line[1:]))
    if sign == "@":
        return Line(Text("…", "dim"), "  ")
    return Line(Text(text, {"-": REMOVED, "+": ADDED}.get(sign, "")), f"  {sign} ")


def _limited(lines: list[Line]) -> Iterator[Line]:
    yield from lines[:_MAX_LINES]
    if len(lines) > _MAX_LINES:
        yield Line(Text(f"… {len(lines) - _MAX_LINES:,} more lines", "dim"), "  ")


def _json(value: Any) -> str:
    return REDACTED if value == REDACTED else escape_json(json.dumps(value, ensure_ascii=False))
