"""The formats of files: how records are read from a file, and how its content is changed."""

from __future__ import annotations

import importlib
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from diffsync_store.adapters.files.settings import FilesSettings
from diffsync_store.mapping.paths import compile_getter

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks, and the encodings that write and remove them."""


class InvalidFile(ValueError):
    """A file cannot be read.

    Attributes:
        line: where in the file; 0 where it is not known.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(" ".join(message.split()))
        self.line = line


class Row(NamedTuple):
    """One record of a file, or why it cannot be read."""

    record: Any
    line: int = 0
    """Where it begins; 0 where that is not known."""
    error: Exception | None = None


class FileFormat(ABC):
    """One file in a format.

    Args:
        path: the file.
        settings: how files are read.
        items: the path of the list of records in the file.
    """

    refuses_changes: ClassVar[str] = ""
    """Why files of this format are only read."""

    keeps_one_record: ClassVar[bool] = False
    """A file may be one record, and no list."""

    def __init__(self, path: Path, settings: FilesSettings, items: str = "") -> None:
        self.path = path
        self.settings = settings
        self.items = items

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yield the records, one after the other.

        Raises:
            InvalidFile: the rest of the file cannot be read.
        """

    def columns(self) -> list[str] | None:
        """The names of the columns of a table; None where each record has keys of its own.

        Raises:
            InvalidFile: it has none.
        """
        return None

    def content(self) -> Any:
        """Return the content of the file, to be changed in place: a list of records, one record, or the document around the list."""
        rows = list(self.rows())
        bad = next((row for row in rows if row.error is not None), None)
        if bad is not None:
            raise InvalidFile(f"it has lines that cannot be read, so it is not changed: {bad.error}", bad.line)
        return [row.record for row in rows]

    def check(self, values: Mapping[str, Any]) -> None:
        """Check that a file of this format can hold the values of one record.

        Raises:
            ValueError, TypeError: it cannot.
        """

    @abstractmethod
    def dump(self, content: Any) -> bytes:
        """Return the new text of the file."""

    def new_content(self) -> Any:
        """Return the content of a file that does not exist."""
        return []

    def records_in(self, content: Any) -> list[Any]:
        """Return the list of records in the content of a file."""
        found = compile_getter(self.items)(content, None) if self.items and isinstance(content, Mapping) else content
        if found is None:
            raise InvalidFile(f"there is nothing at `items: {self.items}`" if self.items else "it is empty")
        return found if isinstance(found, list) else [found]

    def is_one_record(self, content: Any) -> bool:
        """Whether the file is one record, and no list."""
        return isinstance(content, Mapping) and not self.items

    def encoding(self) -> str:
        """Return the encoding of the file, by its byte order mark or the settings."""
        if not self.path.exists():
            return self.settings.encoding
        with self.path.open("rb") as file:
            first = file.read(3)
        return next((encoding for mark, encoding in _MARKS if first.startswith(mark)), self.settings.encoding)

    def text(self) -> str:
        """Return the text of the file, without its byte order mark."""
        try:
            return self.path.read_bytes().decode(self.encoding())
        except UnicodeDecodeError as error:
            raise undecodable(error) from error


def undecodable(error: UnicodeDecodeError) -> InvalidFile:
    """Return the error for a file in another encoding."""
    return InvalidFile(
        f"it is not text in {error.encoding}: {error.reason}. Set the right one: `settings: {{encoding: …}}`"
    )


class JsonFile(FileFormat):
    """A JSON document: a list of records, one record, or what holds a list of them."""

    keeps_one_record = True

    def rows(self) -> Iterator[Row]:
        return map(Row, self.records_in(self.content()))

    def content(self) -> Any:
        return parsed(self.text())

    def dump(self, content: Any) -> bytes:
        before = self.text() if self.path.exists() else ""
        indent = re.search(r"\n([ \t]+)\S", before)
        text = json.dumps(content, ensure_ascii=False, indent=indent[1] if indent else 2)
        return (text + "\n").encode(self.encoding())


def parsed(text: str, line: int = 1) -> Any:
    """Parse a text as JSON.

    Args:
        text: the text.
        line: the number of its first line.

    Raises:
        InvalidFile: it is no JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidFile(f"it is not valid JSON: {error.msg}", line + error.lineno - 1) from error
    except RecursionError as error:
        raise InvalidFile("it is nested too deeply", line) from error


class JsonLinesFile(FileFormat):
    """A JSON record on each line."""

    def rows(self) -> Iterator[Row]:
        try:
            with self.path.open(encoding=self.encoding(), newline="\n") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield self._row(line, number)
        except UnicodeDecodeError as error:
            raise undecodable(error) from error

    def _row(self, line: str, number: int) -> Row:
        try:
            return Row(parsed(line, number), number)
        except InvalidFile as error:
            return Row(line.strip(), number, error)

    def dump(self, content: Any) -> bytes:
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in content).encode(self.encoding())


class AnsibleFile(JsonFile):
    """What `ansible-inventory --list` prints: a record for each host, or for each group."""

    refuses_changes = (
        "An inventory of Ansible is read-only. Change the files from which `ansible-inventory` creates it."
    )

    def records_in(self, content: Any) -> list[Any]:
        if not isinstance(content, Mapping) or not all(isinstance(found, Mapping) for found in content.values()):
            raise InvalidFile("it is not what `ansible-inventory --list` prints")
        groups = {name: found for name, found in content.items() if name != "_meta"}
        parents: dict[str, list[str]] = {}
        for name, group in groups.items():
            for child in group.get("children", ()):
                parents.setdefault(child, []).append(name)
        if self.items == "groups":
            names = dict.fromkeys([*groups, *parents])
            return [
                {
                    "name": name,
                    "hosts": [],
                    "children": [],
                    "vars": {},
                    "parents": parents.get(name, []),
                    **groups.get(name, {}),
                }
                for name in names
            ]
        return self._hosts(groups, parents, content.get("_meta", {}).get("hostvars", {}))

    def _hosts(
        self, groups: Mapping[str, Any], parents: Mapping[str, list[str]], variables: Mapping[str, Any]
    ) -> list[Any]:
        of_host: dict[str, list[str]] = {}
        for name, group in groups.items():
            for host in group.get("hosts", ()):
                of_host.setdefault(host, []).append(name)
        names = dict.fromkeys([*of_host, *variables])
        return [
            {
                "name": name,
                "groups": of_host.get(name, []),
                "all_groups": _with_parents(of_host.get(name, []), parents),
                "vars": variables.get(name, {}),
            }
            for name in names
        ]  # fmt: skip


def _with_parents(groups: list[str], parents: Mapping[str, list[str]]) -> list[str]:
    found = dict.fromkeys(groups)
    waiting = list(groups)
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in found:
                found[parent] = None
                waiting.append(parent)
    return sorted(name for name in found if name != "all")


class ParquetFile(FileFormat):
    """A table of Parquet, read in pieces."""

    def columns(self) -> list[str]:
        try:
            return list(self._module("pyarrow.parquet").read_schema(self.path).names)
        except (OSError, ValueError) as error:  # pyarrow's errors are both
            raise InvalidFile(f"it is not valid Parquet: {error}") from error

    def rows(self) -> Iterator[Row]:
        try:
            for batch in self._module("pyarrow.parquet").ParquetFile(self.path).iter_batches(batch_size=10_000):
                yield from map(Row, batch.to_pylist())
        except (OSError, ValueError) as error:  # pyarrow's errors are both
            raise InvalidFile(f"it is not valid Parquet: {error}") from error

    def check(self, values: Mapping[str, Any]) -> None:
        schema = self._module("pyarrow.parquet").read_schema(self.path) if self.path.exists() else None
        if schema is not None:
            self._module("pyarrow").Table.from_pylist([dict(values)], schema=schema)

    def dump(self, content: Any) -> bytes:
        schema = self._module("pyarrow.parquet").read_schema(self.path) if self.path.exists() else None
        table = self._module("pyarrow").Table.from_pylist(content, schema=schema)
        sink = io.BytesIO()
        self._module("pyarrow.parquet").write_table(table, sink)
        return sink.getvalue()

    def _module(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise ImportError(
                "Parquet files need the package pyarrow: pip install 'diffsync-store[parquet]'"
            ) from error
