"""CSV files, read row by row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from diffsync_store.adapters.files.formats import FileFormat, InvalidFile, Row, undecodable

_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?")
"""What Excel writes above the columns."""
LONGEST_CELL = 16_000_000

csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))


class _Lines:
    """Collects what a writer of CSV makes, with another end of each line.

    The writer quotes a line break inside of a cell only if lines end with it. Readers take each kind of break for the end of a line.
    """

    WRITTEN = "\r\n"

    def __init__(self, end: str) -> None:
        self._end = end
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        """Take one line, as the writer makes it."""
        self._lines.append(line.removesuffix(self.WRITTEN) + self._end)

    def text(self) -> str:
        """Return all lines."""
        return "".join(self._lines)


class CsvFile(FileFormat):
    """A table with the names of its columns in the first line. An empty cell is null."""

    def rows(self) -> Iterator[Row]:
        try:
            with self._opened() as file:
                yield from self._rows(csv.reader(file, delimiter=self.delimiter(), strict=True), file)
        except UnicodeDecodeError as error:
            raise undecodable(error) from error

    def _opened(self) -> IO[str]:
        return self.path.open(encoding=self.encoding(), newline="")

    def first_line(self) -> str:
        """Return the first line of the file."""
        with self._opened() as file:
            return file.readline()

    def delimiter(self) -> str:
        """Return the text that separates the cells."""
        if self.settings.delimiter or not self.path.exists():
            return self.settings.delimiter or ("\t" if self.path.suffix == ".tsv" else ",")
        first = self.first_line()
        said = _SEPARATOR_LINE.fullmatch(first)
        return said[1] if said else max(_DELIMITERS, key=_QUOTED.sub("", first).count)

    def _rows(self, reader: Any, file: IO[str]) -> Iterator[Row]:
        if _SEPARATOR_LINE.fullmatch(file.readline()) is None:
            file.seek(0)
        columns = _columns(reader)
        number = len(columns)
        line = reader.line_num + 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise InvalidFile("a quoted cell has no closing quote", line) from error
                yield Row("", line, InvalidFile(str(error), line))
            else:
                if "\0" in "".join(cells):
                    yield Row(cells, line, InvalidFile("it contains a NUL character: the file is damaged", line))
                elif len(cells) == number:
                    yield Row(dict(zip(columns, [cell or None for cell in cells], strict=True)), line)
                elif cells:
                    yield Row(
                        cells, line, InvalidFile(f"it has {len(cells)} cells, and the first line has {number}", line)
                    )
            line = reader.line_num + 1

    def check(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, list | dict):
                raise ValueError(  # noqa: TRY004  # it is the mapping that is wrong
                    f"A cell of a CSV file cannot hold a {type(value).__name__} ({name!r}). Convert it to text, for example with "
                    "`transforms: [{split: ','}]`."
                )
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"A cell of a CSV file cannot hold a NUL character ({name!r}).")

    def dump(self, content: Any) -> bytes:
        is_there = self.path.exists()
        first = self.first_line() if is_there else ""
        columns = dict.fromkeys(self.columns()) if is_there else {}
        columns |= dict.fromkeys(name for row in content for name in row)
        lines = _Lines("\r\n" if first.endswith("\r\n") else "\n")
        writer = csv.writer(lines, delimiter=self.delimiter(), lineterminator=_Lines.WRITTEN)
        writer.writerow(columns)
        writer.writerows([[row.get(name) for name in columns] for row in content])
        above = first if _SEPARATOR_LINE.fullmatch(first) else ""
        return f"{above}{lines.text()}".encode(self.encoding())

    def columns(self) -> list[str]:
        try:
            with self._opened() as file:
                if _SEPARATOR_LINE.fullmatch(file.readline()) is None:
                    file.seek(0)
                return _columns(csv.reader(file, delimiter=self.delimiter(), strict=True))
        except UnicodeDecodeError as error:
            raise undecodable(error) from error
        except csv.Error as error:
            raise InvalidFile(str(error), 1) from error


def _columns(reader: Any) -> list[str]:
    columns = next(reader, None)
    if columns is None:
        raise InvalidFile("it is empty: the line with the names of the columns is missing")
    if not columns:
        raise InvalidFile("it is blank: the names of the columns are missing", 1)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InvalidFile(f"it has the column {', '.join(map(repr, twice))} twice", 1)
    return list(columns)
