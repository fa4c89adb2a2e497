"""The rows of a CSV file, as spreadsheets and other programs write it."""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """A row, by the names in the first line of its file."""

    line: int
    """At which it ends, from 1."""
    cells: dict[str, str]


def rows(file: Path) -> Iterator[Row]:
    """Each row of a file in UTF-8, or in UTF-16 with a byte order mark; empty lines are left out.

    Raises:
        ValueError: the file is no such CSV file: its first line has a name twice, a row has more or fewer cells than there are
            names, a quote is not closed, or it has other bytes than its encoding allows. The message names file and line.
        OSError: it cannot be read.
    """
    with file.open(encoding=_encoding(file), newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, [])
            _require_unique(header)
            for cells in reader:
                if cells:
                    yield Row(reader.line_num, _named(header, cells))
        except (csv.Error, ValueError) as error:
            raise ValueError(f"{file}:{reader.line_num}: {_reason(error)}") from error


def _encoding(file: Path) -> str:
    with file.open("rb") as content:
        return "utf-16" if content.read(2) in UTF_16 else "utf-8-sig"


def _require_unique(header: list[str]) -> None:
    repeated = [name for name, times in Counter(header).items() if times > 1]
    if repeated:
        raise ValueError(f"the first line has {repeated[0]!r} more than once; nobody can tell which one counts")


def _named(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise ValueError(f"it has {len(cells)} cells, and the first line has {len(header)} names")
    return dict(zip(header, cells, strict=True))


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"at or after this line is no text in {error.encoding}: save the file as UTF-8 ({error.reason})"
    return str(error)
