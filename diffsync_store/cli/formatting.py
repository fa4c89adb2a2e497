"""Tables and texts for a terminal: as wide as it is; without a terminal, plain and unfolded. Nothing in data acts on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diffsync_store.printable import is_printable, printable

_PIPE_WIDTH = 400
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def console() -> Console:
    """Where the output goes."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def shown(value: Any) -> Text:
    """A value as one line, characters that nobody sees written out."""
    return Text(printable(str(value)))


def json_line(text: str) -> str:
    """JSON as one line that means the same, characters that could act on a terminal written out."""
    return "".join(char if is_printable(char) else json.dumps(char)[1:-1] for char in text)


def size(number: int | None) -> str:
    """A number of bytes such as `14.7 MB`; `-` for none."""
    if number is None:
        return "-"
    for unit, bytes_of in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= bytes_of:
            return f"{number / bytes_of:.1f} {unit}"
    return f"{number} B"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table whose numbers stand to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    listed = [list(row) for row in rows]
    for number, name in enumerate(header):
        is_number = bool(listed) and all(isinstance(row[number], int) for row in listed)
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        made.add_row(*(Text(f"{cell:,}") if isinstance(cell, int) else shown(cell) for cell in row))
    return made


def facts(lines: Iterable[tuple[str, str]]) -> Table:
    """Names and what is told of each, without a header."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, told in lines:
        made.add_row(name, shown(told))
    return made


def since(moment: datetime) -> str:
    """How long ago."""
    return span(int((datetime.now(UTC) - moment).total_seconds()))


def span(seconds: int | None) -> str:
    """A time such as `3 h`; `-` for none."""
    if seconds is None or seconds < 0:
        return "-"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 s"
