"""Read the rows of a CSV file that a spreadsheet or another program wrote."""

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """A row, with its cells by the names in the first line."""

    line: int
    """Number of the row's last line, starting at 1."""
    cells: dict[str, str]


def rows(file: Path) -> Iterator[Row]:
    """Yield each row of a file in UTF-8, or in UTF-16 with a byte order mark; skip empty lines.

    Raises:
        ValueError: The file is not valid: its first line repeats a name, a row has more or fewer cells than the first line, a
            quote is not closed, or the encoding is wrong. The message has the file and the line.
        OSError: The file cannot be read.
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
        raise ValueError(f"the first line repeats the name {repeated[0]!r}")


def _named(header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise ValueError(f"expected {len(header)} cells, as the first line has, got {len(cells)}")
    return dict(zip(header, cells, strict=True))


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding} text at or after this line ({error.reason}); save the file as UTF-8"
    return str(error)
