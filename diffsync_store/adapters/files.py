"""FilesAdapter: CSV, JSON, JSON lines, YAML, Parquet, and inventories of Ansible.

`from` of a model is a file below the folder, or a pattern such as `device-types/**/*.yaml`. A record knows its file: `$file.stem`,
`$file.name`, `$file.folder` (below the folder of the settings) are paths as any other.

Writing changes whole files: the new text is written beside the old one and takes its place in one step. Comments, order and style
of a YAML file stay.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Literal

from pydantic import Field

from diffsync_store.adapters.mapped import AdapterSettings, Answer, Change, MappedAdapter
from diffsync_store.exceptions import ObjectNotCreated, ObjectNotUpdated
from diffsync_store.mapping.paths import Record, compile_getter
from diffsync_store.mapping.records import Mapper, RecordMapping

Format = Literal["csv", "json", "jsonl", "yaml", "parquet", "ansible"]

FORMATS: Mapping[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".yaml": "yaml", ".yml": "yaml", ".parquet": "parquet",
}  # fmt: skip
_DELIMITERS = ",;\t|"
_PLACEHOLDER = re.compile(r"\$\{?([a-z_]\w*)\}?", re.IGNORECASE)


class FilesSettings(AdapterSettings):
    """Where the files are, and how they are read."""

    folder: Path
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


class FilesAdapter(MappedAdapter):
    """Reads and writes files. One thread loads; several may write, one after the other."""

    Settings = FilesSettings
    Records = FileRecords
    settings: FilesSettings
    added: ClassVar[frozenset[str]] = frozenset({"file"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._writing = Lock()

    # Reading

    def read(self, mapper: Mapper) -> Iterable[Record]:
        for path in self._files_of(mapper):
            try:
                yield from self._records_in(path, mapper)
            except (OSError, ValueError, TypeError) as error:
                self.incomplete(mapper.model, f"{path}: {_reason(error)}")

    def _files_of(self, mapper: Mapper) -> list[Path]:
        pattern = mapper.mapping.source or f"{mapper.model._modelname}.*"
        _require_below(pattern)
        found = sorted(path for path in self.settings.folder.glob(pattern) if path.is_file())
        if not found:
            raise FileNotFoundError(
                f"No file fits {pattern!r} in {self.settings.folder}. Correct `from` of {mapper.model._modelname!r}, or `folder`."
            )
        return found

    def _records_in(self, path: Path, mapper: Mapper) -> Iterator[Record]:
        about = {
            "name": path.name,
            "stem": path.stem,
            "folder": path.parent.relative_to(self.settings.folder).as_posix(),
        }
        for record in self._document(path, mapper).records():
            if not isinstance(record, Mapping):
                raise TypeError(f"a record is {type(record).__name__}, not a mapping")
            yield {**record, "$file": about}

    def _document(self, path: Path, mapper: Mapper, *, to_write: bool = False) -> _Document:
        kind = self.settings.format or FORMATS.get(path.suffix.lower())
        if kind is None:
            raise ValueError(f"its format is not known by {path.suffix!r}; say it: `settings: {{format: csv}}`")
        items = mapper.mapping.items if isinstance(mapper.mapping, FileRecords) else ""
        make = _YamlWithStyle if kind == "yaml" and to_write else _DOCUMENTS[kind]
        return make(path, items, self.settings)

    def find(self, mapper: Mapper, identifiers: Sequence[dict[str, Any]]) -> Sequence[Record | None]:
        found = {mapper.key_of(record): record for record in self.read(mapper)}
        return [found.get(_key(mapper, ids)) for ids in identifiers]

    # Writing

    def send_creates(self, mapper: Mapper, payloads: Sequence[dict[str, Any]]) -> Sequence[Answer]:
        with self._writing:
            batch = _Files(self, mapper)
            answers = [batch.create(payload) for payload in payloads]
            batch.write()
        return answers

    def send_updates(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        with self._writing:
            batch = _Files(self, mapper)
            answers = [batch.update(change) for change in changes]
            batch.write()
        return answers

    def send_deletes(self, mapper: Mapper, changes: Sequence[Change]) -> Sequence[Answer]:
        with self._writing:
            batch = _Files(self, mapper)
            for change in changes:
                batch.delete(change)
            batch.write()
        return [None] * len(changes)


class _Document:
    """One file, and the list of records in it."""

    def __init__(self, path: Path, items: str, settings: FilesSettings) -> None:
        self.path = path
        self.items = items
        self.settings = settings
        self.content: Any = self.parse(path.read_bytes()) if path.exists() else []

    def parse(self, data: bytes) -> Any:
        raise NotImplementedError

    def dump(self) -> bytes:
        raise NotImplementedError

    def records(self) -> list[Any]:
        """The list of records itself: what is changed in it is written by `save`."""
        found = compile_getter(self.items)(self.content, None) if self.items else self.content
        if found is None:
            raise ValueError(f"there is nothing at `items: {self.items}`" if self.items else "the file is empty")
        return found if isinstance(found, list) else [found]

    @property
    def is_one_record(self) -> bool:
        """True if the file is one record, and no list."""
        return isinstance(self.content, Mapping) and not self.items

    def save(self) -> None:
        """Put the new content instead of the old one, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.dump())
                file.flush()
                os.fsync(file.fileno())
            if self.path.exists():
                Path(name).chmod(self.path.stat().st_mode)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def text_of(self, data: bytes) -> str:
        for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
            if data.startswith(mark):
                return data.decode(encoding)
        return data.decode(self.settings.encoding)


class _Csv(_Document):
    delimiter = ","
    columns: Sequence[str] = ()

    def parse(self, data: bytes) -> Any:
        text = self.text_of(data)
        first = text.split("\n", 1)[0]
        self.delimiter = self.settings.delimiter or max(_DELIMITERS, key=first.count)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        self.columns = list(reader.fieldnames or ())
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise ValueError(f"the column {', '.join(map(repr, sorted(twice)))} is there twice")
        return [self._row(row, reader.line_num) for row in reader]

    def _row(self, row: dict[Any, Any], line: int) -> dict[str, Any]:
        if None in row or None in row.values():
            raise ValueError(f"line {line} has not as many fields as the first line")
        return {name: value if value != "" else None for name, value in row.items()}

    def dump(self) -> bytes:
        columns = list(dict.fromkeys([*self.columns, *(name for row in self.content for name in row)]))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, delimiter=self.delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.content)
        return text.getvalue().encode(self.settings.encoding)


class _Json(_Document):
    def parse(self, data: bytes) -> Any:
        return json.loads(self.text_of(data))

    def dump(self) -> bytes:
        return (json.dumps(self.content, ensure_ascii=False, indent=2) + "\n").encode(self.settings.encoding)


class _JsonLines(_Document):
    def parse(self, data: bytes) -> Any:
        return [json.loads(line) for line in self.text_of(data).splitlines() if line.strip()]

    def dump(self) -> bytes:
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in self.content).encode(
            self.settings.encoding
        )


class _Yaml(_Document):
    keeps_style = False
    """Read with comments and style, to be written again; slower."""

    def parse(self, data: bytes) -> Any:
        from ruamel.yaml.error import YAMLError

        try:
            return _yaml("rt" if self.keeps_style else "safe").load(self.text_of(data))
        except YAMLError as error:
            raise ValueError(_reason(error)) from error

    def dump(self) -> bytes:
        text = io.StringIO()
        _yaml("rt").dump(self.content, text)
        return text.getvalue().encode(self.settings.encoding)


class _YamlWithStyle(_Yaml):
    keeps_style = True


class _Parquet(_Document):
    def parse(self, data: bytes) -> Any:
        return _parquet().read_table(io.BytesIO(data)).to_pylist()

    def dump(self) -> bytes:
        sink = io.BytesIO()
        _parquet().write_table(_arrow().Table.from_pylist(self.content), sink)
        return sink.getvalue()


class _Ansible(_Json):
    def records(self) -> list[Any]:
        inventory = self.content
        groups = {name: found for name, found in inventory.items() if name != "_meta"}
        if self.items == "groups":
            return [{"name": name, **found} for name, found in groups.items()]
        of_host: dict[str, list[str]] = {}
        for name, found in groups.items():
            for host in found.get("hosts", ()):
                of_host.setdefault(host, []).append(name)
        variables = inventory.get("_meta", {}).get("hostvars", {})
        names = dict.fromkeys([*of_host, *variables])
        return [{"name": name, "groups": of_host.get(name, []), "vars": variables.get(name, {})} for name in names]

    def save(self) -> None:
        raise ValueError("An inventory of Ansible is only read. Change what `ansible-inventory` makes it from.")


_DOCUMENTS: Mapping[str, Callable[[Path, str, FilesSettings], _Document]] = {
    "csv": _Csv, "json": _Json, "jsonl": _JsonLines, "yaml": _Yaml, "parquet": _Parquet, "ansible": _Ansible,
}  # fmt: skip


class _Files:
    """The files of a model while a batch of changes is written."""

    def __init__(self, adapter: FilesAdapter, mapper: Mapper) -> None:
        self._adapter = adapter
        self._mapper = mapper
        self._documents: dict[Path, _Document] = {}
        self._places: dict[str, tuple[_Document, Any]] = {}
        self._changed: dict[Path, _Document] = {}
        if mapper.mapping.list_path:
            raise ValueError(
                f"{mapper.model._modelname} is a list inside other records, which the adapter `files` only reads."
            )
        for path in adapter._files_of(mapper):
            document = self._documents[path] = adapter._document(path, mapper, to_write=True)
            for record in document.records():
                self._places[mapper.key_of(record)] = document, record

    def create(self, payload: dict[str, Any]) -> Answer:
        key = self._mapper.key_of(payload)
        if key in self._places:
            return ObjectNotCreated(f"{self._places[key][0].path} has {self._mapper.model._modelname} {key!r} already.")
        document = self._document_for(payload)
        if document is None:
            return ObjectNotCreated("Say which file a new record goes to: `file: $name.yaml` under `records`.")
        if document.path in self._documents or document.content:
            document.records().append(payload)
        else:
            document.content = [payload] if document.path.suffix.lower() not in {".yaml", ".yml", ".json"} else payload
            self._documents[document.path] = document
        self._places[key] = document, payload
        self._changed[document.path] = document
        return None

    def update(self, change: Change) -> Answer:
        place = self._places.get(_key(self._mapper, change.identifiers))
        if place is None:
            return ObjectNotUpdated(f"No file has {self._mapper.model._modelname} {change.identifiers}.")
        document, record = place
        _merge(record, change.payload)
        self._changed[document.path] = document
        return None

    def delete(self, change: Change) -> None:
        place = self._places.pop(_key(self._mapper, change.identifiers), None)
        if place is None:
            return
        document, record = place
        if document.is_one_record:
            document.content = None
        else:
            records = document.records()
            del records[next(number for number, other in enumerate(records) if other is record)]
        self._changed[document.path] = document

    def write(self) -> None:
        for document in self._changed.values():
            if document.content is None:
                document.path.unlink(missing_ok=True)
            else:
                document.save()

    def _document_for(self, payload: Mapping[str, Any]) -> _Document | None:
        mapping = self._mapper.mapping
        pattern = mapping.file if isinstance(mapping, FileRecords) else ""
        if not pattern:
            documents = list(self._documents.values())
            return documents[0] if len(documents) == 1 and not documents[0].is_one_record else None
        folder = self._adapter.settings.folder
        name = _PLACEHOLDER.sub(lambda match: _as_name(payload.get(match[1])), pattern)
        _require_below(name)
        path = folder / name
        return self._documents.get(path) or self._adapter._document(path, self._mapper, to_write=True)


def _key(mapper: Mapper, identifiers: Mapping[str, Any]) -> str:
    return "__".join(str(identifiers[name]) for name in mapper.model._identifiers)


def _as_name(value: Any) -> str:
    """A value as part of a file's name: it names no other folder."""
    return re.sub(r"[^\w.\- ]+", "_", str(value)).strip(". ") or "_"


def _require_below(name: str) -> None:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"The file {name!r} is outside of the folder. Name files below the folder of the settings.")


def _merge(record: Any, payload: Mapping[str, Any]) -> None:
    for key, value in payload.items():
        if isinstance(value, Mapping) and isinstance(record.get(key), Mapping):
            _merge(record[key], value)
        else:
            record[key] = value


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _yaml(kind: Literal["rt", "safe"]) -> Any:
    try:
        from ruamel.yaml import YAML
    except ImportError as error:
        raise ImportError("YAML files need the package ruamel.yaml: pip install 'diffsync-store[files]'") from error
    yaml = YAML(typ=kind)
    if kind == "rt":
        yaml.preserve_quotes = True
    return yaml


def _arrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError("Parquet files need the package pyarrow: pip install pyarrow") from error


def _parquet() -> Any:
    _arrow()
    return importlib.import_module("pyarrow.parquet")
