"""Tables and text for a terminal. Output to a pipe is not wrapped. Control characters in data are escaped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from diffsync_store.printable import is_printable, printable

_PIPE_WIDTH = 400
_COPIED = frozenset({"diff_id", "store_id"})
"""Columns whose cells people copy into other commands."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def console() -> Console:
    """Return the console for standard output."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error for the command, which may have something to undo."""
        raise  # noqa: PLE0704  # rich calls it while it handles the error


@contextmanager
def while_read() -> Iterator[None]:
    """Print in the body; end it without an error when the reader of the output has gone, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        close_output()


def close_output() -> None:
    """Discard what is still to be printed: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(value: Any) -> str:
    """Return a value as one line of text with control characters escaped."""
    return printable(str(value))


def escape_json(text: str) -> str:
    """Return equivalent JSON on one line with control characters escaped."""
    return "".join(char if is_printable(char) else json.dumps(char)[1:-1] for char in text)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table with columns of numbers aligned to the right. An id stays in one line, unless it needs half the terminal."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    listed = [list(row) for row in rows]
    for number, name in enumerate(header):
        is_number = bool(listed) and all(isinstance(row[number], int) for row in listed)
        longest = max((len(str(row[number])) for row in listed), default=0)
        found.add_column(
            name,
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=name in _COPIED and longest <= console().width // 2,
        )
    for row in listed:
        found.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else one_line(cell)) for cell in row))
    return found


def properties(lines: Iterable[tuple[str, str]]) -> Table:
    """Return a table of names and values without a header."""
    found = Table(box=None, pad_edge=False, show_header=False)
    found.add_column(style="bold")
    found.add_column(overflow="fold")
    for name, value in lines:
        found.add_row(name, Text(one_line(value)))
    return found


def format_size(number: int | None) -> str:
    """Format a number of bytes, such as `14.7 MB`; `-` for None."""
    if number is None:
        return "-"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def format_time(moment: datetime) -> str:
    """Format a time in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def format_age(moment: datetime) -> str:
    """Format the time that has passed since a moment."""
    return format_duration(int((datetime.now(UTC) - moment).total_seconds()))


def format_duration(seconds: int | None) -> str:
    """Format a duration in its largest unit, such as `3 h`; `-` for None or a negative number."""
    if seconds is None or seconds < 0:
        return "-"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 s"
