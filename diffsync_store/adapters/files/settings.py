"""What is declared of files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from diffsync_store.adapters.mapped import AdapterSettings
from diffsync_store.mapping.records import RecordMapping

PLACEHOLDER = re.compile(r"\$\{?([a-z_]\w*)\}?", re.IGNORECASE)
"""Stands for the value of a field in the name of a file."""
_BRACES = re.compile(r"(?<!\$)\{([a-z_]\w*)\}", re.IGNORECASE)

Format = Literal["csv", "json", "jsonl", "yaml", "parquet", "ansible"]

FORMATS: Mapping[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml", ".parquet": "parquet",
}  # fmt: skip
"""The format of a file by the end of its name."""


class FilesSettings(AdapterSettings):
    """Where the files are, and how they are read."""

    folder: Path
    """The folder below which all files are; nothing outside of it is read or written."""
    format: Format | None = None
    """The format of every file; by default the end of a file's name tells it."""
    encoding: str = "utf-8"
    """Of text files; a byte order mark has precedence."""
    delimiter: str = Field(default="", max_length=1)
    """Between the fields of a CSV file; by default the one of `,`, `;`, tab, `|` that the first line has."""


class FileRecords(RecordMapping):
    """How the records of a model are found in files."""

    items: str = ""
    """The path of the list of records in a file, such as `data.devices`; by default the file is the list, or one record.
    Of an Ansible inventory: `hosts` (default) or `groups`."""
    file: str = ""
    """The file that a new record is written to, such as `$manufacturer/$model.yaml`; needed where `from` is a pattern."""
    optional: bool = False
    """That there is no file means that there are no records, and is no error. A new record makes the file."""

    @field_validator("file")
    @classmethod
    def _require_placeholders(cls, file: str) -> str:
        if (found := _BRACES.search(file)) is not None:
            raise ValueError(
                f"{found[0]} is no placeholder. Write ${found[1]} for the value of the field {found[1]!r}."
            )
        return file
